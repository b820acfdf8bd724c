"""Checks on a table that was profiled: the same report, and rows are read only where they are needed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.io.plugins import register_io_source

from mainspring.domain.check import CheckReport
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import check_table
from mainspring.quality.measure import profile_table
from mainspring.quality.schema_file import parse_schema


@dataclass
class Counted:
    """A table that counts how often it is read."""

    frame: pl.DataFrame
    reads: list[list[str] | None] = field(default_factory=list)

    @property
    def table(self) -> pl.LazyFrame:
        def read(
            columns: list[str] | None, predicate: Any, row_count: int | None, batch: int | None
        ) -> Iterator[pl.DataFrame]:
            self.reads.append(columns)
            frame = self.frame if columns is None else self.frame.select(columns)
            frame = frame if row_count is None else frame.head(row_count)
            yield frame if predicate is None else frame.filter(predicate)

        return register_io_source(read, schema=self.frame.schema)


FRAME = pl.DataFrame(
    {
        "at": pl.datetime_range(
            pl.datetime(2026, 1, 1), pl.datetime(2026, 1, 2), "1m", eager=True
        ).head(1200),
        "amount": [float(n) if n % 10 else None for n in range(1200)],
        "code": [n % 7 for n in range(1200)],
        "name": [("open", "closed", "held")[n % 3] for n in range(1200)],
        "half": [n / 2 if n % 4 else float("nan") for n in range(1200)],
        "flag": [n % 5 == 0 for n in range(1200)],
    }
)

FROM_PROFILE = """
dataset = "rides"
min_row_count = 1000
[column.at]
type = "datetime"
[column.amount]
type = "float"
min = 0
max = 2000
max_null_share = 0.2
[column.code]
type = "integer"
categories = [0, 1, 2, 3, 4, 5, 6]
[column.name]
type = "string"
pattern = "[a-z]+"
categories = ["open", "closed", "held", "lost"]
[column.half]
type = "float"
max_null_share = 0.25
max = 600
[column.flag]
type = "boolean"
[[expect]]
that = "column_values_to_be_between"
column = "amount"
min_value = 0
strict_max = true
max_value = 1200
[[expect]]
that = "column_values_to_match_regex"
column = "name"
regex = "^(open|closed)$"
mostly = 0.5
[[expect]]
that = "column_values_to_be_in_set"
column = "name"
value_set = ["open", "closed", "held"]
where = "name <> 'held'"
[[expect]]
that = "column_value_lengths_to_be_between"
column = "name"
min_value = 4
[[expect]]
that = "column_mean_to_be_between"
column = "amount"
min_value = 1
[[expect]]
that = "column_distinct_values_to_equal_set"
column = "code"
value_set = [0, 1, 2, 3, 4, 5, 6]
[[expect]]
that = "column_most_common_value_to_be_in_set"
column = "flag"
value_set = [false]
[[expect]]
that = "table_row_count_to_be_between"
min_value = 1200
max_value = 1200
[[expect]]
that = "column_unique_value_count_to_be_between"
column = "name"
min_value = 3
max_value = 3
"""

NEEDS_ROWS = """
[[expect]]
that = "column_values_to_be_increasing"
column = "amount"
[[expect]]
that = "column_median_to_be_between"
column = "amount"
min_value = 1
"""


def alike(one: CheckReport, other: CheckReport) -> None:
    """The same in all but the last digits of means."""
    assert len(one.results) == len(other.results)
    for mine, theirs in zip(one.results, other.results, strict=True):
        assert (mine.check, mine.column, mine.passed) == (
            theirs.check,
            theirs.column,
            theirs.passed,
        )
        assert (mine.observed, mine.failed_row_count) == (theirs.observed, theirs.failed_row_count)
        assert (mine.row_count, mine.examples) == (theirs.row_count, theirs.examples)
        assert mine.value == pytest.approx(theirs.value)


def test_what_a_profile_tells_is_not_read_again() -> None:
    schema, counted = parse_schema(FROM_PROFILE), Counted(FRAME)
    around = Surroundings().profiled(profile_table(FRAME))

    report = check_table(schema, counted.table, around=around)

    assert counted.reads == []
    assert report.passed
    alike(report, check_table(schema, FRAME))


def test_rows_are_read_once_and_only_the_columns_that_need_it() -> None:
    schema, counted = parse_schema(FROM_PROFILE + NEEDS_ROWS), Counted(FRAME)
    around = Surroundings().profiled(profile_table(FRAME))

    report = check_table(schema, counted.table, around=around)

    assert counted.reads == [["amount"]]
    assert report.passed


def test_a_failed_check_reads_rows_that_show_it() -> None:
    text = FROM_PROFILE.replace('"open", "closed", "held", "lost"', '"open", "closed"')
    schema, counted = parse_schema(text), Counted(FRAME)
    around = Surroundings().profiled(profile_table(FRAME))

    report = check_table(schema, counted.table, around=around)

    assert counted.reads
    alike(report, check_table(schema, FRAME))


def test_a_profile_without_private_values_tells_nothing_of_them() -> None:
    text = FROM_PROFILE.replace('pattern = "[a-z]+"', 'pattern = "[a-z]+"\nprivate = true')
    schema, counted = parse_schema(text), Counted(FRAME)
    around = Surroundings().profiled(profile_table(FRAME, private=["name"]))

    report = check_table(schema, counted.table, around=around)

    assert counted.reads == [["name"]]
    alike(report, check_table(schema, FRAME))


VALUES = st.one_of(
    st.lists(st.none() | st.integers(-5, 5), min_size=1, max_size=30).map(
        lambda v: pl.Series("x", v, dtype=pl.Int32)
    ),
    st.lists(
        st.none() | st.sampled_from([0.0, 1.5, -3.0, float("nan"), float("inf"), 1e300]),
        min_size=1,
        max_size=30,
    ).map(lambda v: pl.Series("x", v, dtype=pl.Float64)),
    st.lists(
        st.none() | st.sampled_from(["", "a", "ab", "é" * 150, "b" * 300, "b" * 301]),
        min_size=1,
        max_size=30,
    ).map(lambda v: pl.Series("x", v, dtype=pl.String)),
    st.lists(st.none() | st.booleans(), min_size=1, max_size=30).map(
        lambda v: pl.Series("x", v, dtype=pl.Boolean)
    ),
)

ASKED = [
    "column_values_to_not_be_null",
    "column_values_to_be_null",
    "column_values_to_be_between min_value=-1 max_value=3",
    "column_values_to_be_between min_value=1.5 strict_min=true",
    "column_values_to_be_in_set value_set=[1,1.5,'a']",
    "column_value_lengths_to_be_between min_value=1 max_value=200",
    "column_value_lengths_to_equal value=1",
    "column_values_to_match_regex regex='^a'",
    "column_min_to_be_between min_value=0",
    "column_max_to_be_between max_value=3",
    "column_mean_to_be_between min_value=-1 max_value=1",
    "column_stdev_to_be_between max_value=2",
    "column_unique_value_count_to_be_between max_value=3",
    "column_proportion_of_unique_values_to_be_between max_value=0.5",
    "column_proportion_of_non_null_values_to_be_between min_value=0.5",
    "column_distinct_values_to_be_in_set value_set=[0,1,'a']",
    "column_most_common_value_to_be_in_set value_set=[0,1,'a'] ties_okay=true",
    "column_values_to_be_unique",
]


@settings(max_examples=60, deadline=None)
@given(column=VALUES)
def test_a_profile_tells_what_the_rows_tell(column: pl.Series) -> None:
    frame = column.to_frame()
    lines = ["dataset = 'x'", "[column.x]", f"type = '{_type(column)}'", "unique = true"]
    if column.dtype.is_numeric():
        lines += ["min = -2", "max = 4"]
    for asked in ASKED:
        name, *given_ = asked.split(" ")
        lines += ["[[expect]]", f"that = '{name}'", "column = 'x'"]
        lines += [each.replace("=", " = ", 1) for each in given_]
    schema = parse_schema("\n".join(lines))

    alike(
        check_table(schema, frame, around=Surroundings().profiled(profile_table(frame))),
        check_table(schema, frame),
    )


def _type(column: pl.Series) -> str:
    return {pl.Int32: "integer", pl.Float64: "float", pl.String: "string"}.get(
        type(column.dtype), "boolean"
    )
