"""Expectations of one number, or one set of values, that a column comes to."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Invalid
from mainspring.quality import profiled
from mainspring.quality.catalogue.entries import Compile, entry
from mainspring.quality.catalogue.scope import Bound, Scope, Value, between
from mainspring.quality.compiled import Judged, ValueCheck
from mainspring.quality.examples import plain, shown

if TYPE_CHECKING:
    import polars as pl

_LISTED = 20


def _ranged(
    name: str,
    summary: str,
    what: str,
    measure: "Callable[[Scope, str], pl.Expr]",
    known: profiled.OfColumn | None = None,
) -> Compile:
    """An entry that holds one measure of a column to a range; `known` reads it from a profile."""

    def compile_(
        scope: Scope,
        *,
        column: str,
        min_value: Bound = None,
        max_value: Bound = None,
        strict_min: bool = False,
        strict_max: bool = False,
    ) -> ValueCheck:
        ends = (min_value, max_value, strict_min, strict_max)
        check = _in_range(scope, column, measure(scope, column), ends, what)
        return _known(scope, check, column, known)

    compile_.__name__, compile_.__doc__ = name, summary
    return entry(compile_)


def _non_null_share(scope: Scope, column: str) -> "pl.Expr":
    import polars as pl

    where = scope.where
    rows = pl.len() if where is None else where.sum()
    return (scope.present(column).len() / rows).fill_nan(None)


def _unique_share(scope: Scope, column: str) -> "pl.Expr":
    present = scope.present(column)
    return (present.n_unique() / present.len()).fill_nan(None)


column_min_to_be_between = _ranged(
    "column_min_to_be_between",
    "The least value lies in a range.",
    "the least value",
    lambda scope, column: scope.present(column).min(),
    profiled.least,
)
column_max_to_be_between = _ranged(
    "column_max_to_be_between",
    "The greatest value lies in a range.",
    "the greatest value",
    lambda scope, column: scope.present(column).max(),
    profiled.greatest,
)
column_mean_to_be_between = _ranged(
    "column_mean_to_be_between",
    "The mean lies in a range.",
    "the mean",
    lambda scope, column: scope.number(column).mean(),
    profiled.mean,
)
column_median_to_be_between = _ranged(
    "column_median_to_be_between",
    "The median lies in a range.",
    "the median",
    lambda scope, column: scope.number(column).median(),
)
column_stdev_to_be_between = _ranged(
    "column_stdev_to_be_between",
    "The sample's standard deviation lies in a range.",
    "the deviation",
    lambda scope, column: scope.number(column).std(),
    profiled.deviation,
)
column_sum_to_be_between = _ranged(
    "column_sum_to_be_between",
    "The sum lies in a range.",
    "the sum",
    lambda scope, column: scope.number(column).sum(),
)
column_unique_value_count_to_be_between = _ranged(
    "column_unique_value_count_to_be_between",
    "The number of different values lies in a range.",
    "the number of different values",
    lambda scope, column: scope.present(column).n_unique(),
    profiled.distinct_count,
)
column_proportion_of_unique_values_to_be_between = _ranged(
    "column_proportion_of_unique_values_to_be_between",
    "The number of different values, over that of rows with a value, lies in a range.",
    "the share of different values",
    _unique_share,
    profiled.distinct_share,
)
column_proportion_of_non_null_values_to_be_between = _ranged(
    "column_proportion_of_non_null_values_to_be_between",
    "The share of rows that have a value lies in a range.",
    "the share of rows with a value",
    _non_null_share,
    profiled.present_share,
)


def _known(
    scope: Scope, check: ValueCheck, column: str, known: profiled.OfColumn | None
) -> ValueCheck:
    """The check with what it may read from a profile, which speaks of all rows."""
    if known is None or scope.where is not None:
        return check
    return replace(check, profiled=profiled.of_column(column, known))


@entry
def column_quantile_values_to_be_between(
    scope: Scope,
    *,
    column: str,
    quantile_ranges: dict[str, Any],
    allow_relative_error: bool | str = False,
) -> ValueCheck:
    """Each of some quantiles lies in its range (`quantiles` and `value_ranges`, null for no end)."""
    quantiles: list[float] = list(quantile_ranges.get("quantiles", ()))
    ranges: list[Any] = list(quantile_ranges.get("value_ranges", ()))
    if not quantiles or len(quantiles) != len(ranges):
        raise Invalid(
            "quantile_ranges needs as many value_ranges as quantiles", code="bad_quantiles"
        )
    present = scope.number(column).sort()
    count = present.len()

    def judge(*values: float | None) -> Judged:
        inside = [_is_near(v, *limits) for v, limits in zip(values, ranges, strict=True)]
        seen = ", ".join(f"{q:g}: {shown(v)}" for q, v in zip(quantiles, values, strict=True))
        value = {"quantiles": quantiles, "values": list(values)}
        return Judged(passed=all(inside), observed=seen, value=value)

    # The value at the nearest rank, halves to the even one, as pandas' `nearest` has it.
    measures = [
        present.get((q * (count - 1)).round(mode="half_to_even").cast(int), null_on_oob=True)
        for q in quantiles
    ]
    said = "; ".join(
        f"{q:g}: {between(low, high)}" for q, (low, high) in zip(quantiles, ranges, strict=True)
    )
    return scope.table(measures, judge, said, [column])


@entry
def column_most_common_value_to_be_in_set(
    scope: Scope, *, column: str, value_set: list[Value], ties_okay: bool | None = None
) -> ValueCheck:
    """The most frequent value is one of a set; with ties only if they are allowed."""
    present = scope.present(column)
    known = _set_of(scope, column, value_set)

    def judge(common: list[Any] | None) -> Judged:
        values = sorted((plain(v) for v in common or ()), key=str)
        inside = [value for value in values if value in known]
        passed = bool(inside) if ties_okay else len(values) == 1 and len(inside) == 1
        return Judged(passed=passed, observed=_listed(values), value=values)

    said = f"one of {_listed(value_set)}"
    check = scope.table([present.mode().implode()], judge, said, [column])
    return _known(scope, check, column, profiled.commonest)


@entry
def column_distinct_values_to_be_in_set(
    scope: Scope, *, column: str, value_set: list[Value]
) -> ValueCheck:
    """All the different values are in a set."""
    return _distinct(scope, column, value_set, may_lack=True, may_add=False)


@entry
def column_distinct_values_to_contain_set(
    scope: Scope, *, column: str, value_set: list[Value]
) -> ValueCheck:
    """All the values of a set occur."""
    return _distinct(scope, column, value_set, may_lack=False, may_add=True)


@entry
def column_distinct_values_to_equal_set(
    scope: Scope, *, column: str, value_set: list[Value]
) -> ValueCheck:
    """The different values are exactly those of a set."""
    return _distinct(scope, column, value_set, may_lack=False, may_add=False)


def _distinct(
    scope: Scope, column: str, value_set: list[Value], *, may_lack: bool, may_add: bool
) -> ValueCheck:
    known = _set_of(scope, column, value_set)

    def judge(found: list[Any] | None) -> Judged:
        values = [plain(value) for value in found or ()]
        added = [value for value in values if value not in known]
        lacking = [value for value in known if value not in set(values)]
        passed = (may_add or not added) and (may_lack or not lacking)
        said = [f"{len(values):,} different values"]
        if added and not may_add:
            said.append(f"{len(added):,} unknown: {_listed(added)}")
        if lacking and not may_lack:
            said.append(f"{len(lacking):,} lacking: {_listed(lacking)}")
        return Judged(passed=passed, observed="; ".join(said), value=values[:_LISTED])

    words = {(True, False): "only", (False, True): "all of", (False, False): "exactly"}
    said = f"{words[may_lack, may_add]} {_listed(value_set)}"
    different = scope.present(column).unique().sort()
    check = scope.table([different.implode()], judge, said, [column])
    return _known(scope, check, column, profiled.distinct_values)


def _set_of(scope: Scope, column: str, values: Sequence[Value]) -> list[Any]:
    _, known = scope.among(column, values)
    return [plain(value) for value in known]


def _in_range(
    scope: Scope,
    column: str,
    measure: "pl.Expr",
    ends: tuple[Bound, Bound, bool, bool],
    what: str,
) -> ValueCheck:
    import polars as pl

    low, high, strict_low, strict_high = ends
    is_time = scope.type_of(column) in (DataType.DATE, DataType.DATETIME)
    limits = [
        pl.select(scope.bound(column, end)).item() if is_time and isinstance(end, str) else end
        for end in (low, high)
    ]

    def judge(value: Any) -> Judged:
        if value is None:
            return Judged(passed=low is None and high is None, observed="no values")
        try:
            passed = _is_within(value, limits[0], limits[1], strict_low, strict_high)
        except TypeError:
            return Judged(passed=False, observed=f"{shown(value)}, which is of another type")
        return Judged(passed=passed, observed=f"{what} is {shown(value)}", value=plain(value))

    return scope.table([measure], judge, between(*ends), [column])


def _is_within(value: Any, low: Any, high: Any, strict_low: bool, strict_high: bool) -> bool:
    above = low is None or (value > low if strict_low else value >= low)
    below = high is None or (value < high if strict_high else value <= high)
    return bool(above and below)


def _is_near(value: float | None, low: float | None, high: float | None) -> bool:
    """Within a range, or within 1e-4 of one of its ends."""
    if value is None:
        return False
    near = [abs(value - end) <= 1e-4 * abs(end) for end in (low, high) if end is not None]
    return any(near) or _is_within(value, low, high, False, False)


def _listed(values: Sequence[Any]) -> str:
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    return (", ".join(shown(value) for value in values[:10]) or "none") + more
