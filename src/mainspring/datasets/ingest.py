"""Taking data in: files or a frame become stored bytes and a manifest."""

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import put_files, put_folder, put_manifest
from mainspring.datasets.tables import columns_of, read_through, table_files
from mainspring.domain.dataset import Column, Manifest, ManifestEntry
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Invalid, NotFound

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

    Raises `NotFound` if there is nothing, `Conflict` if it changes meanwhile, `Invalid` for tables that
    can't be read, links inside folders, and empty folders. What was stored by then is swept later.
    """
    if not source.exists():
        raise NotFound(f"there is no {source}", code="source_missing")
    try:
        before = _fingerprint(source)
        if source.is_dir():
            manifest = put_folder(blobs, source)
        else:
            manifest = put_files(blobs, source.parent, [source.name])
        after = _fingerprint(source)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _changed(source) from error
    except PermissionError as error:
        raise Invalid(f"{error.filename} can't be read: permission denied") from error
    if before != after:
        raise _changed(source)
    if not manifest.entries:
        raise Invalid(f"{source} holds no files", code="empty_folder")
    return _described(blobs, manifest)


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


def _described(blobs: BlobStore, manifest: Manifest) -> Ingested:
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


def _fingerprint(source: Path) -> dict[str, tuple[int, int, int]]:
    """Size, time of change and inode of every file, to see whether something wrote meanwhile."""
    if not source.is_dir():
        return {source.name: _stamp(source.stat())}
    return {
        str(path): _stamp(path.lstat())
        for folder, _folders, names in os.walk(source)
        for path in (Path(folder, name) for name in names)
    }


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_size, status.st_mtime_ns, status.st_ino)


def _changed(source: Path) -> Conflict:
    return Conflict(
        f"{source} changed while it was added",
        code="file_changed",
        hint="Add it again once nothing writes to it.",
    )
