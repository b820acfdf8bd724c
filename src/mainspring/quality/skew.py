"""Training/serving skew: what a model is asked in production, held against the data that it learnt from."""

from dataclasses import replace
from typing import TYPE_CHECKING

from mainspring.domain.check import CheckReport, CheckResult, Severity
from mainspring.domain.schema import Expectation, TableSchema
from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import check_table

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.distances import Measure
    from mainspring.quality.profile import ColumnProfile, Profile

SKEW = "column_distribution_to_match_training"
"""The expectation that a schema asks of what is served."""

DEFAULT_MEASURE: "Measure" = "psi"
DEFAULT_THRESHOLD = 0.2
DEFAULT_MISSING = 0.05
SERVING = "serving"


def skew_report(
    dataset: str,
    schema: TableSchema | None,
    training: "Profile",
    served: "Profile",
    columns: "pl.Schema",
    *,
    measure: "Measure | None" = None,
    threshold: float | None = None,
) -> CheckReport:
    """How far what is served lies from what was learnt from, column by column, missing values included.

    What the schema asks as `column_distribution_to_match_training` is asked; without any, or with a measure or
    threshold given, all columns that both have are held to one measure, and their shares of missing values to 5 %. Columns
    of training that are not asked for when serving, such as a label, are left out. Raises `Invalid` if nothing is left.
    """
    import polars as pl

    asked = [e for e in schema.expectations if e.that == SKEW] if schema is not None else []
    if not asked or measure is not None or threshold is not None:
        names = _shared(schema, training, served)
        asked = _of_all(
            training,
            names,
            measure or DEFAULT_MEASURE,
            DEFAULT_THRESHOLD if threshold is None else threshold,
        )
    if not asked:
        raise Invalid(
            "what was served and the training data have no column in common",
            code="nothing_in_common",
            hint="A sample has the columns that the model is asked with.",
        )
    held = TableSchema(
        dataset=dataset,
        columns=(),
        min_row_count=0,
        allow_extra_columns=True,
        expectations=tuple(_against_training(expectation) for expectation in asked),
    )
    around = Surroundings(reference=training, compared_with="training")
    found = check_table(held, pl.DataFrame(schema=columns), around=around.profiled(served))
    # What else is served is of no concern here.
    results = [r for r in found.results if r.check not in ("extra-column", "row-count")]
    results = [replace(r, check=_name(r.check)) for r in results]
    return replace(found, results=(*results, *_not_served(schema, training, served)))


def _shared(schema: TableSchema | None, training: "Profile", served: "Profile") -> list[str]:
    there = {column.name for column in served.columns}
    return [
        c.name
        for c in _features(schema, training)
        if c.name in there and (c.frequent is not None or c.quantiles is not None)
    ]


def _not_served(
    schema: TableSchema | None, training: "Profile", served: "Profile"
) -> list[CheckResult]:
    """A warning for each column of training that is not served: a model may do without it, as without a label."""
    there = {column.name for column in served.columns}
    return [
        CheckResult(
            check="missing-column",
            column=column.name,
            severity=Severity.WARN,
            passed=False,
            observed="it is not among what is served",
            expected="the columns of training, but for those that the schema asks for in training only",
        )
        for column in _features(schema, training)
        if column.name not in there
    ]


def _features(schema: TableSchema | None, training: "Profile") -> "list[ColumnProfile]":
    """The columns of training that are asked for when serving, too."""
    left_out: set[str] = set()
    if schema is not None:
        within = {column.name for column in schema.within(SERVING).columns}
        left_out = {column.name for column in schema.columns} - within
    return [column for column in training.columns if column.name not in left_out]


def _of_all(
    training: "Profile", names: list[str], measure: "Measure", threshold: float
) -> list[Expectation]:
    # Where there is no order, the largest difference of shares stands for that of cumulative ones.
    unordered = {c.name for c in training.columns if c.quantiles is None} if measure == "ks" else ()
    return [
        expectation
        for name in names
        for expectation in (
            Expectation(
                that=SKEW,
                arguments={
                    "column": name,
                    "measure": "l_infinity" if name in unordered else measure,
                    "threshold": threshold,
                },
                severity=Severity.BLOCK,
            ),
            Expectation(
                that="column_missing_share_to_match_reference",
                arguments={"column": name, "threshold": DEFAULT_MISSING},
                severity=Severity.BLOCK,
            ),
        )
    ]


def _against_training(expectation: Expectation) -> Expectation:
    """The comparison that a skew check is, with the training data in the earlier version's place."""
    if expectation.that != SKEW:
        return expectation
    return replace(expectation, that="column_distribution_to_match_reference")


def _name(check: str) -> str:
    return {
        "column_distribution_to_match_reference": SKEW,
        "column_missing_share_to_match_reference": "column_missing_share_to_match_training",
    }.get(check, check)
