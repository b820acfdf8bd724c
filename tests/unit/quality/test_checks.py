"""Checks: what each finds, what it lets pass, and the rows it shows."""

from datetime import date, datetime

import polars as pl
import pytest

from mainspring.domain.check import CheckReport, CheckResult, Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, TableSchema
from mainspring.kernel.codec import decode, encode
from mainspring.quality.checks import check_table
from mainspring.quality.report import report_lines
from mainspring.quality.schema_file import parse_schema

INTEGER, FLOAT, STRING = DataType.INTEGER, DataType.FLOAT, DataType.STRING


def a_schema(*columns: ColumnSchema, **changes: object) -> TableSchema:
    return TableSchema(dataset="rides", columns=columns, **changes)  # type: ignore[arg-type]


def failures(schema: TableSchema, table: pl.DataFrame) -> list[CheckResult]:
    return [result for result in check_table(schema, table).results if not result.passed]


def the_failure(schema: TableSchema, table: pl.DataFrame) -> CheckResult:
    found = failures(schema, table)
    assert len(found) == 1, found
    return found[0]


def test_a_value_outside_the_range_is_found_and_shown() -> None:
    schema = a_schema(
        ColumnSchema(name="temp", type=FLOAT, minimum=-20.0, maximum=50.0),
        ColumnSchema(name="id", type=INTEGER, unique=True),
    )
    table = pl.DataFrame({"temp": [20.0, 68.0, 104.5], "id": [7, 8, 9]})

    failure = the_failure(schema, table)

    assert (failure.check, failure.column, failure.failed_row_count) == ("range", "temp", 2)
    assert failure.observed == "2 rows outside (68 to 104.5)"
    assert failure.expected == "between -20 and 50"
    assert failure.examples == (
        {"#": 1, "temp": 68.0, "id": 8},
        {"#": 2, "temp": 104.5, "id": 9},
    )


def test_nan_is_missing_and_infinity_is_out_of_range() -> None:
    schema = a_schema(ColumnSchema(name="x", type=FLOAT, maximum=1.0))

    found = failures(schema, pl.DataFrame({"x": [float("nan"), float("inf"), 0.5]}))

    assert [(f.check, f.failed_row_count) for f in found] == [("missing-values", 1), ("range", 1)]
    assert found[1].examples == ({"#": 1, "x": "inf"},)


def test_a_share_of_missing_values_is_allowed_up_to_the_limit() -> None:
    schema = a_schema(ColumnSchema(name="x", type=INTEGER, max_null_share=0.1))
    values: list[int | None] = list(range(30))

    values[:3] = [None] * 3
    assert not failures(schema, pl.DataFrame({"x": values}))

    values[3] = None
    failure = the_failure(schema, pl.DataFrame({"x": values}))
    assert failure.observed == "13.3 % missing (4 rows)"
    assert failure.expected == "at most 10 % missing"


def test_values_nobody_has_seen_are_named_most_frequent_first() -> None:
    schema = a_schema(ColumnSchema(name="w", type=STRING, categories=("clear", "rain")))
    table = pl.DataFrame({"w": ["clear", "hail", "fog", "hail", None]})

    found = failures(schema, table)

    assert [f.check for f in found] == ["missing-values", "categories"]
    assert found[1].observed == "3 rows with 'hail', 'fog'"


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int64, pl.UInt32, pl.Float64])
def test_codes_are_compared_as_numbers_whatever_their_width(dtype: pl.DataType) -> None:
    schema = a_schema(ColumnSchema(name="code", type=INTEGER, categories=(1, 2, 3)))

    failure = the_failure(schema, pl.DataFrame({"code": pl.Series([1, 9, 3], dtype=dtype)}))

    assert failure.observed == "1 row with 9"


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["a", "b"])])
def test_polars_categories_are_text(dtype: pl.DataType) -> None:
    schema = a_schema(ColumnSchema(name="c", type=STRING, categories=("a",), pattern="[a-z]"))

    failure = the_failure(schema, pl.DataFrame({"c": pl.Series(["a", "b"], dtype=dtype)}))

    assert failure.check == "categories"


