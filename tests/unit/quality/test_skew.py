"""What is served against what was learnt from; rows that stand out by several columns at once."""

import numpy as np
import polars as pl
import pytest

from mainspring.domain.check import CheckReport
from mainspring.kernel.errors import Invalid
from mainspring.quality.checks import Checking, check_table
from mainspring.quality.distances import Measure
from mainspring.quality.measure import profile_table
from mainspring.quality.schema_file import parse_schema
from mainspring.quality.skew import skew_report

RNG = np.random.default_rng(7)
ROWS = 4_000
TRAINING = pl.DataFrame(
    {
        "distance": RNG.lognormal(1, 0.5, ROWS),
        "carrier": RNG.choice(["AA", "DL", "UA"], ROWS, p=[0.5, 0.3, 0.2]),
        "weight": pl.Series(RNG.normal(70, 10, ROWS)),
        "delay": RNG.normal(0, 10, ROWS),
    }
)
LIKE = TRAINING.sample(1_000, seed=1).drop("delay")
SKEWED = LIKE.with_columns(
    pl.col("distance") * 1.609,
    pl.when(pl.int_range(pl.len()) % 3 == 0).then(pl.col("weight")).alias("weight"),
)
SCHEMA = parse_schema(
    """
dataset = "flights"
[column.distance]
type = "float"
[column.carrier]
type = "string"
[column.weight]
type = "float"
[column.delay]
type = "float"
environments = ["training"]
"""
)


def skew(served: pl.DataFrame, **options: object) -> CheckReport:
    return skew_report(
        "flights",
        SCHEMA,
        profile_table(TRAINING),
        profile_table(served),
        served.schema,
        **options,  # type: ignore[arg-type] # as each test gives them
    )


def test_what_is_served_as_it_was_learnt_passes() -> None:
    report = skew(LIKE)

    assert report.passed
    assert report.row_count == LIKE.height
    # The label is there in training only, so nothing is said of it.
    assert {result.column for result in report.results} == {"distance", "carrier", "weight"}
    assert not report.warnings


@pytest.mark.parametrize(
    ("measure", "threshold"),
    [("psi", 0.2), ("jensen_shannon", 0.05), ("l_infinity", 0.05), ("ks", 0.1)],
)
def test_every_measure_finds_another_unit_and_a_silent_column(
    measure: Measure, threshold: float
) -> None:
    report = skew(SKEWED, measure=measure, threshold=threshold)

    found = {result.column for result in report.blocking}
    assert found == {"distance", "weight"}
    (missing,) = (r for r in report.blocking if r.check == "column_missing_share_to_match_training")
    assert missing.observed == "66.60% missing, 0.00% in training"


def test_what_the_schema_asks_of_serving_is_asked() -> None:
    text = """
dataset = "flights"
allow_extra_columns = true
[[expect]]
that = "column_distribution_to_match_training"
column = "distance"
measure = "ks"
threshold = 0.9
[[expect]]
that = "column_distribution_to_match_training"
column = "wind"
severity = "warn"
"""
    schema = parse_schema(text)
    served = SKEWED

    report = skew_report(
        "flights", schema, profile_table(TRAINING), profile_table(served), served.schema
    )

    kept, lacking, label = report.results
    assert (kept.passed, kept.check) == (True, "column_distribution_to_match_training")
    assert "training" in kept.observed
    assert lacking.observed == "can't be checked: there is no column 'wind'"
    # This schema does not say that the label is there in training only.
    assert (label.column, label.severity.value) == ("delay", "warn")
    # A delivery is not what is served.
    assert check_table(schema, TRAINING.with_columns(wind=pl.lit(1.0))).passed


def test_nothing_in_common_is_refused() -> None:
    with pytest.raises(Invalid, match="no column in common"):
        skew(pl.DataFrame({"other": [1, 2]}))


def outliers(table: pl.DataFrame, more: str = "") -> Checking:
    schema = parse_schema(
        'dataset = "d"\nallow_extra_columns = true\n[[expect]]\nthat = "rows_to_not_be_outliers"\n'
        + more
    )
    return Checking(schema, table)


def test_a_forest_finds_rows_that_stand_apart() -> None:
    columns = {name: RNG.normal(0, 1, 3_000) for name in "abcd"}
    columns = {name: np.concatenate((values, [7.0, -7.0])) for name, values in columns.items()}
    table = pl.DataFrame({**columns, "name": ["x"] * 3_002}).with_columns(
        a=pl.when(pl.int_range(pl.len()) % 100 != 7).then("a")
    )

    report = outliers(table, "severity = 'quarantine'").report()
    split = outliers(table, "severity = 'quarantine'").split()

    (found,) = report.quarantining
    assert found.failed_row_count <= 15
    assert split is not None
    apart = split[1].collect()
    assert apart.height == found.failed_row_count
    # The same table gives the same answer each time, and the planted rows are in it.
    assert apart.filter(pl.col("b").abs() == 7.0).height == 2


@pytest.mark.parametrize(
    ("table", "more", "why"),
    [
        (pl.DataFrame({"a": ["x"] * 60}), "", "the table has no numbers"),
        (pl.DataFrame({"a": [1, 2]}), "", "2 rows are too few"),
        (pl.DataFrame({"a": [1] * 60}), "columns = ['b']", "'b' is no column of numbers"),
    ],
)
def test_a_forest_says_why_it_can_not_tell(table: pl.DataFrame, more: str, why: str) -> None:
    (found,) = outliers(table, more).report().blocking

    assert found.observed.startswith(f"can't be checked: {why}")


def test_a_column_of_nothing_or_infinity_is_no_trouble_to_a_forest() -> None:
    table = pl.DataFrame(
        {
            "a": pl.Series([None] * 100, dtype=pl.Float64),
            "b": [float("inf"), *map(float, range(99))],
        }
    )

    (found,) = (
        r for r in outliers(table).report().results if r.column is None and r.row_count == 100
    )

    assert found.check == "rows_to_not_be_outliers"
