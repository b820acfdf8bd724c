"""A table or query of somebody else's database, measured where it lies: aggregates in SQL, rows only when asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    FromClause,
    MetaData,
    Select,
    Table,
    and_,
    case,
    func,
    inspect,
    literal_column,
    or_,
    select,
    text,
    types,
)
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.store.foreign import asking, first_line

MOST_VALUES = 1_000
"""Of a column with no more different values than this, each is counted."""

_BATCH_ROWS = 50_000
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")
# Where texts that differ are never counted as one.
_EXACT_TEXT = ("sqlite", "postgresql", "duckdb")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What one column comes to. `squares` is the sum of squared deviations from the mean; `counts` of every value.

    `low`, `high`, `mean` and `squares` are of finite numbers; lengths are of texts, in characters.
    """

    null_count: int
    nan_count: int = 0
    infinite_count: int = 0
    low: float | int | None = None
    high: float | int | None = None
    mean: float = 0.0
    squares: float = 0.0
    shortest: int | None = None
    longest: int | None = None
    counts: dict[Any, int] | None = None


@dataclass(slots=True)
class ForeignTable:
    """A table, or what a query gives, with its columns' kinds: boolean, integer, float, text, date, datetime or other.

    Nothing is held between calls: each asks on a connection of its own. `reads` is what rows were asked for.
    """

    url: str
    table: str | None = None
    query: str | None = None
    kinds: dict[str, str] = field(default_factory=dict)
    row_count: int = 0
    reads: list[tuple[str, ...]] = field(default_factory=list)

    def measure(self) -> dict[str, Measures]:
        """Every column's measures and the number of rows: a few statements, whatever the number of columns.

        Raises `Invalid` for a query that the database refuses, `NotFound` for a table that it has not, `Unavailable` if it
        can't be asked.
        """
        with asking(self.url) as connection:
            try:
                source = self._source(connection)
                first = self._first(connection, source)
                return {
                    name: self._whole(connection, source, name, first[i])
                    for i, name in enumerate(self.kinds)
                }
            except SQLAlchemyError as error:
                raise Invalid(
                    f"the database refuses to measure it: {first_line(error)}", code="bad_query"
                ) from error

    def rows(self, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """The values of some columns, batch by batch, as the database streams them."""
        self.reads.append(tuple(columns))
        with asking(self.url) as connection:
            source = self._source(connection)
            wanted = select(*(source.c[name] for name in columns))
            streamed = connection.execution_options(yield_per=_BATCH_ROWS).execute(wanted)
            for batch in streamed.partitions():
                yield [tuple(row) for row in batch]

    def _source(self, connection: Connection) -> FromClause:
        if self.query is not None:
            head = connection.execute(text(f"SELECT * FROM ({self.query}) AS asked LIMIT 0"))
            names = list(head.keys())
            if not self.kinds:
                self.kinds = self._kinds_of_values(connection, names)
            columns = [Column(name, _TYPES[self.kinds[name]]) for name in names]
            return text(self.query).columns(*columns).subquery("asked")
        schema, _, name = str(self.table).rpartition(".")
        try:
            found = Table(name, MetaData(), schema=schema or None, autoload_with=connection)
        except NoSuchTableError as error:
            known = inspect(connection).get_table_names(schema=schema or None)
            raise NotFound(
                f"the database has no table {self.table!r}",
                code="no_such_table",
                hint=f"It has: {', '.join(sorted(known)[:20]) or 'none'}.",
            ) from error
        self.kinds = {str(c.name): _kind(c.type) for c in found.columns}
        return found

    def _kinds_of_values(self, connection: Connection, names: list[str]) -> dict[str, str]:
        """A query's columns have no declared types that all databases tell: its first rows show them."""
        sample = connection.execute(text(f"SELECT * FROM ({self.query}) AS asked LIMIT 1000"))
        rows = sample.fetchall()
        return {name: _kind_of([row[i] for row in rows]) for i, name in enumerate(names)}

    def _first(self, connection: Connection, source: FromClause) -> list[dict[str, Any]]:
        """All that one pass over the rows tells."""
        parts: list[Any] = [func.count().label("rows")]
        for i, (name, kind) in enumerate(self.kinds.items()):
            column = source.c[name]
            parts.append(func.count(column).label(f"{i}.present"))
            if kind in ("integer", "float"):
                value = _finite(connection, column, kind)
                parts += [
                    func.count(value).label(f"{i}.finite"),
                    func.min(value).label(f"{i}.low"),
                    func.max(value).label(f"{i}.high"),
                    func.avg(value * literal_column("1.0")).label(f"{i}.mean"),
                ]
                if _has_nan(connection, kind):
                    is_nan = case((_is(column, _NOT_FINITE[:1]), 1))
                    parts.append(func.count(is_nan).label(f"{i}.nan"))
            if kind == "text":
                length = _length(connection, column)
                parts += [
                    func.min(length).label(f"{i}.shortest"),
                    func.max(length).label(f"{i}.longest"),
                ]
            if _is_counted(connection, kind):
                parts.append(func.count(column.distinct()).label(f"{i}.distinct"))
        row = connection.execute(select(*parts).select_from(source)).mappings().one()
        self.row_count = int(row["rows"])
        found: list[dict[str, Any]] = [{} for _ in self.kinds]
        for key, value in row.items():
            place, _, what = str(key).partition(".")
            if what:
                found[int(place)][what] = value
        return found

    def _whole(
        self, connection: Connection, source: FromClause, name: str, first: dict[str, Any]
    ) -> Measures:
        kind, column = self.kinds[name], source.c[name]
        counts = None
        if first.get("distinct", MOST_VALUES + 1) <= MOST_VALUES:
            wanted = select(column, func.count()).where(column.is_not(None)).group_by(column)
            counts = {value: int(count) for value, count in connection.execute(wanted)}
        if kind not in ("integer", "float"):
            return Measures(
                null_count=self.row_count - int(first["present"]),
                shortest=first.get("shortest"),
                longest=first.get("longest"),
                counts=counts,
            )
        _check_numbers(name, first)
        nan_count = int(first.get("nan", 0))
        mean = float(first["mean"] or 0.0)
        return Measures(
            null_count=self.row_count - int(first["present"]),
            nan_count=nan_count,
            infinite_count=int(first["present"]) - int(first["finite"]) - nan_count,
            low=first["low"],
            high=first["high"],
            mean=mean,
            squares=self._squares(connection, source, column, kind, mean),
            counts=counts,
        )

    def _squares(
        self, connection: Connection, source: FromClause, column: Any, kind: str, mean: float
    ) -> float:
        # From the mean, in a second statement: sums of squares lose all digits where values are far from zero.
        apart = _finite(connection, column, kind) * literal_column("1.0") - mean
        found: Select[Any] = select(func.sum(apart * apart)).select_from(source)
        return float(connection.execute(found).scalar_one() or 0.0)


def _check_numbers(name: str, first: dict[str, Any]) -> None:
    for end in ("low", "high"):
        if isinstance(first[end], str | bytes):
            raise Invalid(
                f"column {name!r} is declared to hold numbers and holds {first[end]!r}",
                code="unreadable_table",
            )


def _finite(connection: Connection, column: Any, kind: str) -> Any:
    if not _has_nan(connection, kind):
        return column
    return case((and_(*(~_is(column, (word,)) for word in _NOT_FINITE)), column))


def _is(column: Any, words: Sequence[str]) -> Any:
    return or_(*(column == literal_column(f"'{word}'") for word in words))


def _has_nan(connection: Connection, kind: str) -> bool:
    return kind == "float" and connection.dialect.name == "postgresql"


def _length(connection: Connection, column: Any) -> Any:
    name = "length" if connection.dialect.name in ("sqlite", "duckdb") else "char_length"
    return getattr(func, name)(column)


def _is_counted(connection: Connection, kind: str) -> bool:
    if kind == "text":
        return connection.dialect.name in _EXACT_TEXT
    return kind in ("integer", "boolean")


_TYPES: dict[str, types.TypeEngine[Any]] = {
    "boolean": types.Boolean(),
    "integer": types.BigInteger(),
    "float": types.Double(),
    "text": types.Text(),
    "date": types.Date(),
    "datetime": types.DateTime(),
    "other": types.NullType(),
}


def _kind(type_: types.TypeEngine[Any]) -> str:
    for kind, known in (
        ("boolean", types.Boolean),
        ("integer", types.Integer),
        ("float", (types.Numeric, types.Float)),
        ("text", types.String),
        ("datetime", types.DateTime),
        ("date", types.Date),
    ):
        if isinstance(type_, known):
            return kind
    return "other"


def _kind_of(values: list[Any]) -> str:
    import datetime
    from decimal import Decimal

    seen = {type(value) for value in values if value is not None}
    if seen and seen <= {bool}:
        return "boolean"
    if seen and seen <= {int}:
        return "integer"
    if seen and seen <= {int, float, Decimal}:
        return "float"
    if seen == {datetime.datetime}:
        return "datetime"
    if seen == {datetime.date}:
        return "date"
    return "text" if seen <= {str} else "other"
