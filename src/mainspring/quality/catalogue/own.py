"""Expectations in the owner's own words: SQL over the table and over other datasets."""

from collections import Counter

from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import Scope
from mainspring.quality.compiled import Judged, ValueCheck, rows_text
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
