"""Writing schemas as TOML, so that people can read and edit them; `schema_file` reads them back."""

import json
import re
from collections.abc import Iterable, Mapping

from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, Expectation, TableSchema

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")

_HEADER = """\
# What a delivery of "{dataset}" must be like. It is yours: edit it, review it, keep it in git.
# A delivery that fails a check of severity "block" is kept apart and never used for training;
# severity = "quarantine" keeps only the failing rows apart, severity = "warn" only reports.
#
# A column takes: type ("boolean", "integer", "float", "string", "date", "datetime" or "other"),
#   required = false        it may be absent
#   max_null_share = 0.01   at most this share of rows without a value (0 if not given)
#   min, max                the range of numbers, dates and times, both ends included
#   max_outside_share = 0.005  up to this share of rows may lie outside, which then only warns
#   categories = [...]      the only values there may be
#   max_unseen_share = 0.01 up to this share of rows may have others, which then only warns
#   pattern = "..."         a regular expression that the whole text matches
#   unique = true           no value twice
#   increasing = true       no value below one before it
#   environments = ["training"]   where the column is asked for: a label is not there when serving
#   private = true          its values are shown in no report
#   severity, unit, description
# Of the table: min_row_count; key = [columns that together are unique]; allow_extra_columns;
#   event_time = "..."      the column that says when a row was so
#   label_at = "..."        the column that says when its labels = [columns] became known
# More is asked by [[expect]] tables: that = "column_values_to_be_between", its arguments, and where wanted
#   mostly = 0.99, where = "an SQL condition", severity, name (`mainspring schema catalogue` lists them all).
"""


def schema_text(schema: TableSchema, *, evidence: Mapping[str, str] | None = None) -> str:
    """A schema as TOML, which `parse_schema` reads back as the same value.

    `evidence` says by column what was seen in the data; it becomes a comment there.
    """
    lines = [_HEADER.format(dataset=schema.dataset), f"dataset = {toml_value(schema.dataset)}"]
    lines.append(f"min_row_count = {schema.min_row_count}")
    if schema.key:
        lines.append(f"key = {toml_value(schema.key)}")
    for name in ("event_time", "label_at", "labels"):
        if value := getattr(schema, name):
            lines.append(f"{name} = {toml_value(value)}")
    if schema.allow_extra_columns:
        lines.append("allow_extra_columns = true")
    for column in schema.columns:
        lines += ["", *column_lines(column, (evidence or {}).get(column.name))]
    for expectation in schema.expectations:
        lines += ["", *expectation_lines(expectation)]
    return "\n".join(lines) + "\n"


def expectation_lines(expectation: Expectation) -> list[str]:
    """An expectation as a TOML table."""
    lines = ["[[expect]]", f"that = {toml_value(expectation.that)}"]
    lines += [
        f"{key_text(name)} = {toml_value(value)}"
        for name, value in expectation.arguments.items()
        if value is not None
    ]
    if expectation.mostly < 1:
        lines.append(f"mostly = {toml_value(expectation.mostly)}")
    for name in ("where", "name"):
        if value := getattr(expectation, name):
            lines.append(f"{name} = {toml_value(value)}")
    if expectation.environments:
        lines.append(f"environments = {toml_value(expectation.environments)}")
    if expectation.severity is not Severity.BLOCK:
        lines.append(f"severity = {toml_value(expectation.severity.value)}")
    return lines


def column_lines(column: ColumnSchema, evidence: str | None = None) -> list[str]:
    """A column as a TOML table, with what was seen as a comment."""
    lines = [f"[column.{key_text(column.name)}]"]
    if evidence:
        lines.append(f"# {' '.join(evidence.split())}")
    return [*lines, *(f"{key} = {toml_value(value)}" for key, value in _settings(column))]


_SETTINGS = (
    "max_outside_share",
    "categories",
    "max_unseen_share",
    "pattern",
    "unique",
    "increasing",
    "environments",
    "private",
    "unit",
    "description",
)


def _settings(column: ColumnSchema) -> Iterable[tuple[str, object]]:
    """What a column asks for beyond what is asked anyway, in the order of the header."""
    yield "type", column.type.value
    if not column.required:
        yield "required", False
    if column.max_null_share:
        yield "max_null_share", column.max_null_share
    for key, bound in (("min", column.minimum), ("max", column.maximum)):
        if bound is not None:
            yield key, _shorter(bound) if column.type is DataType.INTEGER else bound
    if column.severity is not Severity.BLOCK:
        yield "severity", column.severity.value
    for key in _SETTINGS:
        if value := getattr(column, key):
            yield key, value


def _shorter(bound: float | str) -> float | str:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def key_text(name: str) -> str:
    """A name as a key in TOML, in quotes where it needs them."""
    return name if _BARE_KEY.match(name) else toml_value(name)


def toml_value(value: object) -> str:
    """A value as TOML."""
    if value is None:
        return '"null"'
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(value)
        case str():
            return _text(value)
        case tuple() | list():
            return f"[{', '.join(toml_value(item) for item in value)}]"
        case dict():
            # TOML has no null: what is null is left out.
            items = [f"{key_text(k)} = {toml_value(v)}" for k, v in value.items() if v is not None]
            return f"{{ {', '.join(items)} }}" if items else "{}"
        case _:
            raise TypeError(f"a schema holds no {type(value).__name__}")


def _text(value: str) -> str:
    # TOML's escapes are JSON's, but for the delete character.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
