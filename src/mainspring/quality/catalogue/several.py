"""Expectations of several columns in each row."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import IgnoreRow, Scope, Value, is_plain
from mainspring.quality.compiled import RowCheck
from mainspring.quality.examples import shown
from mainspring.quality.expectations import value_of

if TYPE_CHECKING:
    import polars as pl


@entry
def column_pair_values_a_to_be_greater_than_b(
    scope: Scope,
    *,
    column_A: str,
    column_B: str,
    or_equal: bool | None = None,
    ignore_row_if: IgnoreRow = "both_values_are_missing",
) -> RowCheck:
    """One column is greater than another in every row."""
    a, b = _pair(scope, column_A, column_B)
    is_so = (a >= b) if or_equal else (a > b)
    said = f"{column_A} {'at least' if or_equal else 'more than'} {column_B}"
    return _rows(scope, [column_A, column_B], ~is_so.fill_null(False), said, ignore_row_if)


@entry
def column_pair_values_to_be_equal(
    scope: Scope,
    *,
    column_A: str,
    column_B: str,
    ignore_row_if: IgnoreRow = "both_values_are_missing",
) -> RowCheck:
    """Two columns are equal in every row."""
    a, b = _pair(scope, column_A, column_B)
    violations = ~(a == b).fill_null(False)
    return _rows(scope, [column_A, column_B], violations, f"{column_A} = {column_B}", ignore_row_if)


@entry
def column_pair_values_to_be_in_set(
    scope: Scope,
    *,
    column_A: str,
    column_B: str,
    value_pairs_set: list[tuple[Value, Value]],
    ignore_row_if: IgnoreRow = "both_values_are_missing",
) -> RowCheck:
    """The values of two columns are one of a set of pairs in every row."""
    import polars as pl

    a, b = _value(scope, column_A), _value(scope, column_B)
    known = pl.lit(False)
    for one, other in value_pairs_set:
        known = known | (_is(scope, column_A, a, one) & _is(scope, column_B, b, other))
    said = f"one of {len(value_pairs_set)} pairs"
    return _rows(scope, [column_A, column_B], ~known, said, ignore_row_if)


@entry
def compound_columns_to_be_unique(
    scope: Scope, *, column_list: list[str], ignore_row_if: IgnoreRow = "all_values_are_missing"
) -> RowCheck:
    """No two rows are alike in some columns; every row of those that are is a violation."""
    import polars as pl

    considered = _considered(scope, column_list, ignore_row_if)
    key = pl.struct([value_of(name, scope.type_of(name)).alias(name) for name in column_list])
    for asked in (considered, scope.where):
        key = key if asked is None else pl.when(asked).then(key)
    said = f"no two rows alike in {', '.join(column_list)}"
    check = _rows(scope, column_list, key.is_duplicated(), said, ignore_row_if)
    return replace(check, alone=False)


@entry
def multicolumn_sum_to_equal(
    scope: Scope,
    *,
    column_list: list[str],
    sum_total: float,
    ignore_row_if: IgnoreRow = "all_values_are_missing",
) -> RowCheck:
    """Some columns add up to a number in every row."""
    import polars as pl

    for name in column_list:
        if not scope.type_of(name).is_numeric:
            raise Invalid(f"{name!r} is {scope.types[name].value}, not a number")
    total = pl.sum_horizontal([_value(scope, name) for name in column_list], ignore_nulls=False)
    violations = ~(total == sum_total).fill_null(False)
    said = f"{' + '.join(column_list)} = {shown(sum_total)}"
    return _rows(scope, column_list, violations, said, ignore_row_if)


@entry
def multicolumn_values_to_be_equal(
    scope: Scope, *, column_list: list[str], ignore_row_if: IgnoreRow = "all_values_are_missing"
) -> RowCheck:
    """Some columns have one and the same value in every row."""
    import polars as pl

    first = _value(scope, column_list[0])
    alike = [first.eq_missing(_value(scope, name)) for name in column_list[1:]] or [pl.lit(True)]
    said = f"{' = '.join(column_list)}"
    return _rows(scope, column_list, ~pl.all_horizontal(alike), said, ignore_row_if)


@entry
def select_column_values_to_be_unique_within_record(
    scope: Scope, *, column_list: list[str], ignore_row_if: IgnoreRow = "all_values_are_missing"
) -> RowCheck:
    """Some columns have different values in every row."""
    import polars as pl

    values = [_value(scope, name) for name in column_list]
    alike = [
        one.eq_missing(other) for i, one in enumerate(values) for other in values[i + 1 :]
    ] or [pl.lit(False)]
    said = f"different values in {', '.join(column_list)}"
    return _rows(scope, column_list, pl.any_horizontal(alike), said, ignore_row_if)


@entry
def rows_to_satisfy(scope: Scope, *, condition: str, columns: list[str] | None = None) -> RowCheck:
    """A condition in SQL holds in every row where it can be told."""
    import polars as pl

    try:
        expression = pl.sql_expr(condition)
    except pl.exceptions.PolarsError as error:
        raise Invalid(f"{condition!r} is no condition: {error}", code="bad_condition") from error
    named = [name for name in scope.types if name in expression.meta.root_names()]
    for name in expression.meta.root_names():
        scope.type_of(name)
    return scope.rows(
        columns or named,
        ~expression,
        condition,
        considered=expression.is_not_null(),
        alone=is_plain(condition),
    )


def _rows(
    scope: Scope,
    columns: list[str],
    violations: "pl.Expr",
    expected: str,
    ignore_row_if: IgnoreRow,
) -> RowCheck:
    considered = _considered(scope, columns, ignore_row_if)
    everywhere = considered is None
    return scope.rows(columns, violations, expected, considered=considered, everywhere=everywhere)


def _considered(scope: Scope, columns: Sequence[str], ignore_row_if: IgnoreRow) -> "pl.Expr | None":
    """The rows that are not ignored; None if none is."""
    import polars as pl

    missing = [_value(scope, name).is_null() for name in columns]
    match ignore_row_if:
        case "both_values_are_missing" | "all_values_are_missing":
            return ~pl.all_horizontal(missing)
        case "either_value_is_missing" | "any_value_is_missing":
            return ~pl.any_horizontal(missing)
        case _:
            return None


def _value(scope: Scope, column: str) -> "pl.Expr":
    return value_of(column, scope.type_of(column))


def _pair(scope: Scope, one: str, other: str) -> "tuple[pl.Expr, pl.Expr]":
    types = scope.type_of(one), scope.type_of(other)
    alike = types[0] is types[1] or all(t.is_numeric or t is DataType.BOOLEAN for t in types)
    if not alike and not all(t in (DataType.DATE, DataType.DATETIME) for t in types):
        raise Invalid(f"{one!r} is {types[0].value} and {other!r} is {types[1].value}")
    return _value(scope, one), _value(scope, other)


def _is(scope: Scope, column: str, value: "pl.Expr", wanted: Value) -> "pl.Expr":
    import polars as pl

    if wanted is None:
        return value.is_null()
    is_text = scope.type_of(column) is DataType.STRING
    if isinstance(wanted, str) and not is_text:
        return (value == scope.bound(column, wanted)).fill_null(False)
    if is_text is not isinstance(wanted, str):
        return pl.lit(False)
    return (value == wanted).fill_null(False)
