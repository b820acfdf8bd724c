"""Taking over suites and schemas of other tools, and giving ours back."""

import pytest

from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, Expectation, TableSchema
from mainspring.kernel.errors import Invalid
from mainspring.quality.great_expectations import condition_of, from_suite, to_suite
from mainspring.quality.pbtxt import one, parse_pbtxt
from mainspring.quality.tfdv import from_pbtxt, schema_pbtxt, to_pbtxt

SCHEMA_PBTXT = """
# Written by TFDV.
feature {
  name: "payment_type"
  type: BYTES
  domain: "payment_type"
  presence { min_fraction: 0.9 min_count: 1 }
  distribution_constraints { min_domain_mass: 0.95 }
  drift_comparator { infinity_norm { threshold: 0.01 } }
  shape { dim { size: 1 } }
}
feature {
  name: 'fare'
  type: FLOAT
  presence: < min_fraction: 1.0 >
  float_domain { min: 0.0 max: 2.5e2 }
  skew_comparator { jensen_shannon_divergence { threshold: 0.1 } }
}
feature { name: "tips" type: FLOAT not_in_environment: "SERVING" presence { min_count: 1 } }
feature { name: "old" type: INT lifecycle_stage: DEPRECATED unique_constraints { min: 2 max: 9 } }
string_domain { name: "payment_type" value: "Cash" value: "Credit \\303\\251" value: ["No", "Dispute"] }
default_environment: "TRAINING"
default_environment: "SERVING"
dataset_constraints { min_examples_count: 100 num_examples_version_comparator { min_fraction_threshold: 0.5 max_fraction_threshold: 2 } }
tensor_representation_group { key: "" value { } }
"""


def test_a_tfdv_schema_is_taken_over_and_what_is_not_is_listed() -> None:
    carried = from_pbtxt(SCHEMA_PBTXT, "taxi")

    payment, fare, tips, old = carried.schema.columns
    assert payment == ColumnSchema(
        name="payment_type",
        type=DataType.STRING,
        max_null_share=0.1,
        categories=("Cash", "Credit é", "No", "Dispute"),
        max_unseen_share=0.05,
    )
    assert (fare.minimum, fare.maximum, fare.max_null_share) == (0.0, 250.0, 0.0)
    assert (tips.environments, tips.required, tips.max_null_share) == (("training",), True, 1.0)
    assert (old.severity, old.required) == (Severity.WARN, False)
    assert [e.that for e in carried.schema.expectations] == [
        "column_distribution_to_match_reference",
        "column_distribution_to_match_training",
        "column_unique_value_count_to_be_between",
        "table_row_count_to_be_between",
        "table_row_count_to_be_near_reference",
    ]
    assert [line.split(":")[0] for line in carried.left_out] == [
        "payment_type",
        "old.lifecycle_stage",
        "tensor_representation_group",
    ]


def test_a_schema_comes_back_from_tfdv_as_it_went() -> None:
    schema = from_pbtxt(SCHEMA_PBTXT, "taxi").schema

    again = from_pbtxt(schema_pbtxt(schema), "taxi").schema

    assert again.columns[:3] == schema.columns[:3]
    assert again.expectations[:3] == schema.expectations[:3]
    assert to_pbtxt(schema).left_out == (
        "table_row_count_to_be_between: it has no counterpart",
        "table_row_count_to_be_near_reference: it has no counterpart",
    )


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("feature {\n name: }", "where a value should be", "line 2"),
        ("feature {", "does not end", "line 1"),
        ("feature { name: 'x' \x00", "can't be read", "line 1"),
        ("{}", "where a field's name should be", "line 1"),
        ("a " + "{ a " * 200, "nested too deep", "line 1"),
    ],
)
def test_text_that_is_no_protocol_buffer_is_refused_with_its_line(
    text: str, said: str, line: str
) -> None:
    with pytest.raises(Invalid, match=said) as caught:
        parse_pbtxt(text)

    assert caught.value.where == line