def test_a_pattern_must_match_the_whole_text() -> None:
    schema = a_schema(ColumnSchema(name="day", type=STRING, pattern="[0-9]{4}|never"))
    table = pl.DataFrame({"day": ["2011", "20111", "x2011", "never", "2011\n"]})

    failure = the_failure(schema, table)

    assert (failure.check, failure.failed_row_count) == ("pattern", 3)
    assert failure.observed == "3 rows of another form, such as '20111'"


def test_repeated_values_are_found_at_their_repetition() -> None:
    schema = a_schema(ColumnSchema(name="id", type=INTEGER, unique=True, max_null_share=1.0))

    failure = the_failure(schema, pl.DataFrame({"id": [1, 2, 1, None, None, 1]}))

    assert (failure.check, failure.failed_row_count) == ("unique", 2)
    assert [row["#"] for row in failure.examples] == [2, 5]


def test_a_value_below_the_last_one_is_out_of_order_even_across_gaps() -> None:
    schema = a_schema(ColumnSchema(name="at", type=INTEGER, increasing=True, max_null_share=1.0))

    failure = the_failure(schema, pl.DataFrame({"at": [1, 5, None, 4, 4, 9]}))

    assert (failure.check, failure.failed_row_count) == ("increasing", 1)
    assert failure.examples[0]["#"] == 3


def test_a_key_of_several_columns_names_a_row() -> None:
    schema = a_schema(
        ColumnSchema(name="day", type=INTEGER),
        ColumnSchema(name="hour", type=INTEGER),
        key=("day", "hour"),
    )
    table = pl.DataFrame({"day": [1, 1, 2, 1], "hour": [1, 2, 1, 2]})

    failure = the_failure(schema, table)

    assert (failure.check, failure.column, failure.failed_row_count) == ("key", None, 1)
    assert failure.examples == ({"#": 3, "day": 1, "hour": 2},)


def test_columns_that_are_absent_or_unknown_are_found() -> None:
    columns = (
        ColumnSchema(name="a", type=INTEGER),
        ColumnSchema(name="b", type=INTEGER, required=False),
    )
    table = pl.DataFrame({"c": [1]})

    strict = failures(a_schema(*columns), table)
    lenient = failures(a_schema(*columns, allow_extra_columns=True), table)

    assert [(f.check, f.column, f.severity) for f in strict] == [
        ("missing-column", "a", Severity.BLOCK),
        ("extra-column", "c", Severity.BLOCK),
    ]
    assert lenient[1].severity is Severity.WARN


@pytest.mark.parametrize(
    ("wanted", "values", "passes"),
    [
        (FLOAT, pl.Series([1, 2]), True),
        (INTEGER, pl.Series([1.0, 2.0]), True),
        (INTEGER, pl.Series([1.0, 2.5]), False),
        (INTEGER, pl.Series([1.0, float("inf")]), True),
        (FLOAT, pl.Series(["1.5"]), False),
        (STRING, pl.Series([1]), False),
        (DataType.DATE, pl.Series(["2011-01-01"]), False),
        (DataType.BOOLEAN, pl.Series([True]), True),
        (DataType.DATETIME, pl.Series([datetime(2011, 1, 1)]), True),
        (DataType.OTHER, pl.Series([[1]]), True),
        (FLOAT, pl.Series([None, None], dtype=pl.String), True),
    ],
)
def test_types_are_checked_as_people_mean_them(
    wanted: DataType, values: pl.Series, passes: bool
) -> None:
    schema = a_schema(ColumnSchema(name="x", type=wanted, max_null_share=1.0))

    assert (not failures(schema, pl.DataFrame({"x": values}))) is passes


def test_a_column_of_the_wrong_type_is_not_judged_further() -> None:
    schema = a_schema(ColumnSchema(name="x", type=FLOAT, minimum=0.0, unique=True))

    failure = the_failure(schema, pl.DataFrame({"x": ["a", "a"]}))

    assert (failure.check, failure.observed, failure.expected) == ("type", "string", "float")
    assert failure.examples[0] == {"#": 0, "x": "a"}


def test_too_few_rows_are_found_and_none_at_all_is_no_accident() -> None:
    schema = a_schema(ColumnSchema(name="x", type=FLOAT, minimum=0.0, unique=True, increasing=True))

    failure = the_failure(schema, pl.DataFrame(schema={"x": pl.Float64}))

    assert (failure.check, failure.observed) == ("row-count", "0 rows")


