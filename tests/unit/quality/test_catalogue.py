"""Expectations of the catalogue: what they find, and what happens where they can't be asked."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from mainspring.domain.check import CheckResult, Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, Expectation, TableSchema
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.quality.catalogue.entries import entries, find_entry
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import Checking, check_table
from mainspring.quality.measure import profile_table
from mainspring.quality.schema_file import parse_schema

TABLE = pl.DataFrame(
    {
        "n": [1.0, 2.0, None, 4.0, 100.0, float("nan")],
        "k": [3, 3, 1, 2, 5, 4],
        "w": ["a", "b", None, "a", "cc", "é"],
        "at": [datetime(2026, 1, d) for d in (1, 2, 2, 4, 5, 3)],
    }
)
OTHERS = {"letters": pl.DataFrame({"w": ["a", "b", "é"], "x": [1, 2, 3]})}


def other(name: str) -> pl.LazyFrame:
    if name not in OTHERS:
        raise NotFound(f"there is no dataset {name!r}")
    return OTHERS[name].lazy()


AROUND = Surroundings(other=other, now=datetime(2026, 1, 6, tzinfo=UTC))


def result(that: str, table: pl.DataFrame = TABLE, **given: Any) -> CheckResult:
    known = {"mostly", "where", "severity", "name"}
    expectation = Expectation(
        that=that,
        arguments={k: v for k, v in given.items() if k not in known and k != "around"},
        **{k: v for k, v in given.items() if k in known},
    )
    schema = TableSchema(
        dataset="t", columns=(), allow_extra_columns=True, expectations=(expectation,)
    )
    report = check_table(schema, table, around=given.get("around", AROUND))
    return report.results[-1]


@pytest.mark.parametrize(
    ("that", "given", "rows"),
    [
        ("column_values_to_not_be_null", {"column": "n"}, [2, 5]),
        ("column_values_to_be_unique", {"column": "k"}, [0, 1]),
        ("column_values_to_be_unique", {"column": "k", "where": "n >= 2"}, []),
        (
            "column_values_to_be_between",
            {"column": "n", "max_value": 4, "strict_max": True},
            [3, 4],
        ),
        ("column_values_to_be_between", {"column": "at", "min_value": "2026-01-02"}, [0]),
        ("column_values_to_be_between", {"column": "w", "min_value": "b"}, [0, 3]),
        ("column_values_to_be_in_set", {"column": "w", "value_set": ["a", "b", 3]}, [4, 5]),
        (
            "column_values_to_be_in_set",
            {"column": "at", "value_set": ["2026-01-01"]},
            [1, 2, 3, 4, 5],
        ),
        ("column_values_to_be_increasing", {"column": "at"}, [5]),
        ("column_values_to_be_increasing", {"column": "at", "strictly": True}, [2, 5]),
        (
            "column_values_to_not_be_outliers",
            {"column": "n", "method": "mad", "multiplier": 5},
            [4],
        ),
        ("column_value_lengths_to_equal", {"column": "w", "value": 1}, [4]),
        ("column_values_to_match_like_pattern", {"column": "w", "like_pattern": "_"}, [4]),
        ("column_values_to_match_regex", {"column": "w", "regex": r"^(?!a)"}, [0, 3]),
        ("column_values_to_be_in_other_table", {"column": "w", "other_table_name": "letters"}, [4]),
        ("rows_to_satisfy", {"condition": "n < k and k > 0"}, [3, 4, 5]),
        (
            "column_pair_values_a_to_be_greater_than_b",
            {"column_A": "k", "column_B": "n", "ignore_row_if": "neither"},
            [2, 3, 4, 5],
        ),
        ("table_rows_to_be_distinct", {}, []),
    ],
)
def test_the_failing_rows_are_found(that: str, given: dict[str, Any], rows: list[int]) -> None:
    found = result(that, **given)

    assert [row["#"] for row in found.examples] == rows[:5]
    assert found.failed_row_count == len(rows)
    assert found.passed is not bool(rows)


@pytest.mark.parametrize(
    ("that", "given", "passed", "value"),
    [
        ("column_mean_to_be_between", {"column": "n", "max_value": 3, "where": "n < 100"}, True, 7 / 3),
        ("column_max_to_be_between", {"column": "at", "max_value": "2026-01-04"}, False, "2026-01-05T00:00:00"),
        ("column_sum_to_be_between", {"column": "k", "min_value": 18, "strict_min": True}, False, 18.0),
        ("column_most_common_value_to_be_in_set", {"column": "w", "value_set": ["a"]}, True, ["a"]),
        ("table_row_count_to_equal", {"value": 6}, True, 6),
        ("table_row_count_to_equal_other_table", {"other_table_name": "letters"}, False, {"self": 6, "other": 3}),
        ("query_to_return_no_rows", {"query": "select k from self group by k having count(*) > 1"}, False, 1),
        (
            "query_results_to_match_comparison",
            {"base_query": "select distinct w from self where w in ('a', 'b')", "comparison_query": "select w from letters where x < 3"},
            True,
            2,
        ),
        ("column_max_to_be_recent", {"column": "at", "within": "26h"}, True, "2026-01-05T00:00:00"),
        ("column_max_to_be_recent", {"column": "at", "within": "1h"}, False, "2026-01-05T00:00:00"),
        ("table_row_count_to_be_near_reference", {}, True, 6),
    ],
)  # fmt: skip
def test_the_whole_table_is_judged(
    that: str, given: dict[str, Any], passed: bool, value: object
) -> None:
    found = result(that, **given)

    assert (found.passed, found.value) == (passed, pytest.approx(value))


def test_a_share_of_rows_may_fail() -> None:
    found = result("column_values_to_be_between", column="n", max_value=10, mostly=0.75)

    assert found.passed
    assert (found.failed_row_count, found.row_count, found.mostly) == (1, 4, 0.75)
    assert found.observed == "1 row of 4 not so (25 %)"


@pytest.mark.parametrize(
    ("that", "given", "why"),
    [
        ("column_values_to_be_unique", {"column": "gone"}, "there is no column 'gone'"),
        ("column_mean_to_be_between", {"column": "w"}, "'w' is string, not a number"),
        ("column_values_to_be_between", {"column": "w", "max_value": 3}, "can't be compared"),
        ("column_values_to_be_between", {"column": "n"}, "a range needs"),
        ("column_values_to_match_regex", {"column": "w", "regex": "("}, "is no regular expression"),
        ("rows_to_satisfy", {"condition": "gone > 1"}, "there is no column 'gone'"),
        ("rows_to_satisfy", {"condition": "w > 1"}, "can't be checked"),
        ("query_to_return_no_rows", {"query": "select gone from self"}, "the query fails"),
        ("column_values_to_be_in_other_table", {"column": "w", "other_table_name": "no"}, "no dataset"),
    ],
)  # fmt: skip
def test_what_can_not_be_asked_fails_and_says_why(
    that: str, given: dict[str, Any], why: str
) -> None:
    schema = TableSchema(
        dataset="t",
        columns=(),
        allow_extra_columns=True,
        expectations=(
            Expectation(that=that, arguments=given),
            Expectation(that="column_to_exist", arguments={"column": "n"}),
        ),
    )

    *_, broken, sound = check_table(schema, TABLE, around=AROUND).results

    assert not broken.passed and why in broken.observed
    assert sound.passed


def test_missing_values_are_a_category_when_versions_are_compared() -> None:
    before = pl.DataFrame({"x": [float(i % 50) for i in range(1000)]})
    silent = before.with_columns(pl.when(pl.int_range(1000) % 4 != 0).then("x").alias("x"))
    around = Surroundings(reference=profile_table(before))

    for measure in ("psi", "jensen_shannon", "l_infinity", "ks"):
        given = {"column": "x", "measure": measure, "threshold": 0.05, "around": around}
        assert not result("column_distribution_to_match_reference", silent, **given).passed
        assert result("column_distribution_to_match_reference", before, **given).passed


def test_private_values_are_shown_nowhere() -> None:
    schema = TableSchema(
        dataset="t",
        columns=(
            ColumnSchema(
                name="mail", type=DataType.STRING, private=True, pattern=".*@.*", max_null_share=1.0
            ),
        ),
        allow_extra_columns=True,
        expectations=(
            Expectation(that="column_values_to_be_unique", arguments={"column": "mail"}),
            Expectation(
                that="column_max_to_be_between", arguments={"column": "mail", "max_value": "a"}
            ),
            Expectation(
                that="column_values_to_be_between", arguments={"column": "k", "max_value": 1}
            ),
        ),
    )
    table = pl.DataFrame({"mail": ["ann@x.org", "ann@x.org", "secret"], "k": [1, 2, 3]})

    report = check_table(schema, table)

    assert len(report.blocking) == 4
    assert "ann" not in str(report) and "secret" not in str(report)
    profile = profile_table(table, private=["mail"])
    assert "ann" not in str(profile) and "secret" not in str(profile)
    assert profile.columns[0].distinct_count == 2


def test_a_schema_file_asks_with_expectations() -> None:
    schema = parse_schema(
        'dataset = "t"\nallow_extra_columns = true\n[[expect]]\nthat = "expect_column_values_to_be_unique"\n'
        'column = "k"\nmostly = 0.5\nwhere = "n > 1"\nseverity = "quarantine"\nname = "keys"\n'
    )

    assert schema.expectations == (
        Expectation(
            that="column_values_to_be_unique",
            arguments={"column": "k"},
            mostly=0.5,
            where="n > 1",
            severity=Severity.QUARANTINE,
            name="keys",
        ),
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('that = "column_values_to_be_uniq"', "no expectation 'column_values_to_be_uniq'"),
        ('that = "column_values_to_be_unique"', "missing required field `column`"),
        ('that = "column_values_to_be_unique"\ncolumn = "k"\nlimit = 3', "unknown field `limit`"),
        (
            'that = "column_to_exist"\ncolumn = "k"\nseverity = "quarantine"',
            "about the whole table",
        ),
        ('that = "column_values_to_be_unique"\ncolumn = "k"\nwhere = "n >"', "is no condition"),
        ('column = "k"', "does not say what"),
        ('that = "column_values_to_be_unique"\ncolumn = "k"\nmostly = 2', "mostly is 2"),
    ],
)
def test_a_wrong_expectation_is_refused_with_its_line(lines: str, said: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_schema(f'dataset = "t"\n[[expect]]\n{lines}\n', name="t.toml")

    assert said in caught.value.message
    assert str(caught.value.where).startswith("t.toml:")
    assert caught.value.hint


def test_environments_ask_for_different_columns() -> None:
    schema = parse_schema(
        'dataset = "t"\n[column.x]\ntype = "integer"\n[column.label]\ntype = "integer"\n'
        'environments = ["training"]\n'
    )
    serving = pl.DataFrame({"x": [1]})

    assert check_table(schema, serving, environment="serving").passed
    assert [r.check for r in check_table(schema, serving).blocking] == ["missing-column"]
    assert not check_table(schema, serving, environment="training").passed
    with_label = serving.with_columns(label=1)
    assert check_table(schema, with_label, environment="serving").passed


def test_rows_are_split_by_what_quarantines_them() -> None:
    schema = TableSchema(
        dataset="t",
        columns=(),
        allow_extra_columns=True,
        expectations=(
            Expectation(
                that="column_values_to_be_between",
                arguments={"column": "k", "max_value": 4},
                severity=Severity.QUARANTINE,
                name="small",
            ),
            Expectation(
                that="column_values_to_not_be_null",
                arguments={"column": "w"},
                severity=Severity.QUARANTINE,
                name="named",
            ),
        ),
    )

    checking = Checking(schema, TABLE)

    assert checking.report().quarantined_row_count == 2
    split = checking.split()
    assert split is not None
    good, bad = (frame.collect() for frame in split)
    assert good["k"].to_list() == [3, 3, 2, 4]
    assert bad["reason"].to_list() == ["named", "small"]
    assert Checking(schema, TABLE.head(2)).split() is None


def test_every_entry_says_what_it_expects() -> None:
    for name, found in entries().items():
        assert found.summary.endswith("."), name
        assert find_entry(name) is found
