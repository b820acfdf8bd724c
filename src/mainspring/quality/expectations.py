"""What a schema asks, compiled: for each check an expression that is true in the rows that violate it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema
from mainspring.quality.compiled import RowCheck, rows_text, share_text
from mainspring.quality.examples import shown
from mainspring.quality.profiled import (
    missing_count,
    no_repeats,
    no_rows,
    none_beyond,
    present_count,
)

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import ColumnProfile

_LISTED = 5


def of_column(column: ColumnSchema, found: DataType, dtype: "pl.DataType") -> list[RowCheck]:
    """Everything that is asked of a column, as far as its type lets it be asked."""
    value = value_of(column.name, found)
    checks = [_type(column, found, value), _missing_values(column, value)]
    if _fits(column.type, found):
        checks += [
            *_range(column, value, dtype),
            *_categories(column, value, found),
            _pattern(column, value),
            _unique(column, value),
            _increasing(column, value),
        ]
    return [check for check in checks if check is not None]


def of_key(key: tuple[str, ...]) -> RowCheck:
    """That some columns together name a row."""
    import polars as pl

    return RowCheck(
        check="key",
        columns=key,
        severity=Severity.BLOCK,
        expected=f"no two rows alike in {', '.join(key)}",
        violations=~pl.struct(key).is_first_distinct(),
        observed=lambda count, rows, summary: _repeats(count),
    )


def out_of_order(value: "pl.Expr") -> "pl.Expr":
    """True where a value is below the last one before it."""
    return value < value.forward_fill().shift(1)


def repeats(value: "pl.Expr") -> "pl.Expr":
    """True where a value stood in an earlier row."""
    return value.is_not_null() & ~value.is_first_distinct()


def value_of(name: str, found: DataType) -> "pl.Expr":
    """A column with NaN as null and categories as text, so that each check says what people mean."""
    import polars as pl

    if found is DataType.FLOAT:
        return pl.col(name).cast(pl.Float64).fill_nan(None)
    if found is DataType.STRING:
        return pl.col(name).cast(pl.String)
    return pl.col(name)


def _fits(wanted: DataType, found: DataType) -> bool:
    return wanted is found or (wanted.is_numeric and found.is_numeric)


def _type(column: ColumnSchema, found: DataType, value: "pl.Expr") -> RowCheck | None:
    import polars as pl

    wanted = column.type
    known: Callable[[ColumnProfile], int] | None
    if wanted is DataType.OTHER:
        return None
    if wanted is found or (wanted is DataType.FLOAT and found is DataType.INTEGER):
        violations, known = pl.lit(False), no_rows
    elif wanted is DataType.INTEGER and found is DataType.FLOAT:
        # Whole numbers with gaps often come as floats; only a fraction is wrong.
        violations, known = value != value.floor(), None
    else:
        # A column of nothing but nulls has no type to be wrong.
        violations, known = value.is_not_null(), present_count
    return RowCheck(
        check="type",
        columns=(column.name,),
        severity=column.severity,
        expected=wanted.value,
        violations=violations,
        observed=lambda count, rows, summary: found.value,
        profiled=known,
        alone=True,
    )


def _missing_values(column: ColumnSchema, value: "pl.Expr") -> RowCheck:
    share = column.max_null_share
    return RowCheck(
        check="missing-values",
        columns=(column.name,),
        severity=column.severity,
        expected=f"at most {share_text(share)} missing" if share else "none missing",
        violations=value.is_null(),
        profiled=missing_count,
        alone=True,
        max_share=share,
        observed=lambda count, rows, summary: (
            f"{share_text(count / rows)} missing ({count:,} rows)" if count else "none missing"
        ),
    )


def _range(column: ColumnSchema, value: "pl.Expr", dtype: "pl.DataType") -> list[RowCheck]:
    import polars as pl

    low, high = column.minimum, column.maximum
    if low is None and high is None:
        return []
    violations = pl.lit(False)
    if low is not None:
        violations = violations | (value < literal(low, column.type, dtype))
    if high is not None:
        violations = violations | (value > literal(high, column.type, dtype))
    if low is None:
        expected = f"at most {_bound(high)}"
    elif high is None:
        expected = f"at least {_bound(low)}"
    else:
        expected = f"between {_bound(low)} and {_bound(high)}"
    share = column.max_outside_share
    check = RowCheck(
        check="range",
        columns=(column.name,),
        severity=column.severity,
        expected=expected,
        violations=violations,
        summary=(
            value.filter(violations).min().alias("low"),
            value.filter(violations).max().alias("high"),
        ),
        observed=_outside,
        alone=True,
        max_share=share,
        profiled=none_beyond(low, high)
        if not isinstance(low, str) and not isinstance(high, str)
        else None,
    )
    return _also_warning(check, "outside-values")


def _outside(count: int, rows: int, summary: "pl.DataFrame | None") -> str:
    if summary is None:
        return "all within"
    low, high = summary.row(0)
    extremes = f"{shown(low)} to {shown(high)}" if low != high else shown(low)
    return f"{rows_text(count)} outside ({extremes})"


def _categories(column: ColumnSchema, value: "pl.Expr", found: DataType) -> list[RowCheck]:
    import polars as pl

    if column.categories is None:
        return []
    known: list[Any] = [item for item in column.categories if item is not None]
    if found.is_numeric:
        value = value.cast(pl.Float64)
        known = [float(item) for item in known]
    violations = value.is_not_null() & ~value.is_in(known)
    names = [shown(item) for item in column.categories]
    more = f" and {len(names) - 2 * _LISTED} more" if len(names) > 2 * _LISTED else ""
    share = column.max_unseen_share
    some = f" in at least {share_text(1 - share)} of rows" if share else ""
    check = RowCheck(
        check="categories",
        columns=(column.name,),
        severity=column.severity,
        expected=f"one of {', '.join(names[: 2 * _LISTED])}{more}{some}",
        violations=violations,
        summary=(
            value.filter(violations)
            .value_counts(sort=True)
            .head(_LISTED)
            .implode()
            .alias("unseen"),
        ),
        observed=_unseen,
        alone=True,
        max_share=share,
    )
    return _also_warning(check, "unseen-values")


def _also_warning(check: RowCheck, name: str) -> list[RowCheck]:
    """What a check lets pass for being rare is told all the same."""
    if not check.max_share:
        return [check]
    return [check, replace(check, check=name, severity=Severity.WARN, max_share=0.0)]


def _unseen(count: int, rows: int, summary: "pl.DataFrame | None") -> str:
    if summary is None:
        return "only known values"
    values = [next(iter(item.values())) for item in summary.item().to_list()]
    return f"{rows_text(count)} with {', '.join(shown(value) for value in values)}"


def _pattern(column: ColumnSchema, value: "pl.Expr") -> RowCheck | None:
    if column.pattern is None:
        return None
    violations = ~value.str.contains(f"^(?:{column.pattern})$")
    return RowCheck(
        check="pattern",
        columns=(column.name,),
        severity=column.severity,
        expected=f"text like {column.pattern}",
        violations=violations,
        summary=(value.filter(violations).first().alias("first"),),
        alone=True,
        observed=lambda count, rows, summary: (
            "all of that form"
            if summary is None
            else f"{rows_text(count)} of another form, such as {shown(summary.item())}"
        ),
    )


def _unique(column: ColumnSchema, value: "pl.Expr") -> RowCheck | None:
    if not column.unique:
        return None
    return RowCheck(
        check="unique",
        columns=(column.name,),
        severity=column.severity,
        expected="no value twice",
        violations=repeats(value),
        profiled=no_repeats,
        observed=lambda count, rows, summary: _repeats(count),
    )


def _increasing(column: ColumnSchema, value: "pl.Expr") -> RowCheck | None:
    if not column.increasing:
        return None
    return RowCheck(
        check="increasing",
        columns=(column.name,),
        severity=column.severity,
        expected="no value below one before it",
        violations=out_of_order(value),
        observed=lambda count, rows, summary: (
            f"{rows_text(count)} below the one before" if count else "in order"
        ),
    )


def literal(bound: float | str, type_: DataType, dtype: "pl.DataType") -> "pl.Expr":
    """A bound as a value of the column's type; raises `ValueError` for text that is no date or time."""
    import polars as pl

    if not isinstance(bound, str):
        return pl.lit(bound)
    if type_ is DataType.DATE:
        return pl.lit(date.fromisoformat(bound))
    instant = datetime.fromisoformat(bound)
    zone = getattr(dtype, "time_zone", None)
    # A time without a zone is meant in UTC, on both sides.
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    if zone is None:
        return pl.lit(instant.astimezone(UTC).replace(tzinfo=None))
    return pl.lit(instant.astimezone(UTC)).dt.convert_time_zone(zone)


def _bound(value: float | str | None) -> str:
    return str(value) if isinstance(value, str) else shown(value)


def _repeats(count: int) -> str:
    return f"{rows_text(count)} that repeat an earlier one" if count else "all different"
