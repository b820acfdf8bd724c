"""Expectations of every value of a column. A missing value is asked nothing but whether it may be missing."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Invalid
from mainspring.quality import profiled
from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import Bound, Scope, Value, between
from mainspring.quality.compiled import RowCheck
from mainspring.quality.examples import shown
from mainspring.quality.expectations import value_of

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import ColumnProfile


@entry
def column_values_to_not_be_null(scope: Scope, *, column: str) -> RowCheck:
    """Every row has a value."""
    violations = _raw(scope, column).is_null()
    check = scope.rows([column], violations, "a value", everywhere=True)
    return _profiled(scope, check, profiled.missing_count)


@entry
def column_values_to_be_null(scope: Scope, *, column: str) -> RowCheck:
    """No row has a value."""
    violations = _raw(scope, column).is_not_null()
    check = scope.rows([column], violations, "no value", everywhere=True)
    return _profiled(scope, check, profiled.present_count)


@entry
def column_values_to_be_unique(scope: Scope, *, column: str) -> RowCheck:
    """No value occurs twice; every row of one that does is a violation."""
    value = scope.value(column)
    return scope.rows(
        [column],
        value.is_duplicated(),
        "no value twice",
        alone=False,
    )


@entry
def column_values_to_be_in_set(scope: Scope, *, column: str, value_set: list[Value]) -> RowCheck:
    """Every value is one of a set."""
    value, known = scope.among(column, value_set)
    return scope.rows(
        [column],
        ~value.is_in(known.implode()),
        f"one of {_listed(value_set)}",
    )


@entry
def column_values_to_not_be_in_set(
    scope: Scope, *, column: str, value_set: list[Value]
) -> RowCheck:
    """No value is one of a set."""
    value, known = scope.among(column, value_set)
    return scope.rows(
        [column],
        value.is_in(known.implode()),
        f"none of {_listed(value_set)}",
    )


@entry
def column_values_to_be_between(
    scope: Scope,
    *,
    column: str,
    min_value: Bound = None,
    max_value: Bound = None,
    strict_min: bool = False,
    strict_max: bool = False,
) -> RowCheck:
    """Every value lies in a range, whose ends belong to it unless they are strict."""
    import polars as pl

    if min_value is None and max_value is None:
        raise Invalid("a range needs min_value, max_value or both", code="no_range")
    value, violations = scope.value(column), pl.lit(False)
    if min_value is not None:
        low = scope.bound(column, min_value)
        violations = violations | ((value <= low) if strict_min else (value < low))
    if max_value is not None:
        high = scope.bound(column, max_value)
        violations = violations | ((value >= high) if strict_max else (value > high))
    said = between(min_value, max_value, strict_min, strict_max)
    check = scope.rows([column], violations, said)
    if isinstance(min_value, str) or isinstance(max_value, str):
        return check
    within = profiled.none_beyond(
        min_value, max_value, strict_low=strict_min, strict_high=strict_max
    )
    return _profiled(scope, check, within)


@entry
def column_values_to_be_increasing(
    scope: Scope, *, column: str, strictly: bool | None = None
) -> RowCheck:
    """No value lies below the one before it; strictly, none equals it either."""
    value = scope.value(column)
    before = value.forward_fill().shift(1)
    said = "each value above the one before" if strictly else "no value below the one before"
    return scope.rows(
        [column],
        (value <= before) if strictly else (value < before),
        said,
        alone=False,
    )


@entry
def column_values_to_be_decreasing(
    scope: Scope, *, column: str, strictly: bool | None = None
) -> RowCheck:
    """No value lies above the one before it; strictly, none equals it either."""
    value = scope.value(column)
    before = value.forward_fill().shift(1)
    said = "each value below the one before" if strictly else "no value above the one before"
    return scope.rows(
        [column],
        (value >= before) if strictly else (value > before),
        said,
        alone=False,
    )


@entry
def column_values_to_not_be_outliers(
    scope: Scope, *, column: str, method: str = "iqr", multiplier: float = 1.5
) -> RowCheck:
    """No value lies far outside: `iqr` by quartiles, `std` by deviations, `mad` by the robust z-score."""
    import polars as pl

    present = scope.number(column)
    value = scope.value(column).cast(pl.Float64)
    match method:
        case "iqr":
            low, high = present.quantile(0.25, "linear"), present.quantile(0.75, "linear")
            reach = multiplier * (high - low)
            violations = (value < low - reach) | (value > high + reach)
        case "std":
            violations = _far(value, present.mean(), multiplier * present.std())
        case "mad":
            # 1.4826 makes it the deviation where values are normal (Iglewicz and Hoaglin 1993).
            apart = (present - present.median()).abs().median()
            violations = _far(value, present.median(), multiplier * 1.4826 * apart)
        case _:
            raise Invalid(f"there is no method {method!r}; there are iqr, std and mad")
    return scope.rows(
        [column],
        violations,
        f"no value far outside ({method}, {shown(multiplier)})",
        alone=False,
    )


@entry
def column_value_z_scores_to_be_less_than(
    scope: Scope, *, column: str, threshold: float, double_sided: bool
) -> RowCheck:
    """Every value is fewer deviations from the mean than a threshold."""
    import polars as pl

    present = scope.number(column)
    value = scope.value(column).cast(pl.Float64)
    score = (value - present.mean()) / present.std()
    score = pl.when(present.std() > 0).then(score)
    violations = score.abs() >= abs(threshold) if double_sided else score >= threshold
    return scope.rows(
        [column],
        violations,
        f"a z-score below {shown(threshold)}",
        alone=False,
    )


@entry
def column_value_lengths_to_be_between(
    scope: Scope,
    *,
    column: str,
    min_value: float | None = None,
    max_value: float | None = None,
    strict_min: bool = False,
    strict_max: bool = False,
) -> RowCheck:
    """Every text has so many characters."""
    import polars as pl

    if min_value is None and max_value is None:
        raise Invalid("a range needs min_value, max_value or both", code="no_range")
    text = _text(scope, column)
    length = text.str.len_chars().cast(pl.Float64)
    violations = pl.lit(False)
    if min_value is not None:
        violations = violations | ((length <= min_value) if strict_min else (length < min_value))
    if max_value is not None:
        violations = violations | ((length >= max_value) if strict_max else (length > max_value))
    said = f"{between(min_value, max_value, strict_min, strict_max)} characters"
    within = profiled.no_length_beyond(
        min_value, max_value, strict_low=strict_min, strict_high=strict_max
    )
    return _profiled(scope, scope.rows([column], violations, said), within)


@entry
def column_value_lengths_to_equal(scope: Scope, *, column: str, value: float) -> RowCheck:
    """Every text has exactly so many characters."""
    text = _text(scope, column)
    length = math.floor(value)
    check = scope.rows([column], text.str.len_chars() != length, f"{shown(value)} characters")
    return _profiled(scope, check, profiled.no_length_beyond(length, length))


def _profiled(
    scope: Scope, check: RowCheck, count: Callable[["ColumnProfile"], int | None]
) -> RowCheck:
    """The check with what counts its violations by a profile, which speaks of all rows."""
    return check if scope.where is not None else replace(check, profiled=count)


def _raw(scope: Scope, column: str) -> "pl.Expr":
    return value_of(column, scope.type_of(column))


def _text(scope: Scope, column: str) -> "pl.Expr":
    if scope.type_of(column) is not DataType.STRING:
        raise Invalid(f"{column!r} is {scope.types[column].value}, not text", code="not_text")
    return scope.value(column)


def _far(value: "pl.Expr", middle: "pl.Expr", reach: "pl.Expr") -> "pl.Expr":
    import polars as pl

    apart = (value - middle).abs()
    # Where nothing varies, whatever differs is far.
    return pl.when(reach > 0).then(apart >= reach).otherwise(apart > 0)


def _listed(values: list[Value]) -> str:
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    return ", ".join(shown(value) for value in values[:10]) + more
