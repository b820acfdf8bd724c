"""SQL over a delivery and other datasets, by Polars: the same engine, types and nulls as every other check."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

ROW = "_row"
"""The number of a row of the delivery, from 0 on, in queries that find failing rows."""

_MOST_ROWS = 10_000
_TABLE = re.compile(r'(?i)\b(?:from|join)\s+"?([A-Za-z0-9_.-]+)"?')
_READS_FILES = re.compile(r"(?i)\bread_\w+\s*\(")


def run_query(
    sql: str, tables: "Mapping[str, pl.LazyFrame]", other: "Callable[[str], pl.LazyFrame]"
) -> "pl.DataFrame":
    """The first 10,000 rows that a query gives; tables that are not given are looked up by `other`.

    Raises `Invalid` for a query that fails, or that would read files of the machine it happens to run on.
    """
    import polars as pl

    try:
        return query_of(sql, tables, other).head(_MOST_ROWS).collect()
    except pl.exceptions.PolarsError as error:
        raise _failed(error) from error


def failing_rows(
    sql: str, table: "pl.LazyFrame", other: "Callable[[str], pl.LazyFrame]"
) -> "tuple[pl.Series | None, int]":
    """For each row of a table whether a query of `data` leaves it alone, if it tells; and how many rows it gives."""
    import polars as pl

    try:
        is_numbered = ROW not in table.collect_schema()
        data = table.with_row_index(ROW) if is_numbered else table
        found = query_of(sql, {"data": data}, other)
        if not (is_numbered and ROW in found.collect_schema()):
            return None, int(found.select(pl.len()).collect().item())
        numbers = found.select(pl.col(ROW)).unique().collect().to_series()
        count = int(table.select(pl.len()).collect().item())
    except pl.exceptions.PolarsError as error:
        raise _failed(error) from error
    is_good = pl.select(pl.repeat(True, count, dtype=pl.Boolean)).to_series()
    return is_good.scatter(numbers, False), numbers.len()


def query_of(
    sql: str, tables: "Mapping[str, pl.LazyFrame]", other: "Callable[[str], pl.LazyFrame]"
) -> "pl.LazyFrame":
    """A query, not run yet."""
    import polars as pl

    if _READS_FILES.search(sql):
        raise Invalid(
            "a query reads no files",
            code="bad_query",
            hint="Name other datasets; what they hold is the same everywhere.",
        )
    known = dict(tables)
    for name in set(_TABLE.findall(sql)) - known.keys() - _names_within(sql):
        known[name] = other(name)
    return pl.SQLContext(known).execute(sql)


def _names_within(sql: str) -> set[str]:
    """Names that a query itself gives to parts of it (`with x as (...)`)."""
    return set(re.findall(r'(?i)(?:\bwith|,)\s*"?([A-Za-z0-9_.-]+)"?\s+as\s*\(', sql))


def _failed(error: BaseException) -> Invalid:
    line = str(error).strip().split("\n")[0]
    return Invalid(f"the query fails: {line}", code="bad_query")
