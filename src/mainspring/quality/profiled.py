"""What a table's profile already tells of checks, so that they need not read its rows again.

Only what is certain is told: extremes, counts and moments, and everything about a column of which the profile holds each
value with its count. What a sketch knows with an error, such as a quantile, is left to the rows.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mainspring.datasets.tables import data_type
from mainspring.domain.data_type import DataType
from mainspring.quality.compiled import Check, RowCheck, ValueCheck

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import ColumnProfile, Profile

OfColumn = Callable[["ColumnProfile"], Any]
"""A measure of a column, or `NotImplemented` if its profile can't tell; `Any`, for measures are of many types."""

_SHOWN_WHOLE = 200
"""Texts of at most so many characters are in profiles as they are."""
_HUGE = 1e100
_VALUED = (DataType.INTEGER, DataType.FLOAT, DataType.STRING, DataType.BOOLEAN)


def told(check: Check, profile: "Profile", dtypes: "pl.Schema") -> tuple[Any, ...] | None:
    """What a check's measures come to by the profile of its very table; None if rows must be read."""
    if isinstance(check, ValueCheck):
        if not check.measures:
            return ()
        return None if check.profiled is None else check.profiled(profile)
    return _of_rows(check, profile, dtypes)


def of_column(name: str, known: OfColumn) -> "Callable[[Profile], tuple[Any, ...] | None]":
    """A measure of one column of a profile."""

    def measures(profile: "Profile") -> tuple[Any, ...] | None:
        column = profile.column(name)
        value = NotImplemented if column is None else known(column)
        return None if value is NotImplemented else (value,)

    return measures


def row_count(profile: "Profile") -> tuple[Any, ...]:
    """The number of rows, as a check's one measure."""
    return (profile.row_count,)


def no_rows(column: "ColumnProfile") -> int:
    """For what can't be violated in any row."""
    return 0


def missing_count(column: "ColumnProfile") -> int:
    """Rows without a value, of which NaN is none."""
    return column.null_count + column.nan_count


def present_count(column: "ColumnProfile") -> int:
    """Rows with a value."""
    return column.row_count - missing_count(column)


def least(column: "ColumnProfile") -> Any:
    """The least value."""
    return _extreme(column, column.minimum, min)


def greatest(column: "ColumnProfile") -> Any:
    """The greatest value."""
    return _extreme(column, column.maximum, max)


def mean(column: "ColumnProfile") -> Any:
    """The mean, as exactly as floats have it."""
    if column.moments is None or not _is_all_finite(column) or _is_huge(column):
        return NotImplemented
    return column.moments.mean if column.moments.count else None


def deviation(column: "ColumnProfile") -> Any:
    """The sample's standard deviation, unless it is so small beside the mean that rounding makes it up."""
    moments = column.moments
    if moments is None or not _is_all_finite(column) or _is_huge(column):
        return NotImplemented
    found = moments.deviation
    return NotImplemented if found is not None and found < 1e-6 * abs(moments.mean) else found


def distinct_count(column: "ColumnProfile") -> Any:
    """How many different values there are, if the profile holds them all."""
    return len(column.frequent.counts) if _is_known(column) and column.frequent else NotImplemented


def distinct_share(column: "ColumnProfile") -> Any:
    """Different values by rows with a value."""
    count = distinct_count(column)
    if count is NotImplemented:
        return NotImplemented
    return count / present_count(column) if present_count(column) else None


def present_share(column: "ColumnProfile") -> Any:
    """Rows with a value by all rows."""
    return present_count(column) / column.row_count if column.row_count else None


def distinct_values(column: "ColumnProfile") -> Any:
    """All the different values, in order."""
    if not _is_known(column) or column.frequent is None:
        return NotImplemented
    return sorted(column.frequent.counts)


def commonest(column: "ColumnProfile") -> Any:
    """The values that are the most frequent."""
    if not _is_known(column) or column.frequent is None:
        return NotImplemented
    counts = column.frequent.counts
    most = max(counts.values(), default=0)
    return [value for value, count in counts.items() if count == most]


def none_beyond(
    low: float | None, high: float | None, *, strict_low: bool = False, strict_high: bool = False
) -> Callable[["ColumnProfile"], int | None]:
    """0 violations if a column's extremes lie within a range, else None: how many lie outside is for the rows to say."""

    def violations(column: "ColumnProfile") -> int | None:
        if not _is_all_finite(column) or column.moments is None or not column.type.is_numeric:
            return None
        ends = column.minimum, column.maximum
        return 0 if _is_within(ends, (low, high), strict_low, strict_high) else None

    return violations


