"""Reading a table as of a moment: the rows that were so by then, with the labels that were known.

Times without a zone are taken as UTC, dates as their first moment. Equal times count as known.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mainspring.domain.times import Times
from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    import polars as pl


def as_of(table: "pl.LazyFrame", times: Times, at: datetime) -> "pl.LazyFrame":
    """The rows whose event time is not after `at`, with every label gone that became known later.

    A row without an event time is left out, a label without a time of its own is not known, and neither is when a
    label will be known. Raises `Invalid` for columns that are not there or tell no time.
    """
    import polars as pl

    if times.event_time is not None:
        table = table.filter(_is_by(table, times.event_time, at))
    if times.label_at is not None:
        is_known = _is_by(table, times.label_at, at)
        schema = table.collect_schema()
        late = [name for name in (*times.labels, times.label_at) if name in schema]
        table = table.with_columns(
            pl.when(is_known).then(pl.col(name)).otherwise(None).alias(name) for name in late
        )
    return table


def time_type(table: "pl.LazyFrame", column: str) -> Any:
    """The type of a column that tells times; raises `Invalid` for any other. `Any`: a date's or time's own."""
    import polars as pl

    schema = table.collect_schema()
    if column not in schema:
        raise Invalid(
            f"there is no column {column!r}, which is to tell the time",
            code="bad_times",
            hint=f"There are: {', '.join(schema.names())}.",
        )
    dtype = schema[column]
    if dtype != pl.Date and not isinstance(dtype, pl.Datetime):
        raise Invalid(
            f"column {column!r} is {dtype}, which tells no time",
            code="bad_times",
            hint="Keep it as dates or times; in CSV write them as 2026-01-31T12:00:00.",
        )
    return dtype


def _is_by(table: "pl.LazyFrame", column: str, at: datetime) -> "pl.Expr":
    """Whether a column's time is not after a moment; null where it has none."""
    import polars as pl

    dtype = time_type(table, column)
    moment = at.astimezone(UTC)
    if dtype == pl.Date:
        return pl.col(column) <= pl.lit(moment.date())
    if dtype.time_zone is None:
        return pl.col(column) <= pl.lit(moment.replace(tzinfo=None), pl.Datetime("us"))
    # Both ends of the comparison are moments, in whatever zone they are told.
    return pl.col(column).dt.convert_time_zone("UTC") <= pl.lit(moment, pl.Datetime("us", "UTC"))
