"""Expectations in the owner's own words: SQL over the table and over other datasets, and functions in Python."""

from collections import Counter
from dataclasses import replace
from typing import Annotated, Any

from msgspec import Meta

from mainspring.domain.check import Severity
from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import Scope, between
from mainspring.quality.compiled import Check, Judged, RowCheck, ValueCheck, rows_text
from mainspring.quality.custom.outcome import Outcome
from mainspring.quality.examples import shown


@entry
def query_to_return_no_rows(scope: Scope, *, query: str) -> ValueCheck:
    """An SQL query of the table, which is called `self`, finds no row."""
    found = scope.around.query(query)

    def judge() -> Judged:
        if not found.height:
            return Judged(passed=True, observed="no rows", value=0)
        first = ", ".join(f"{k} {shown(v)}" for k, v in found.row(0, named=True).items())
        return Judged(
            passed=False,
            observed=f"{rows_text(found.height)}, such as {first}",
            value=found.height,
        )

    return scope.table([], judge, f"no rows from {' '.join(query.split())}")


@entry
def query_results_to_match_comparison(
    scope: Scope, *, base_query: str, comparison_query: str, comparison_data_source_name: str = ""
) -> ValueCheck:
    """Two SQL queries give the same rows, in any order; tables are `self` and other datasets by name."""
    found, wanted = (scope.around.query(query) for query in (base_query, comparison_query))

    def judge() -> Judged:
        seen, expected = (Counter(map(repr, frame.iter_rows())) for frame in (found, wanted))
        more, fewer = (seen - expected).total(), (expected - seen).total()
        passed = (expected.total() - fewer) >= scope.expectation.mostly * expected.total()
        passed = passed and (not more or scope.expectation.mostly < 1)
        observed = f"{rows_text(found.height)}; {more} not expected, {fewer} lacking"
        return Judged(passed=passed, observed=observed, value=found.height)

    return scope.table([], judge, f"the rows of {' '.join(comparison_query.split())}")


FunctionName = Annotated[str, Meta(pattern=r"^[A-Za-z_][\w/]*\.py:[A-Za-z_]\w*$")]
"""`checks.py:plausible_fares`: a file below the schema's folder, and a function in it."""


@entry
def custom_check_to_pass(
    scope: Scope,
    *,
    check: FunctionName,
    column: str | None = None,
    columns: list[str] | None = None,
    arguments: dict[str, Any] | None = None,
    min_value: float | None = None,
    max_value: float | None = None,
    timeout: str = "1m",
) -> Check:
    """A function of yours, marked with `@ms.check`, says so of the table, a column, or each row."""
    names = [*([column] if column else ()), *(columns or ())]
    for name in names:
        scope.type_of(name)
    outcome = scope.around.custom(scope.expectation)
    called = scope.expectation.name or check
    if outcome.column is not None:
        found = _of_each_row(scope, names, outcome.column, "true for each row")
        return replace(found, name=called)
    _refuse_to_keep_apart(scope, "it said nothing of single rows")
    said = "true"
    if outcome.number is not None:
        if min_value is None and max_value is None:
            raise Invalid(f"it returned {shown(outcome.number)}; give min_value, max_value or both")
        said = between(min_value, max_value)
    whole = scope.table([], lambda: _told(outcome, min_value, max_value), said, names)
    return replace(whole, name=called)


@entry
def rows_to_not_be_outliers(
    scope: Scope, *, columns: list[str] | None = None, score: float = 0.7
) -> RowCheck:
    """No row stands out by its numbers together: its anomaly score in an isolation forest is at most `score`.

    Without `columns` it takes all numbers. A score is between 0 and 1; 0.5 is that of any row.
    """
    outcome = scope.around.custom(scope.expectation)
    if outcome.column is None:
        raise Invalid("it came to no answer for each row")
    found = _of_each_row(scope, columns or [], outcome.column, f"a score of at most {shown(score)}")
    return replace(found, alone=False)


@entry
def query_to_find_no_failing_rows(scope: Scope, *, query: str) -> Check:
    """An SQL query of the delivery, which is called `data`, finds no failing row.

    Rows that it gives with their `_row`, as `select *` does, are told one by one and can be kept apart; other
    rows, such as groups, are counted.
    """
    outcome = scope.around.custom(scope.expectation)
    said = f"no rows from {' '.join(query.split())}"
    if outcome.column is not None:
        return _of_each_row(scope, [], outcome.column, said)
    _refuse_to_keep_apart(scope, "the query gives no `_row`, so it names no rows of the delivery")
    return scope.table([], lambda: _counted(outcome), said)


def _of_each_row(scope: Scope, names: list[str], mask: str, said: str) -> RowCheck:
    import polars as pl

    is_good = pl.col(mask)
    return scope.rows(names, ~is_good, said, considered=is_good.is_not_null())


def _refuse_to_keep_apart(scope: Scope, why: str) -> None:
    if scope.expectation.severity is Severity.QUARANTINE:
        raise Invalid(f"{why}, so none can be kept apart", hint="Take severity block or warn.")


def _told(outcome: Outcome, low: float | None, high: float | None) -> Judged:
    number = outcome.number
    if number is None:
        return Judged(passed=bool(outcome.passed), observed=str(outcome.passed).lower())
    passed = (low is None or number >= low) and (high is None or number <= high)
    return Judged(passed=passed, observed=shown(number), value=number)


def _counted(outcome: Outcome) -> Judged:
    count = int(outcome.number or 0)
    observed = rows_text(count) if count else "no rows"
    return Judged(passed=not count, observed=observed, value=count)
