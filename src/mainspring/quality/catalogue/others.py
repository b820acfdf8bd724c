"""Expectations that look beyond the table: at other datasets, the version before, and the clock."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from mainspring.kernel.durations import parse_duration
from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import Scope
from mainspring.quality.compiled import Judged, RowCheck, ValueCheck
from mainspring.quality.profiled import row_count


@entry
def column_values_to_be_in_other_table(
    scope: Scope, *, column: str, other_table_name: str, other_column: str | None = None
) -> RowCheck:
    """Every value occurs in a column of another dataset's newest accepted version."""
    import polars as pl

    wanted = other_column or column
    other = scope.around.other(other_table_name)
    if wanted not in other.collect_schema():
        raise Invalid(f"{other_table_name!r} has no column {wanted!r}", code="no_such_column")
    keys = other.select(pl.col(wanted).unique()).collect().to_series()
    value = scope.value(column)
    if keys.dtype != scope.dtypes[column]:
        value, keys = value.cast(pl.String), keys.cast(pl.String)
    return scope.rows(
        [column],
        ~value.is_in(keys.implode()),
        f"a value of {other_table_name}.{wanted}",
    )


@entry
def table_row_count_to_equal_other_table(scope: Scope, *, other_table_name: str) -> ValueCheck:
    """The table has as many rows as another dataset's newest accepted version."""
    return _as_many(scope, [other_table_name])


@entry
def table_row_count_to_equal_other_tables(
    scope: Scope, *, other_table_names: list[str]
) -> ValueCheck:
    """The table has as many rows as each of some other datasets' newest accepted versions."""
    return _as_many(scope, other_table_names)


@entry
def table_row_count_to_be_near_reference(
    scope: Scope, *, min_fraction: float = 0.5, max_fraction: float = 2.0
) -> ValueCheck:
    """The table has about as many rows as the version before."""
    import polars as pl

    before = scope.around.reference

    def judge(count: int) -> Judged:
        if before is None or not before.row_count:
            return Judged(passed=True, observed="no earlier version to compare with", value=count)
        fraction = count / before.row_count
        return Judged(
            passed=min_fraction <= fraction <= max_fraction,
            observed=f"{count:,} rows, {before.row_count:,} before",
            value=fraction,
        )

    said = f"{min_fraction:g} to {max_fraction:g} times as many rows"
    return replace(scope.table([pl.len()], judge, said), profiled=row_count)


@entry
def table_to_show_no_known_fault(
    scope: Scope, *, labels: list[str] | None = None, ignore: list[str] | None = None
) -> ValueCheck:
    """Nothing in the table looks like another unit, swapped columns, an old or cut file, damage or a leak.

    It is compared with the version before. `ignore` names faults that are no reason to fail.
    """
    from mainspring.quality.faults import faults

    before, profile = scope.around.reference, scope.around.profile

    def judge() -> Judged:
        if before is None or profile is None:
            return Judged(passed=True, observed="no earlier version to compare with", value=[])
        found = [
            fault
            for fault in faults(before, profile(), labels=labels or ())
            if fault.name not in (ignore or ())
        ]
        said = "; ".join(
            f"{' of '.join([f.name, *filter(None, [', '.join(f.columns)])])}: {f.evidence}"
            for f in found
        )
        value = [{"fault": f.name, "columns": list(f.columns)} for f in found]
        return Judged(passed=not found, observed=said or "none", value=value)

    return scope.table([], judge, "no known fault against the version before")


@entry
def table_rows_to_be_distinct(scope: Scope) -> RowCheck:
    """No row occurs twice; every row of one that does is a violation."""
    import polars as pl

    columns = list(scope.types)
    repeated = pl.struct(columns).is_duplicated()
    return scope.rows(columns, repeated, "no row twice", everywhere=True, alone=False)


@entry
def column_max_to_be_recent(
    scope: Scope, *, column: str, within: str, not_ahead: str = "1d"
) -> ValueCheck:
    """The latest time lies no longer back than a duration such as `26h`, and not in the future."""
    age, ahead = parse_duration(within), parse_duration(not_ahead)
    now = scope.around.now or datetime.now(UTC)

    def judge(latest: Any) -> Judged:
        if not isinstance(latest, date):
            return Judged(passed=False, observed="no times")
        at = (
            latest
            if isinstance(latest, datetime)
            else datetime(latest.year, latest.month, latest.day, 23, 59, 59, tzinfo=UTC)
        )
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        passed = now - age <= at <= now + ahead
        word = "in the future" if at > now else f"{_age(now - at)} old"
        return Judged(
            passed=passed,
            observed=f"the latest is {latest.isoformat()}, {word}",
            value=latest.isoformat(),
        )

    return scope.table([scope.present(column).max()], judge, f"at most {within} old", [column])


def _as_many(scope: Scope, names: list[str]) -> ValueCheck:
    import polars as pl

    others = {
        name: int(scope.around.other(name).select(pl.len()).collect().item()) for name in names
    }

    def judge(count: int) -> Judged:
        seen = ", ".join(f"{name} {other:,}" for name, other in others.items())
        value = {"self": count, "other": next(iter(others.values()), None)}
        passed = all(count == other for other in others.values())
        return Judged(passed=passed, observed=f"{count:,} rows; {seen}", value=value)

    said = f"as many rows as {', '.join(names)}"
    return replace(scope.table([pl.len()], judge, said), profiled=row_count)


def _age(span: timedelta) -> str:
    hours = span.total_seconds() / 3600
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"