def no_length_beyond(
    low: float | None, high: float | None, *, strict_low: bool = False, strict_high: bool = False
) -> Callable[["ColumnProfile"], int | None]:
    """0 violations if the shortest and the longest text of a column lie within a range of lengths, else None."""

    def violations(column: "ColumnProfile") -> int | None:
        if column.texts is None:
            return None
        ends = column.texts.shortest, column.texts.longest
        return 0 if _is_within(ends, (low, high), strict_low, strict_high) else None

    return violations


def no_repeats(column: "ColumnProfile") -> int | None:
    """Rows whose value stood in an earlier one, if the profile holds all values."""
    count = distinct_count(column)
    return None if count is NotImplemented else present_count(column) - int(count)


def _is_within(
    seen: tuple[float | None, float | None],
    ends: tuple[float | None, float | None],
    strict_low: bool,
    strict_high: bool,
) -> bool:
    least_, most = seen
    low, high = ends
    above = least_ is None or low is None or (least_ > low if strict_low else least_ >= low)
    below = most is None or high is None or (most < high if strict_high else most <= high)
    return above and below


def _of_rows(check: RowCheck, profile: "Profile", dtypes: "pl.Schema") -> tuple[Any, ...] | None:
    if len(check.columns) != 1 or not _asks_only(check, check.columns[0]):
        return None
    column = profile.column(check.columns[0])
    if column is None:
        return None
    count = None if check.profiled is None else check.profiled(column)
    if count is None:
        return _by_value(check, column, dtypes)
    if check.considered is None:
        return (count,)
    # Other than of all rows, a check that a profile tells of is asked of those with a value.
    return (count, present_count(column)) if check.considered_count is not None else None


def _asks_only(check: RowCheck, column: str) -> bool:
    expressions = [check.violations, *([] if check.considered is None else [check.considered])]
    return all(set(e.meta.root_names()) <= {column} for e in expressions)


def _by_value(
    check: RowCheck, column: "ColumnProfile", dtypes: "pl.Schema"
) -> tuple[Any, ...] | None:
    """Ask each different value once and count the rows that have it, if the profile holds them all."""
    import polars as pl

    frame = _values(column, dtypes[column.name])
    expressions = [check.violations, *([] if check.considered is None else [check.considered])]
    if frame is None or not check.alone:
        return None
    name, weight = column.name, _WEIGHT if column.name != _WEIGHT else _WEIGHT + "#"
    counted = [
        (pl.when(e.fill_null(False)).then(pl.col(weight)).otherwise(0)).sum().alias(str(i))
        for i, e in enumerate(expressions)
    ]
    values, weights = frame
    return tuple(pl.DataFrame({name: values, weight: weights}).select(counted).row(0))


_WEIGHT = "#rows"


def _values(column: "ColumnProfile", dtype: "pl.DataType") -> "tuple[pl.Series, pl.Series] | None":
    """Every value of a column with its number of rows, nulls and NaN too; None if the profile lacks some."""
    import polars as pl

    plain = dtype.is_float() or dtype in (pl.String, pl.Boolean)
    small = dtype.is_integer() and dtype not in (pl.Int128, pl.UInt128)
    if not _is_known(column) or column.frequent is None or not (plain or small):
        return None
    if column.type is not data_type(dtype):
        return None
    known = [*column.frequent.counts.items(), (None, column.null_count)]
    if column.nan_count:
        known.append((float("nan"), column.nan_count))
    values = pl.Series([value for value, _ in known], dtype=dtype, strict=False)
    return values, pl.Series([count for _, count in known], dtype=pl.Int64)


def _is_known(column: "ColumnProfile") -> bool:
    """Whether the profile holds every value of a column, with its count."""
    if column.type not in _VALUED or column.frequent is None or not column.frequent.is_exact:
        return False
    if column.texts is not None and (column.texts.longest or 0) > _SHOWN_WHOLE:
        return False
    # A private column's profile holds no values: then their counts don't add up.
    return sum(column.frequent.counts.values()) == present_count(column) and (
        column.infinite_count == 0
    )


def _is_all_finite(column: "ColumnProfile") -> bool:
    return column.infinite_count == 0 and column.type.is_numeric


def _is_huge(column: "ColumnProfile") -> bool:
    """Whether squares of its numbers may be more than a float can hold."""
    return any(abs(end or 0) > _HUGE for end in (column.minimum, column.maximum))


def _extreme(column: "ColumnProfile", number: Any, pick: Callable[..., Any]) -> Any:
    if _is_all_finite(column) and column.moments is not None:
        return number
    if _is_known(column) and column.frequent is not None:
        return pick(column.frequent.counts, default=None)
    return NotImplemented