def test_dates_and_times_have_ranges() -> None:
    schema = a_schema(
        ColumnSchema(name="day", type=DataType.DATE, minimum="2011-01-01"),
        ColumnSchema(name="local", type=DataType.DATETIME, maximum="2011-06-01T12:00:00"),
        ColumnSchema(name="zoned", type=DataType.DATETIME, maximum="2011-06-01T12:00:00+00:00"),
    )
    noon, later = datetime(2011, 6, 1, 12), datetime(2011, 6, 1, 13)
    table = pl.DataFrame(
        {
            "day": [date(2011, 1, 1), date(2010, 12, 31)],
            "local": [noon, later],
            "zoned": pl.Series([noon, later]).dt.replace_time_zone("UTC"),
        }
    ).with_columns(pl.col("zoned").dt.convert_time_zone("Asia/Tokyo"))

    found = failures(schema, table)

    assert [(f.check, f.column, f.failed_row_count) for f in found] == [
        ("range", "day", 1),
        ("range", "local", 1),
        ("range", "zoned", 1),
    ]
    assert found[0].examples[0]["day"] == "2010-12-31"


def test_a_warning_lets_the_data_pass() -> None:
    schema = a_schema(ColumnSchema(name="x", type=INTEGER, maximum=1.0, severity=Severity.WARN))

    report = check_table(schema, pl.DataFrame({"x": [5]}))

    assert report.passed
    assert [result.check for result in report.warnings] == ["range"]


def test_a_lazy_table_is_judged_like_the_same_one_in_memory() -> None:
    schema = a_schema(
        ColumnSchema(name="x", type=INTEGER, maximum=90_000.0),
        ColumnSchema(name="c", type=STRING, categories=("a",)),
    )
    table = pl.DataFrame({"x": range(100_000), "c": ["a"] * 99_999 + ["b"]})

    assert check_table(schema, table.lazy()) == check_table(schema, table)
    assert check_table(schema, table).blocking[0].examples[0]["#"] == 90_001


def test_columns_with_the_names_we_use_ourselves_do_no_harm() -> None:
    schema = a_schema(
        *(ColumnSchema(name=name, type=INTEGER, maximum=1.0) for name in ("#", "0", "rows", "row"))
    )
    table = pl.DataFrame({"#": [9], "0": [9], "rows": [9], "row": [9]})

    found = failures(schema, table)

    assert [f.failed_row_count for f in found] == [1, 1, 1, 1]
    assert found[1].examples[0]["#"] == 0


def test_a_report_survives_json() -> None:
    schema = a_schema(ColumnSchema(name="x", type=FLOAT, maximum=1.0))
    report = check_table(schema, pl.DataFrame({"x": [2.0, float("inf")], "y": [b"\xff", None]}))

    assert decode(encode(report), CheckReport) == report


def test_a_report_reads_well() -> None:
    schema = a_schema(
        ColumnSchema(name="temp", type=FLOAT, maximum=50.0, max_null_share=0.5),
        ColumnSchema(name="code", type=INTEGER, categories=(1, 2), severity=Severity.WARN),
    )
    table = pl.DataFrame({"temp": [20.0, None, 72.5], "code": [1, 7, 2]})

    assert report_lines(check_table(schema, table), title="rides") == [
        "rides: refused: 1 of 7 checks failed on 3 rows, 1 warning",
        "",
        "✗ temp, range: 1 row outside (72.5); expected at most 50",
        "    row 2: temp=72.5  code=2",
        "",
        "! code, categories: 1 row with 7; expected one of 1, 2",
        "    row 1: code=7  temp=(missing)",
    ]
    assert report_lines(check_table(schema, table[:1])) == ["Passed 7 of 7 checks on 1 row"]


def test_examples_of_outliers_are_those_of_the_whole_table() -> None:
    # Among the first rows alone, others stand out.
    first = [float(n % 50) for n in range(16_000)] + [90.0] * 10
    table = pl.DataFrame({"x": first + [100.0] * 9_000 + [9e5] * 6})
    schema = parse_schema(
        'dataset = "d"\n[column.x]\ntype = "float"\n[[expect]]\n'
        'that = "column_value_z_scores_to_be_less_than"\n'
        'column = "x"\nthreshold = 4\ndouble_sided = true\n'
    )

    (failed,) = check_table(schema, table).blocking

    assert failed.failed_row_count == 6
    assert {row["x"] for row in failed.examples} == {9e5}
