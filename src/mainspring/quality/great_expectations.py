"""Taking over suites of Great Expectations, and giving schemas back as such. What can't be carried is listed."""

import re
from dataclasses import dataclass
from typing import Any

from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, Expectation, TableSchema
from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.entries import arguments_of, entries

_FROM_SEVERITY = {
    "critical": Severity.BLOCK,
    "warning": Severity.WARN,
    "info": Severity.WARN,
}
_TO_SEVERITY = {
    Severity.BLOCK: "critical",
    Severity.QUARANTINE: "critical",
    Severity.WARN: "warning",
}
_RENAMED = {
    "multicolumn_values_to_be_unique": "select_column_values_to_be_unique_within_record",
}
# Of the validation, not of what is expected.
_SETTINGS = ("result_format", "catch_exceptions", "include_config", "batch_id")
_TYPES = {
    DataType.INTEGER: ["int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8"],
    DataType.FLOAT: ["float64", "float32", "int64", "int32"],
    DataType.STRING: ["object", "str", "string", "category"],
    DataType.BOOLEAN: ["bool", "boolean"],
    DataType.DATETIME: ["datetime64[ns]", "datetime64[us]", "datetime64[ms]", "Timestamp"],
}
_OPERATORS = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OURS = "it has no such expectation"

# What they call core; ours beyond these can't be given back.
CORE = frozenset(
    (
        "column_distinct_values_to_be_in_set",
        "column_distinct_values_to_contain_set",
        "column_distinct_values_to_equal_set",
        "column_kl_divergence_to_be_less_than",
        "column_max_to_be_between",
        "column_mean_to_be_between",
        "column_median_to_be_between",
        "column_min_to_be_between",
        "column_most_common_value_to_be_in_set",
        "column_pair_values_a_to_be_greater_than_b",
        "column_pair_values_to_be_equal",
        "column_pair_values_to_be_in_set",
        "column_proportion_of_non_null_values_to_be_between",
        "column_proportion_of_unique_values_to_be_between",
        "column_quantile_values_to_be_between",
        "column_stdev_to_be_between",
        "column_sum_to_be_between",
        "column_to_exist",
        "column_type_to_be",
        "column_unique_value_count_to_be_between",
        "column_value_lengths_to_be_between",
        "column_value_lengths_to_equal",
        "column_value_z_scores_to_be_less_than",
        "column_values_to_be_between",
        "column_values_to_be_dateutil_parseable",
        "column_values_to_be_decreasing",
        "column_values_to_be_in_set",
        "column_values_to_be_in_type_list",
        "column_values_to_be_increasing",
        "column_values_to_be_json_parseable",
        "column_values_to_be_null",
        "column_values_to_be_of_type",
        "column_values_to_be_unique",
        "column_values_to_match_json_schema",
        "column_values_to_match_like_pattern",
        "column_values_to_match_like_pattern_list",
        "column_values_to_match_regex",
        "column_values_to_match_regex_list",
        "column_values_to_match_strftime_format",
        "column_values_to_not_be_in_set",
        "column_values_to_not_be_null",
        "column_values_to_not_be_outliers",
        "column_values_to_not_match_like_pattern",
        "column_values_to_not_match_like_pattern_list",
        "column_values_to_not_match_regex",
        "column_values_to_not_match_regex_list",
        "compound_columns_to_be_unique",
        "multicolumn_sum_to_equal",
        "multicolumn_values_to_be_equal",
        "query_results_to_match_comparison",
        "select_column_values_to_be_unique_within_record",
        "table_column_count_to_be_between",
        "table_column_count_to_equal",
        "table_columns_to_match_ordered_list",
        "table_columns_to_match_set",
        "table_row_count_to_be_between",
        "table_row_count_to_equal",
        "table_row_count_to_equal_other_table",
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What could be taken over, and in a line each what could not and why."""

    expectations: tuple[Expectation, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite as its JSON, and in a line each what of the schema is not in it."""

    document: dict[str, Any]
    left_out: tuple[str, ...]


def from_suite(document: object) -> Carried:
    """The expectations of a suite's JSON, of any of its 0.x and 1.x forms; raises `Invalid` for another JSON."""
    given = document.get("expectations") if isinstance(document, dict) else None
    if not isinstance(given, list):
        raise Invalid(
            "this is no suite of Great Expectations: it has no list `expectations`",
            code="not_a_suite",
            hint="Give the JSON file of one expectation suite.",
        )
    carried: list[Expectation] = []
    left_out: list[str] = []
    for number, item in enumerate(given):
        where = f"expectation {number + 1}"
        try:
            expectation, notes = _expectation(item)
        except Invalid as error:
            kind = _type(item)
            left_out.append(f"{where}{f' ({kind})' if kind else ''}: {error.message}")
            continue
        carried.append(expectation)
        left_out += [f"{where} ({expectation.that}): {note}" for note in notes]
    return Carried(expectations=tuple(carried), left_out=tuple(left_out))


def to_suite(schema: TableSchema) -> Suite:
    """A schema as a suite's JSON of Great Expectations 1.x."""
    left_out: list[str] = []
    items: list[dict[str, Any]] = [
        {
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": schema.min_row_count},
        }
    ]
    if schema.key:
        items.append(
            {
                "type": "expect_compound_columns_to_be_unique",
                "kwargs": {"column_list": list(schema.key)},
            }
        )
    if not schema.allow_extra_columns and all(c.required for c in schema.columns):
        kwargs = {"column_set": [c.name for c in schema.columns]}
        items.append({"type": "expect_table_columns_to_match_set", "kwargs": kwargs})
    for column in schema.columns:
        items += _of_column(column)
        if column.unit or column.environments or column.private:
            left_out.append(f"{column.name}: unit, environments and private have no place there")
    for expectation in schema.expectations:
        if expectation.that not in CORE:
            left_out.append(f"{expectation.that}: {_OURS}")
        elif expectation.where:
            left_out.append(f"{expectation.that}: its condition is SQL ({expectation.where})")
        else:
            items.append(_item(expectation))
    suite: dict[str, Any] = {
        "name": schema.dataset,
        "expectations": items,
        "meta": {},
        "notes": None,
    }
    return Suite(document=suite, left_out=tuple(left_out))


def condition_of(given: object, parser: object) -> str | None:
    """A row condition as SQL; raises `Invalid` for one that can't be told in it."""
    if given is None:
        return None
    if isinstance(given, dict):
        return _condition_tree(given)
    text = _condition_text(str(given), str(parser or ""))
    _check_condition(text, given)
    return text


def _expectation(item: object) -> tuple[Expectation, list[str]]:
    kind, kwargs = _type(item), item.get("kwargs", {}) if isinstance(item, dict) else None
    if not kind or not isinstance(kwargs, dict) or not isinstance(item, dict):
        raise Invalid("it has no type or no kwargs")
    that = kind.removeprefix("expect_")
    that = _RENAMED.get(that, that)
    if that not in entries():
        raise Invalid("it is a custom expectation, whose code is not in the suite")
    kwargs = {k: v for k, v in kwargs.items() if k not in _SETTINGS and v is not None}
    for name, value in kwargs.items():
        if isinstance(value, dict) and "$PARAMETER" in value:
            raise Invalid(f"{name} is a parameter, whose value is not in the suite")
    mostly = kwargs.pop("mostly", 1.0)
    parser = kwargs.pop("condition_parser", None)
    where = condition_of(kwargs.pop("row_condition", None), parser)
    expectation = Expectation(
        that=that,
        arguments=kwargs,
        mostly=float(mostly),
        where=where,
        severity=_FROM_SEVERITY.get(str(item.get("severity", "critical")), Severity.BLOCK),
        name=str(item.get("description") or ""),
    )
    arguments_of(expectation)
    notes = []
    if item.get("windows"):
        notes.append("its windows, which move its limits with the past, are left out")
    if item.get("severity") == "info":
        notes.append("its severity is info, here warn")
    return expectation, notes


def _type(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    return str(item.get("type") or item.get("expectation_type") or "")


def _item(expectation: Expectation) -> dict[str, Any]:
    kwargs = {k: v for k, v in expectation.arguments.items() if v is not None}
    if expectation.mostly < 1:
        kwargs["mostly"] = expectation.mostly
    return {
        "type": f"expect_{expectation.that}",
        "kwargs": kwargs,
        "severity": _TO_SEVERITY[expectation.severity],
        "meta": {},
        **({"description": expectation.name} if expectation.name else {}),
    }


def _of_column(column: ColumnSchema) -> list[dict[str, Any]]:
    name = {"column": column.name}
    asked: list[tuple[str, dict[str, Any]]] = []
    if column.required:
        asked.append(("column_to_exist", {}))
    if column.type in _TYPES:
        asked.append(("column_values_to_be_in_type_list", {"type_list": _TYPES[column.type]}))
    if column.max_null_share < 1:
        share = {"mostly": 1 - column.max_null_share} if column.max_null_share else {}
        asked.append(("column_values_to_not_be_null", share))
    if column.minimum is not None or column.maximum is not None:
        ends = {"min_value": column.minimum, "max_value": column.maximum}
        asked.append(
            ("column_values_to_be_between", {k: v for k, v in ends.items() if v is not None})
        )
    if column.categories is not None:
        asked.append(("column_values_to_be_in_set", {"value_set": list(column.categories)}))
    if column.pattern is not None:
        asked.append(("column_values_to_match_regex", {"regex": f"^(?:{column.pattern})$"}))
    if column.unique:
        asked.append(("column_values_to_be_unique", {}))
    if column.increasing:
        asked.append(("column_values_to_be_increasing", {}))
    severity = _TO_SEVERITY[column.severity]
    return [
        {"type": f"expect_{that}", "kwargs": name | kwargs, "severity": severity, "meta": {}}
        for that, kwargs in asked
    ]


def _condition_tree(node: dict[str, Any]) -> str:
    match node.get("type"):
        case "and" | "or" as word:
            parts = [_condition_tree(part) for part in node.get("conditions", [])]
            return "(" + f" {word.upper()} ".join(parts) + ")"
        case "nullity":
            word = "IS NULL" if node.get("is_null") else "IS NOT NULL"
            return f"{_quoted(node['column']['name'])} {word}"
        case "comparison":
            return _comparison(node)
        case "pass_through":
            return condition_of(node.get("pass_through_filter"), "pandas") or "true"
        case other:
            raise Invalid(f"its condition is of an unknown kind, {other!r}")


def _comparison(node: dict[str, Any]) -> str:
    operator, value = str(node.get("operator")), node.get("parameter")
    column = _quoted(node["column"]["name"])
    if operator.upper() in ("IN", "NOT IN", "NOT_IN") and isinstance(value, list):
        word = operator.upper().replace("_", " ")
        return f"{column} {word} ({', '.join(_sql(item) for item in value)})"
    if operator not in _OPERATORS:
        raise Invalid(f"its condition has an unknown operator, {operator!r}")
    return f"{column} {_OPERATORS[operator]} {_sql(value)}"


def _condition_text(text: str, parser: str) -> str:
    """A condition of pandas' `query` or of `col("x") > 1`, as far as SQL says the same."""
    text = re.sub(r'col\(\s*["\'](.+?)["\']\s*\)', lambda m: _quoted(m[1]), text)
    if parser in ("pandas", ""):
        text = re.sub(r'"([^"]*)"', lambda m: "'" + m[1].replace("'", "''") + "'", text)
        text = re.sub(r"`([^`]+)`", lambda m: _quoted(m[1]), text)
    text = re.sub(r"\.(notnull|notna|notNull)\(\)", " IS NOT NULL", text)
    text = re.sub(r"\.(isnull|isna|isNull)\(\)", " IS NULL", text)
    for theirs, ours in (("==", "="), ("!=", "<>"), ("&", " AND "), ("|", " OR "), ("~", "NOT ")):
        text = text.replace(theirs, ours)
    return text.strip()


def _check_condition(text: str, given: object) -> None:
    import polars as pl

    try:
        pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise Invalid(f"its condition {given!r} can't be told in SQL") from error


def _sql(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case _:
            return "'" + str(value).replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
