"""Taking data in: files or a frame become stored bytes and a manifest."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.blobs.port import BlobStore
from mainspring.blobs.seen import SeenFolder
from mainspring.blobs.trees import put_alone, put_folder, put_manifest
from mainspring.datasets.tables import columns_of, read_through, table_files
from mainspring.domain.dataset import Column, Manifest, ManifestEntry
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, NotFound

if TYPE_CHECKING:
    import polars as pl

_ROW_GROUP = 131_072


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """What was stored. `row_count` and `columns` are None for files that are not a table."""

    manifest: Digest
    file_count: int
    size_bytes: int
    row_count: int | None
    columns: tuple[Column, ...] | None

    @property
    def is_table(self) -> bool:
        return self.columns is not None


def ingest(blobs: BlobStore, source: Path) -> Ingested:
    """Store a file or folder, and read it once as a table if its names say that it is one.

    Raises as `store_source` and `describe` do. What was stored by then is swept later.
    """
    return describe(blobs, store_source(blobs, source))


def store_source(
    blobs: BlobStore,
    source: Path,
    *,
    seen: SeenFolder | None = None,
    near: Mapping[str, Digest] | None = None,
) -> Manifest:
    """Store a file or folder; only what changed since `seen` is read, and only what differs from `near` is kept.

    Raises `NotFound` if there is nothing, `Conflict` if it changes meanwhile, `Invalid` for links inside folders, names
    that are not text, what may not be read, and folders that hold nothing.
    """
    try:
        is_folder = stat.S_ISDIR(source.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(f"there is no {source}", code="source_missing") from error
    except OSError as error:
        raise Invalid(f"{source} can't be read: {error.strerror}", code="unreadable") from error
    if is_folder:
        manifest = put_folder(blobs, source, seen=seen, near=near)
    else:
        manifest = put_alone(blobs, source, seen=seen, near=near)
    if not manifest.entries:
        raise Invalid(f"{source} holds no files", code="empty_folder")
    return manifest


def describe(blobs: BlobStore, manifest: Manifest) -> Ingested:
    """Store a manifest and read its files once, if they are a table.

    Raises `Invalid` for a table that can't be read, `Corrupt` for bytes that changed.
    """
    row_count, columns = None, None
    digest = put_manifest(blobs, manifest)
    if table_files(manifest) is not None:
        row_count, columns = read_through(blobs, digest)
    return Ingested(
        manifest=digest,
        file_count=len(manifest.entries),
        size_bytes=manifest.size_bytes,
        row_count=row_count,
        columns=columns,
    )


def ingest_frame(blobs: BlobStore, frame: "pl.DataFrame") -> Ingested:
    """Store a frame as one Parquet file; equal frames give equal bytes, hence the same manifest.

    Raises `Invalid` for a frame without columns, or with objects that Parquet can't hold.
    """
    if not frame.width:
        raise Invalid("the table has no columns", code="empty_table")
    data = _parquet(frame)
    entry = ManifestEntry(path="data.parquet", digest=blobs.put_bytes(data), size_bytes=len(data))
    return Ingested(
        manifest=put_manifest(blobs, Manifest(entries=(entry,))),
        file_count=1,
        size_bytes=entry.size_bytes,
        row_count=frame.height,
        columns=columns_of(frame.schema),
    )


def _parquet(frame: "pl.DataFrame") -> bytes:
    import polars as pl

    objects = [name for name, dtype in frame.schema.items() if dtype == pl.Object]
    if objects:
        raise Invalid(
            f"column {objects[0]!r} holds Python objects",
            code="unstorable_column",
            hint="Turn them into numbers, text, dates, lists or structs.",
        )
    buffer = BytesIO()
    # One chunk and a fixed row group, so that the bytes don't depend on how the frame came about.
    frame.rechunk().write_parquet(buffer, row_group_size=_ROW_GROUP)
    return buffer.getvalue()
