"""Tables as people have them at hand: files and frames of other libraries, read without a detour where there is one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mainspring.datasets.tables import format_of
from mainspring.kernel.errors import Invalid, NotFound

if TYPE_CHECKING:
    import polars as pl


def open_table(source: Any) -> "pl.LazyFrame":
    """A file, or a frame of Polars, pandas, Arrow or DuckDB, as a lazy table; `Any`, for these share no type.

    A Parquet file is read piece by piece rather than mapped into memory, so that it may be larger than what a
    process is allowed to address. Raises `NotFound` for a file that is not there, `Invalid` for what is no table.
    """
    import polars as pl

    if isinstance(source, str | Path):
        return _of_file(Path(source))
    if isinstance(source, pl.LazyFrame):
        return source
    if isinstance(source, pl.DataFrame):
        return source.lazy()
    if type(source).__module__.partition(".")[0] == "pandas":
        return _of_pandas(source).lazy()
    if hasattr(source, "__arrow_c_stream__"):
        # Arrow's tables and readers, relations of DuckDB, and whatever else speaks its interface.
        return pl.DataFrame(_Stream(source)).lazy()
    raise Invalid(
        f"a {type(source).__name__} is no table",
        code="not_a_table",
        hint="Give a path, or a frame of Polars, pandas, Arrow or DuckDB.",
    )


class _Stream:
    """Nothing but Arrow's interface of something, so that no other way to read it is tried."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._source.__arrow_c_stream__(requested_schema)


def _of_pandas(frame: Any) -> "pl.DataFrame":
    """Column by column, which needs no other library; its many kinds of nothing become null."""
    import polars as pl

    columns = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind in "biuf":
            columns[str(name)] = pl.Series(column.to_numpy(), nan_to_null=True)
        elif column.dtype.kind == "M" and getattr(column.dtype, "tz", None) is None:
            columns[str(name)] = pl.Series(column.to_numpy())
        else:
            values = [
                None if is_null else v for v, is_null in zip(column, column.isna(), strict=True)
            ]
            columns[str(name)] = pl.Series(values, strict=False)
    return pl.DataFrame(columns)


def _of_file(path: Path) -> "pl.LazyFrame":
    import polars as pl

    if not path.exists():
        raise NotFound(f"there is no {path}", code="source_missing")
    match format_of(path.name):
        case "parquet":
            return pl.scan_parquet(f"file://{quote(str(path.resolve()))}")
        case "csv" | "tsv" as kind:
            separator = "\t" if kind == "tsv" else ","
            return pl.scan_csv(
                path, separator=separator, infer_schema_length=None, try_parse_dates=True
            )
        case "json lines":
            return pl.scan_ndjson(path, infer_schema_length=None)
    raise Invalid(
        f"{path.name} is no table",
        code="not_a_table",
        hint="A table is Parquet, CSV, TSV or JSON lines.",
    )
