"""What TensorFlow Data Validation calls our findings, for people and programs that know its names."""

from dataclasses import replace
from typing import Any

from mainspring.domain.check import CheckResult
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import Expectation, TableSchema

_ALWAYS = {
    "missing-column": "SCHEMA_MISSING_COLUMN",
    "extra-column": "SCHEMA_NEW_COLUMN",
    "missing-values": "FEATURE_TYPE_LOW_FRACTION_PRESENT",
    "type": "UNEXPECTED_DATA_TYPE",
    "categories": "ENUM_TYPE_UNEXPECTED_STRING_VALUES",
    "row-count": "DATASET_LOW_NUM_EXAMPLES",
    "rows_to_satisfy": "CUSTOM_VALIDATION",
    "custom_check_to_pass": "CUSTOM_VALIDATION",
    "query_to_return_no_rows": "CUSTOM_VALIDATION",
    "query_to_find_no_failing_rows": "CUSTOM_VALIDATION",
}
_COMPARED = {
    "l_infinity": "COMPARATOR_L_INFTY_HIGH",
    "jensen_shannon": "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
}
_ENDS = {
    "table_row_count_to_be_between": (
        ("min_value", "max_value"),
        ("DATASET_LOW_NUM_EXAMPLES", "DATASET_HIGH_NUM_EXAMPLES"),
    ),
    "table_row_count_to_be_near_reference": (
        ("min_fraction", "max_fraction"),
        ("COMPARATOR_LOW_NUM_EXAMPLES", "COMPARATOR_HIGH_NUM_EXAMPLES"),
    ),
    "column_unique_value_count_to_be_between": (
        ("min_value", "max_value"),
        ("FEATURE_TYPE_LOW_UNIQUE", "FEATURE_TYPE_HIGH_UNIQUE"),
    ),
}


def with_names(results: list[CheckResult], schema: TableSchema) -> list[CheckResult]:
    """Results with those names at the findings that they fit; the last of them are of the schema's expectations."""
    first = len(results) - len(schema.expectations)
    asked = dict(enumerate(schema.expectations, first))
    return [
        result
        if result.passed
        else replace(result, anomaly=_name(result, schema, asked.get(place)))
        for place, result in enumerate(results)
    ]


def _name(result: CheckResult, schema: TableSchema, asked: Expectation | None) -> str:
    if result.check == "range":
        return _out_of_range(result, schema)
    if asked is not None and result.check in _ENDS:
        return _beyond(result, asked)
    if asked is not None and result.check.startswith("column_distribution_to_match_"):
        return _COMPARED.get(str(asked.arguments.get("measure")), "")
    return _ALWAYS.get(result.check, "")


def _out_of_range(result: CheckResult, schema: TableSchema) -> str:
    """By the example rows: the first value that lies outside says on which side."""
    column = next((c for c in schema.columns if c.name == result.column), None)
    if column is None or not column.type.is_numeric or column.private:
        return ""
    kind = "INT" if column.type is DataType.INTEGER else "FLOAT"
    values = [row.get(column.name) for row in result.examples]
    below = any(_is_below(value, column.minimum) for value in values)
    return f"{kind}_TYPE_{'SMALL' if below else 'BIG'}_{kind}"


def _beyond(result: CheckResult, asked: Expectation) -> str:
    (low, _), names = _ENDS[result.check]
    if result.value is None:
        return ""
    return names[0] if _is_below(result.value, asked.arguments.get(low)) else names[1]


def _is_below(value: Any, bound: Any) -> bool:
    numbers = isinstance(value, int | float) and isinstance(bound, int | float)
    return numbers and value < bound
