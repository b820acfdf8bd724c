"""Checking a table in a database: measured by its own SQL, and read only where a check needs rows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Invalid
from mainspring.quality.profile import ColumnProfile, Moments, Profile
from mainspring.quality.sketches import Frequent
from mainspring.quality.texts import Texts

if TYPE_CHECKING:
    import polars as pl

    from mainspring.store.foreign_table import ForeignTable, Measures

_TYPES = {
    "boolean": DataType.BOOLEAN,
    "integer": DataType.INTEGER,
    "float": DataType.FLOAT,
    "text": DataType.STRING,
    "date": DataType.DATE,
    "datetime": DataType.DATETIME,
    "other": DataType.OTHER,
}


def open_database(
    url: str, *, table: str | None = None, query: str | None = None
) -> "tuple[Profile, pl.LazyFrame, ForeignTable]":
    """A table or a query's result as a profile, made in the database, and as a table that is read when it must be.

    The profile has no quantiles, so a distribution is judged from rows. A table without an order is read in whatever
    order the database gives, and should not change meanwhile. Raises as `ForeignTable.measure` does.
    """
    from mainspring.store.foreign import check_address
    from mainspring.store.foreign_table import ForeignTable

    # Errors and titles show the address.
    check_address(url)
    if (table is None) is (query is None):
        raise Invalid("a database is asked for one thing", hint="Give --table or --query.")
    foreign = ForeignTable(url=url, table=table, query=query)
    measured = foreign.measure()
    columns = tuple(
        _column(name, _TYPES[foreign.kinds[name]], foreign.row_count, measures)
        for name, measures in measured.items()
    )
    return Profile(row_count=foreign.row_count, columns=columns), _lazy(foreign), foreign


def _column(name: str, type_: DataType, row_count: int, found: "Measures") -> ColumnProfile:
    moments = None
    finite = row_count - found.null_count - found.nan_count - found.infinite_count
    if type_.is_numeric:
        moments = Moments(count=finite, mean=found.mean, squares=found.squares)
    texts = None
    if type_ is DataType.STRING:
        texts = Texts(shortest=found.shortest, longest=found.longest)
    return ColumnProfile(
        name=name,
        type=type_,
        row_count=row_count,
        null_count=found.null_count,
        nan_count=found.nan_count,
        infinite_count=found.infinite_count,
        minimum=_plain(found.low, type_),
        maximum=_plain(found.high, type_),
        moments=moments,
        frequent=None if found.counts is None else Frequent(counts=_values(found.counts, type_)),
        texts=texts,
    )


def _values(counts: dict[Any, int], type_: DataType) -> dict[Any, int]:
    if type_ is DataType.BOOLEAN:
        return {bool(value): count for value, count in counts.items()}
    return counts


def _plain(value: Any, type_: DataType) -> int | float | None:
    if value is None:
        return None
    return int(value) if type_ is DataType.INTEGER else float(value)


def _lazy(foreign: "ForeignTable") -> "pl.LazyFrame":
    import polars as pl
    from polars.io.plugins import register_io_source

    dtypes = {
        "boolean": pl.Boolean(),
        "integer": pl.Int64(),
        "float": pl.Float64(),
        "text": pl.String(),
        "date": pl.Date(),
        "datetime": pl.Datetime("us"),
        "other": pl.String(),
    }
    schema = pl.Schema({name: dtypes[kind] for name, kind in foreign.kinds.items()})

    def read(
        columns: list[str] | None,
        predicate: "pl.Expr | None",
        row_count: int | None,
        batch_size: int | None,
    ) -> "Iterator[pl.DataFrame]":
        wanted = list(schema) if columns is None else columns
        left = row_count
        # A query that needs no column still needs rows to count.
        asked = wanted or list(schema)[:1]
        for batch in foreign.rows(asked):
            frame = _frame(batch, {name: schema[name] for name in asked}).select(wanted)
            if left is not None:
                frame = frame.head(left)
                left -= frame.height
            yield frame if predicate is None else frame.filter(predicate)
            if left == 0:
                return

    return register_io_source(read, schema=schema)


def _frame(rows: list[tuple[Any, ...]], schema: "dict[str, pl.DataType]") -> "pl.DataFrame":
    import polars as pl

    columns = []
    for i, (name, dtype) in enumerate(schema.items()):
        values = [row[i] for row in rows]
        if dtype == pl.String:
            values = [
                value if value is None or isinstance(value, str) else str(value) for value in values
            ]
        elif dtype == pl.Float64:
            values = [None if value is None else float(value) for value in values]
        elif dtype == pl.Datetime:
            values = [_in_utc(value) for value in values]
        columns.append(pl.Series(name, values, dtype=dtype, strict=True))
    return pl.DataFrame(columns)


def _in_utc(value: Any) -> Any:
    from datetime import UTC

    if value is not None and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return value