def test_the_last_value_of_a_field_counts() -> None:
    assert one(parse_pbtxt("a: 1 a: -2.5 b: ON c: 'x' \"y\""), "a") == -2.5
    assert one(parse_pbtxt("a: 1 a: -2.5 b: ON c: 'x' \"y\""), "c") == "xy"


def test_what_a_suite_can_not_carry_is_listed() -> None:
    carried = from_suite(
        {
            "expectation_suite_name": "old",
            "expectations": [
                {
                    "expectation_type": "expect_column_values_to_be_in_set",
                    "kwargs": {"column": "a", "value_set": ["x"], "mostly": 0.9},
                    "severity": "warning",
                },
                {"type": "expect_column_values_to_be_prime", "kwargs": {"column": "a"}},
                {
                    "type": "expect_column_max_to_be_between",
                    "kwargs": {"column": "a", "max_value": {"$PARAMETER": "limit"}},
                },
                {
                    "type": "expect_column_values_to_be_unique",
                    "kwargs": {"column": "a", "row_condition": "a.str.len() == 3"},
                },
                {"type": "expect_column_values_to_be_unique", "kwargs": {"columns": "a"}},
            ],
        }
    )

    assert carried.expectations == (
        Expectation(
            that="column_values_to_be_in_set",
            arguments={"column": "a", "value_set": ["x"]},
            mostly=0.9,
            severity=Severity.WARN,
        ),
    )
    assert [line.split(" (")[0] for line in carried.left_out] == [
        "expectation 2",
        "expectation 3",
        "expectation 4",
        "expectation 5",
    ]
    with pytest.raises(Invalid, match="no suite"):
        from_suite({"name": "x"})


@pytest.mark.parametrize(
    ("given", "parser", "sql"),
    [
        ('a > 1 and b == "it\'s"', "pandas", "a > 1 and b = 'it''s'"),
        ("`the name`.notnull() & c != 2", "pandas", '"the name" IS NOT NULL  AND  c <> 2'),
        ('col("a") == 5', "great_expectations", '"a" = 5'),
        (
            {
                "type": "or",
                "conditions": [
                    {"type": "nullity", "column": {"name": "a"}, "is_null": True},
                    {
                        "type": "comparison",
                        "column": {"name": "b"},
                        "operator": "IN",
                        "parameter": ["x", 2, None],
                    },
                ],
            },
            None,
            '("a" IS NULL OR "b" IN (\'x\', 2, NULL))',
        ),
    ],
)
def test_row_conditions_become_sql(given: object, parser: object, sql: str) -> None:
    assert condition_of(given, parser) == sql


def test_a_schema_becomes_a_suite_that_comes_back() -> None:
    schema = TableSchema(
        dataset="rides",
        columns=(
            ColumnSchema(name="temp", type=DataType.FLOAT, minimum=-20.0, max_null_share=0.1),
            ColumnSchema(name="id", type=DataType.STRING, pattern="R[0-9]+", unique=True),
        ),
        key=("temp", "id"),
        expectations=(
            Expectation(
                that="column_mean_to_be_between", arguments={"column": "temp", "max_value": 3}
            ),
            Expectation(that="rows_to_satisfy", arguments={"condition": "temp > 1"}),
            Expectation(
                that="column_values_to_be_unique", arguments={"column": "id"}, where="temp > 1"
            ),
        ),
    )

    suite = to_suite(schema)

    assert suite.left_out == (
        "rows_to_satisfy: it has no such expectation",
        "column_values_to_be_unique: its condition is SQL (temp > 1)",
    )
    back = from_suite(suite.document)
    assert back.left_out == ()
    assert [e.that for e in back.expectations] == [
        "table_row_count_to_be_between",
        "compound_columns_to_be_unique",
        "table_columns_to_match_set",
        "column_to_exist",
        "column_values_to_be_in_type_list",
        "column_values_to_not_be_null",
        "column_values_to_be_between",
        "column_to_exist",
        "column_values_to_be_in_type_list",
        "column_values_to_not_be_null",
        "column_values_to_match_regex",
        "column_values_to_be_unique",
        "column_mean_to_be_between",
    ]
