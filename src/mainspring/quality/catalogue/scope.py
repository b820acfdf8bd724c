"""The table that an expectation is asked of, as the entries of the catalogue see it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from mainspring.domain.data_type import DataType
from mainspring.domain.schema import Expectation
from mainspring.kernel.errors import Invalid
from mainspring.quality.compiled import (
    Judged,
    RowCheck,
    ValueCheck,
    rows_text,
    share_text,
)
from mainspring.quality.custom.code import LayOut, no_code
from mainspring.quality.custom.outcome import Outcome
from mainspring.quality.examples import shown
from mainspring.quality.expectations import literal, value_of

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import Profile

_OF_ONE_ROW = {
    "and", "or", "not", "in", "between", "then", "else", "when", "case",
    "abs", "cast", "ceil", "coalesce", "floor", "length", "lower", "nullif", "round", "trim", "upper",
}  # fmt: skip

Bound = int | float | str | None
Value = str | int | float | bool | None
IgnoreRow = Literal[
    "both_values_are_missing",
    "either_value_is_missing",
    "all_values_are_missing",
    "any_value_is_missing",
    "neither",
    "never",
]


def _no_other(name: str) -> "pl.LazyFrame":
    raise Invalid(f"no other tables are at hand to look {name!r} up", code="no_other_tables")


def _no_query(sql: str) -> "pl.DataFrame":
    raise Invalid("queries can't be run here", code="no_queries")


def _no_outcome(expectation: Expectation) -> Outcome:
    raise Invalid("checks of your own can't be run here", code="no_custom_checks")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What is around the table: other datasets by name, the version before it, its own profile, and the time.

    `compared_with` is what reports call the reference. `code` lays out the files of the schema's own checks; `custom` is what became of one of these, or of a query that
    finds failing rows.
    """

    other: "Callable[[str], pl.LazyFrame]" = _no_other
    reference: "Profile | None" = None
    compared_with: str = "the version before"
    profile: "Callable[[], Profile] | None" = None
    query: "Callable[[str], pl.DataFrame]" = _no_query
    now: datetime | None = None
    code: LayOut = no_code
    custom: Callable[[Expectation], Outcome] = _no_outcome

    def profiled(self, profile: "Profile | None") -> "Surroundings":
        """With the profile of the very table that is checked, if there is one."""
        return self if profile is None else replace(self, profile=lambda: profile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A table's columns, and of which rows is asked."""

    expectation: Expectation
    types: dict[str, DataType]
    dtypes: "pl.Schema"
    around: Surroundings = field(default_factory=Surroundings)

    @property
    def where(self) -> "pl.Expr | None":
        import polars as pl

        if self.expectation.where is None:
            return None
        return pl.sql_expr(self.expectation.where).fill_null(False)

    def type_of(self, column: str) -> DataType:
        if column not in self.types:
            raise Invalid(f"there is no column {column!r}", code="no_such_column")
        return self.types[column]

    def value(self, column: str) -> "pl.Expr":
        """A column's values; null where the row is not asked about."""
        import polars as pl

        value = value_of(column, self.type_of(column))
        where = self.where
        return value if where is None else pl.when(where).then(value)

    def present(self, column: str) -> "pl.Expr":
        """The values of a column that are there, in the rows that are asked about."""
        value = value_of(column, self.type_of(column))
        where = self.where
        return (value if where is None else value.filter(where)).drop_nulls()

    def text(self, column: str) -> "pl.Expr":
        """A column's values as text."""
        import polars as pl

        if self.type_of(column) is DataType.OTHER:
            raise Invalid(f"{column!r} holds no text", code="not_text")
        value = self.value(column)
        return value if self.types[column] is DataType.STRING else value.cast(pl.String)

    def number(self, column: str) -> "pl.Expr":
        """A column's numbers that are there."""
        import polars as pl

        if not self.type_of(column).is_numeric and self.types[column] is not DataType.BOOLEAN:
            raise Invalid(
                f"{column!r} is {self.types[column].value}, not a number", code="not_numeric"
            )
        return self.present(column).cast(pl.Float64)

    def bound(self, column: str, bound: Bound) -> "pl.Expr":
        """A bound as the column's type reads it."""
        import polars as pl

        type_ = self.type_of(column)
        is_time = type_ in (DataType.DATE, DataType.DATETIME)
        if isinstance(bound, str) and is_time:
            try:
                return literal(bound, type_, self.dtypes[column])
            except ValueError as error:
                raise Invalid(
                    f"{bound!r} is no {type_.value}", code="bad_bound", hint="Write 2026-01-31."
                ) from error
        if isinstance(bound, str) is not (type_ is DataType.STRING):
            raise Invalid(
                f"{column!r} is {type_.value}; {bound!r} can't be compared with it",
                code="not_comparable",
            )
        return pl.lit(bound)

    def among(self, column: str, values: Sequence[Value]) -> "tuple[pl.Expr, pl.Series]":
        """A column's values and a set of values in one type, so that they can be looked up."""
        import polars as pl

        type_, value = self.type_of(column), self.value(column)
        if type_.is_numeric or type_ is DataType.BOOLEAN:
            numbers = [float(v) for v in values if isinstance(v, int | float)]
            return value.cast(pl.Float64), pl.Series(numbers, dtype=pl.Float64)
        texts = [v for v in values if isinstance(v, str)]
        if type_ in (DataType.DATE, DataType.DATETIME):
            dtype = self.dtypes[column]
            literals = [self.bound(column, text) for text in texts]
            frame = pl.select([each.alias(str(i)) for i, each in enumerate(literals)])
            return value, pl.Series([frame.item(0, i) for i in range(frame.width)], dtype=dtype)
        return value.cast(pl.String), pl.Series(texts, dtype=pl.String)

    def rows(
        self,
        columns: Sequence[str],
        violations: "pl.Expr",
        expected: str,
        *,
        considered: "pl.Expr | None" = None,
        everywhere: bool = False,
        alone: bool = True,
    ) -> RowCheck:
        """A check of rows: `everywhere`, where `considered`, or by default where its one column has a value.

        Not `alone` are violations that depend on other rows.
        """
        asked, where, count = self.expectation, self.where, None
        if everywhere:
            considered = where
        elif considered is None:
            value = self.value(columns[0])
            considered, count = value.is_not_null(), value.count()
        elif where is not None:
            considered = considered & where
        return RowCheck(
            check=asked.that,
            columns=tuple(columns),
            severity=asked.severity,
            expected=self._said(expected),
            violations=violations if considered is None else violations & considered,
            considered=considered,
            considered_count=count,
            max_share=1.0 - asked.mostly,
            observed=_unexpected,
            names_values=len(columns) == 1,
            name=asked.name,
            alone=alone and (asked.where is None or is_plain(asked.where)),
        )

    def table(
        self,
        measures: "Sequence[pl.Expr]",
        judge: Callable[..., Judged],
        expected: str,
        columns: Sequence[str] = (),
    ) -> ValueCheck:
        """A check of the whole table."""
        asked = self.expectation
        return ValueCheck(
            check=asked.that,
            columns=tuple(columns),
            severity=asked.severity,
            expected=self._said(expected),
            measures=tuple(measures),
            judge=judge,
            name=asked.name,
        )

    def _said(self, expected: str) -> str:
        asked = self.expectation
        if asked.mostly < 1:
            expected += f" in at least {share_text(asked.mostly)} of rows"
        return expected + (f", where {asked.where}" if asked.where else "")


def is_plain(condition: str) -> bool:
    """Whether an SQL condition surely judges each row by itself: no function but a few is called in it.

    >>> is_plain("fare > 1 AND (tip IS NULL OR lower(city) IN ('x'))"), is_plain("fare > avg(fare)")
    (True, False)
    """
    called = re.findall(r"([A-Za-z_]\w*)\s*\(", condition)
    return all(name.lower() in _OF_ONE_ROW for name in called)


def between(low: Bound, high: Bound, strict_low: bool = False, strict_high: bool = False) -> str:
    """A range in words.

    >>> between(0, None, strict_low=True)
    'more than 0'
    """
    parts = []
    if low is not None:
        parts.append(f"{'more than' if strict_low else 'at least'} {shown(low)}")
    if high is not None:
        parts.append(f"{'less than' if strict_high else 'at most'} {shown(high)}")
    return " and ".join(parts) or "anything"


def _unexpected(count: int, rows: int, summary: "pl.DataFrame | None") -> str:
    if not count:
        return f"all {rows_text(rows)} as expected" if rows else "no rows to speak of"
    return f"{rows_text(count)} of {rows:,} not so ({share_text(count / rows)})"
