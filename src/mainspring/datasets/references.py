"""Versions that are pinned references: where the data lies, which state of it, and what it then was.

A reference is a small JSON file in a version's manifest; reading the version reads the source and compares it with
what was recorded, so that it is either the same data or a clear error.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import msgspec

from mainspring.blobs.port import BlobStore
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.codec import canonical, decode
from mainspring.kernel.digests import Digest, digest_stream
from mainspring.kernel.errors import Conflict, Corrupt, Invalid, NotFound

if TYPE_CHECKING:
    import polars as pl
    from deltalake import DeltaTable

ENDING = ".msref"


class DeltaReference(msgspec.Struct, frozen=True, kw_only=True, tag="delta"):
    """A version of a Delta Lake table in a folder, with the digest of each of its files."""

    location: str
    version: int
    files: dict[str, Digest]


class SqlReference(msgspec.Struct, frozen=True, kw_only=True, tag="sql"):
    """The result of a query. `digest` is of its rows in whatever order; `url` holds no password."""

    url: str
    query: str
    row_count: int
    digest: str


Reference = DeltaReference | SqlReference


def put_reference(blobs: BlobStore, reference: Reference) -> Manifest:
    """Store a reference as the only file of a version."""
    data = canonical(reference)
    kind = "delta" if isinstance(reference, DeltaReference) else "sql"
    entry = ManifestEntry(
        path=f"{kind}{ENDING}", digest=blobs.put_bytes(data), size_bytes=len(data)
    )
    return Manifest(entries=(entry,))


def read_reference(data: bytes) -> Reference:
    """A stored reference; raises `Corrupt` for what is none."""
    try:
        return decode(data, Reference, what="reference")  # type: ignore[arg-type]  # a union is no type
    except Invalid as error:
        raise Corrupt(f"this is not a pinned reference: {error.message}") from error


def scan_reference(reference: Reference) -> "pl.LazyFrame":
    """The table that a reference names, after its source was found to be as it was.

    Raises `NotFound` if the source is gone, `Conflict` if it is not what was recorded.
    """
    if isinstance(reference, DeltaReference):
        _check_delta(reference)
        return _scan_delta(reference)
    from mainspring.store.foreign import fetch

    frame = fetch(reference.url, reference.query)
    if (frame.height, digest_of_rows(frame)) != (reference.row_count, reference.digest):
        raise Conflict(
            f"the query gives other rows than when it was pinned ({frame.height:,} now, "
            f"{reference.row_count:,} then)",
            code="source_moved",
            hint="The tables behind it changed. Pin it again as the next version.",
        )
    return frame.lazy()


def pin_delta(location: str, version: int | None = None) -> DeltaReference:
    """Pin a version of a Delta Lake table, the newest unless one is given.

    Raises `NotFound` if there is no such table or version, `Invalid` for tables that are not in a local folder or
    use deletion vectors.
    """
    import polars as pl

    root = _local(location)
    table = _delta_table(root, version)
    if pl.DataFrame(table.deletion_vectors()).height:
        raise Invalid(
            f"{root} marks rows as deleted without rewriting its files",
            code="deletion_vectors",
            hint="`OPTIMIZE` it, or turn delta.enableDeletionVectors off and rewrite it.",
        )
    files = {name: _digest(root / name) for name in _files(table)}
    return DeltaReference(location=str(root), version=table.version(), files=files)


def pin_sql(url: str, query: str) -> SqlReference:
    """Pin the result of a query; raises `Invalid` for an address with a password in it, or a query that fails."""
    from mainspring.store.foreign import check_address, fetch

    check_address(url)
    frame = fetch(url, query)
    return SqlReference(url=url, query=query, row_count=frame.height, digest=digest_of_rows(frame))


def digest_of_rows(frame: "pl.DataFrame") -> str:
    """A digest of a table's columns and rows, the same for every order of the rows.

    The sum of the rows' SHA-256, so a row that is there twice counts twice.
    """
    head = msgspec.json.encode([(name, str(dtype)) for name, dtype in frame.schema.items()])
    total = int.from_bytes(hashlib.sha256(head).digest())
    encode = msgspec.json.Encoder(enc_hook=str).encode
    for row in frame.iter_rows():
        total += int.from_bytes(hashlib.sha256(encode(row)).digest())
    return f"rows-sha256:{total % (1 << 256):064x}"


def _check_delta(reference: DeltaReference) -> None:
    root = Path(reference.location)
    for name, digest in reference.files.items():
        try:
            found = _digest(root / name)
        except FileNotFoundError:
            raise NotFound(
                f"version {reference.version} of the Delta table {root} has lost {name}",
                code="source_moved",
                hint="Was the table moved or vacuumed? Pin a version that is still there.",
            ) from None
        if found != digest:
            raise Conflict(
                f"{root / name} is not what it was when version {reference.version} was pinned",
                code="source_moved",
                hint="Something wrote into the table's files. Restore them, or pin it again.",
            )


def _scan_delta(reference: DeltaReference) -> "pl.LazyFrame":
    import polars as pl

    # Opened for its errors; what it lists was checked above.
    table = _delta_table(Path(reference.location), reference.version)
    if set(_files(table)) != set(reference.files):
        raise Conflict(
            f"version {reference.version} of the Delta table {reference.location} lists other files "
            "than when it was pinned",
            code="source_moved",
            hint="The table was made anew. Pin it again.",
        )
    return pl.scan_delta(reference.location, version=reference.version)


def _delta_table(root: Path, version: int | None) -> "DeltaTable":
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError
    except ImportError as error:
        raise Invalid(
            "Delta Lake tables need a library that is not installed",
            code="missing_extra",
            hint="Install mainspring[delta].",
        ) from error
    try:
        return DeltaTable(str(root), version=version)
    except (TableNotFoundError, DeltaError, FileNotFoundError) as error:
        which = "" if version is None else f", or no version {version} of it"
        raise NotFound(
            f"there is no Delta table at {root}{which}: {str(error).splitlines()[0][:200]}",
            code="source_moved",
        ) from error


def _local(location: str) -> Path:
    plain = location.removeprefix("file://")
    if "://" in plain:
        raise Invalid(
            f"{location} is not a folder on this machine",
            code="not_local",
            hint="Delta tables are pinned where they are mounted.",
        )
    root = Path(plain).resolve()
    if quote(str(root)) != str(root):
        # The library that reads them doesn't find the files of others.
        raise Invalid(
            f"{root} has characters in its name that stand for others in addresses",
            code="bad_path",
            hint="Take a folder whose path is of plain letters, digits, `_`, `.` and `-`.",
        )
    return root


def _files(table: "DeltaTable") -> list[str]:
    """The files of a table's version by their paths below it; its log tells them as parts of an address."""
    import polars as pl

    found = sorted(pl.DataFrame(table.get_add_actions()).get_column("path").to_list())
    if foreign := [path for path in found if "://" in path]:
        raise Invalid(
            f"the table's log names a file outside of it: {foreign[0]}",
            code="not_local",
            hint="A shallow clone can't be pinned; pin the table that it was made from, or copy it whole.",
        )
    return [unquote(path) for path in found]


def _digest(path: Path) -> Digest:
    with path.open("rb") as stream:
        return digest_stream(stream)
