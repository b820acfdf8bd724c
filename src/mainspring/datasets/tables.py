"""Reading a version's files as one table: Parquet, CSV or JSON lines, alone or a folder of one kind.

Files whose names start with `.` or `_` are markers of other tools (`_SUCCESS`, `.crc`) and are no part of a
table. What the bytes of a file mean is told by its name alone, so the same tree always reads the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import read_manifest
from mainspring.datasets.references import ENDING, read_reference, scan_reference
from mainspring.domain.data_type import DataType
from mainspring.domain.dataset import Column, Manifest, ManifestEntry
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

FORMATS = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".csv.zst": "csv",
    ".tsv": "tsv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ENDING: "reference",
}
"""What each ending of a file name says about its content."""

_ONE_KIND = (
    "A table is Parquet, CSV, TSV or JSON lines: one file, or a folder of files of one kind."
)


def format_of(path: str) -> str | None:
    """The kind of table that a file's name promises, or None.

    >>> format_of("2011/rides.CSV.gz"), format_of("photo.png")
    ('csv', None)
    """
    name = PurePosixPath(path).name.lower()
    return next((kind for ending, kind in FORMATS.items() if name.endswith(ending)), None)


def table_files(manifest: Manifest) -> tuple[ManifestEntry, ...] | None:
    """The files that make up the tree's one table, or None if it is a tree of other files.

    Raises `Invalid` for tables of different kinds side by side.
    """
    entries = tuple(
        entry
        for entry in manifest.entries
        if not any(part[0] in "._" for part in PurePosixPath(entry.path).parts)
    )
    kinds = {format_of(entry.path) for entry in entries}
    if not entries or None in kinds:
        return None
    if len(kinds) > 1:
        raise Invalid(
            f"the folder mixes {' and '.join(sorted(str(kind) for kind in kinds))} files",
            code="mixed_formats",
            hint="Keep one kind, or add each table as a dataset of its own.",
        )
    return entries


def scan(blobs: BlobStore, manifest: Digest) -> "pl.LazyFrame":
    """The table in a tree, to be read lazily; every file's bytes are verified first.

    Raises `Invalid` if the tree is not a table or can't be read as one, `Corrupt` for damaged bytes.
    """
    entries = table_files(read_manifest(blobs, manifest))
    if entries is None:
        raise Invalid("this is not a table", code="not_a_table", hint=_ONE_KIND)
    for entry in entries:
        if entry.size_bytes == 0:
            raise Invalid(f"{entry.path} is empty", code="empty_file", where=entry.path)
        blobs.verify(entry.digest)
    frame = _scan(blobs, entries)
    try:
        schema = frame.collect_schema()
    except _polars_errors() as error:
        raise _unreadable(error, entries) from error
    if not schema:
        raise Invalid("the table has no columns", code="empty_table", hint=_ONE_KIND)
    return frame


def read_through(blobs: BlobStore, manifest: Digest) -> tuple[int, tuple[Column, ...]]:
    """Read every value of a table once, to know that it can be read; its row count and columns.

    Raises as `scan` does, and names the file that is to blame where there are several.
    """
    try:
        return _read_through(scan(blobs, manifest))
    except Invalid as error:
        entries = table_files(read_manifest(blobs, manifest)) or ()
        if error.code == "unreadable_table" and len(entries) > 1:
            for entry in entries:
                try:
                    _read_through(_scan(blobs, (entry,)))
                except Invalid as closer:
                    closer.where = entry.path
                    raise closer from error
        raise


def _read_through(frame: "pl.LazyFrame") -> tuple[int, tuple[Column, ...]]:
    import polars as pl

    # Counting nulls reads every value, which counting rows alone does not.
    counts = collected(frame.select(pl.len().alias("#"), pl.all().null_count().name.prefix(".")))
    return int(counts["#"].item()), columns_of(frame.collect_schema())


def read_table(blobs: BlobStore, manifest: Digest) -> "pl.DataFrame":
    """The table in a tree, in memory; raises as `scan` does."""
    frame = scan(blobs, manifest)
    return collected(frame)


def collected(frame: "pl.LazyFrame") -> "pl.DataFrame":
    """Run a query on a scanned table; raises `Invalid` where its files turn out to be unreadable."""
    with reading_clearly():
        return frame.collect(engine="streaming")


@contextmanager
def reading_clearly() -> Iterator[None]:
    """Turn what Polars raises while it reads stored files into `Invalid`."""
    try:
        yield
    except _polars_errors() as error:
        raise _unreadable(error) from error


def columns_of(schema: "pl.Schema") -> tuple[Column, ...]:
    """A table's columns in Mainspring's own types; raises `Invalid` for a name that would stand for others."""
    for name in schema.names():
        if name == "*" or (name.startswith("^") and name.endswith("$")):
            raise Invalid(
                f"a column is called {name!r}, which stands for several columns in every query",
                code="bad_column_name",
                hint="Rename it before the table is added.",
            )
    return tuple(Column(name=name, type=data_type(dtype)) for name, dtype in schema.items())


def data_type(dtype: "pl.DataType | Any") -> DataType:
    """The type that a schema or signature gives to a Polars column."""
    import polars as pl

    if dtype.is_integer():
        return DataType.INTEGER
    if dtype.is_float() or dtype.is_decimal():
        return DataType.FLOAT
    if dtype == pl.Boolean:
        return DataType.BOOLEAN
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return DataType.STRING
    if dtype == pl.Date:
        return DataType.DATE
    if dtype == pl.Datetime:
        return DataType.DATETIME
    return DataType.OTHER


def _scan(blobs: BlobStore, entries: tuple[ManifestEntry, ...]) -> "pl.LazyFrame":
    if format_of(entries[0].path) == "reference":
        return _scan_reference(blobs, entries)
    return _scan_kind(
        format_of(entries[0].path), [_source(blobs, entry.digest) for entry in entries]
    )


def _scan_reference(blobs: BlobStore, entries: tuple[ManifestEntry, ...]) -> "pl.LazyFrame":
    if len(entries) > 1:
        raise Invalid(
            "a version has one pinned reference, not several", code="mixed_formats", hint=_ONE_KIND
        )
    return scan_reference(read_reference(blobs.read(entries[0].digest)))


def _source(blobs: BlobStore, digest: Digest) -> Any:
    if isinstance(blobs, LocalBlobs):
        return blobs.path_of(digest)
    return BytesIO(blobs.read(digest))


def _scan_kind(kind: str | None, sources: list[Any]) -> "pl.LazyFrame":
    import polars as pl

    # Types are inferred from all rows: from the first hundred, a late fraction makes the file unreadable.
    match kind:
        case "parquet":
            return pl.scan_parquet(sources, glob=False)
        case "csv" | "tsv":
            return pl.scan_csv(
                sources,
                separator="\t" if kind == "tsv" else ",",
                glob=False,
                infer_schema_length=None,
                infer_schema_files=len(sources),
                try_parse_dates=True,
            )
        case _:
            return pl.scan_ndjson(sources, infer_schema_length=None)


def _polars_errors() -> tuple[type[BaseException], ...]:
    import polars as pl

    # Some damaged files make its reader panic, which is no PolarsError.
    return (pl.exceptions.PolarsError, pl.exceptions.PanicException)


def _unreadable(error: BaseException, entries: tuple[ManifestEntry, ...] = ()) -> Invalid:
    first = str(error).strip().split("\n")[0]
    return Invalid(
        f"the table can't be read: {first}",
        code="unreadable_table",
        where=entries[0].path if len(entries) == 1 else None,
        hint="Its file may be cut short, of another kind than its name says, or its files may differ "
        "in their columns.",
    )
