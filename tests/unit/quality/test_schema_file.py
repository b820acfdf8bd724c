"""Schema files: what is read from them, and what is said of mistakes in them."""

import pytest

from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, TableSchema
from mainspring.domain.times import Times
from mainspring.kernel.errors import Invalid
from mainspring.quality.schema_file import parse_schema
from mainspring.quality.schema_text import schema_text

FULL = """\
dataset = "rides"
min_row_count = 24
key = ["ride_id"]
allow_extra_columns = true

[column.ride_id]
type = "string"
pattern = '[0-9]{4}'
unique = true

[column.temp]
type = "float"
max_null_share = 0.02
min = -19
max = 49.5
severity = "warn"
description = "in °C"

[column."the day"]
type = "date"
min = 2011-01-01
increasing = true
required = false

[column.at]
type = "datetime"
min = "2011-01-01T00:00:00"

[column.weather]
type = "string"
categories = ["clear", "rain"]
"""


def test_a_schema_file_says_what_is_expected() -> None:
    schema = parse_schema(FULL)

    assert (schema.dataset, schema.min_row_count, schema.key) == ("rides", 24, ("ride_id",))
    assert schema.allow_extra_columns
    by_name = {column.name: column for column in schema.columns}
    assert by_name["temp"] == ColumnSchema(
        name="temp",
        type=DataType.FLOAT,
        max_null_share=0.02,
        minimum=-19.0,
        maximum=49.5,
        severity=Severity.WARN,
        description="in °C",
    )
    assert by_name["the day"].minimum == "2011-01-01"
    assert by_name["at"].minimum == "2011-01-01T00:00:00"
    assert by_name["weather"].categories == ("clear", "rain")


def test_what_is_written_reads_back_as_the_same() -> None:
    schema = parse_schema(FULL)

    text = schema_text(schema, evidence={"temp": "seen in 10 rows\nof two lines"})

    assert parse_schema(text) == schema
    assert "# seen in 10 rows of two lines\ntype" in text


def test_hostile_names_and_texts_survive_being_written() -> None:
    schema = TableSchema(
        dataset='a"b',
        columns=(
            ColumnSchema(
                name='x]\n[column.y"\\\x7f',
                type=DataType.STRING,
                categories=("\x00", "'", '"""', "\\u0041", "é"),
                pattern=r"\d+\"'",
            ),
            ColumnSchema(name="", type=DataType.INTEGER, minimum=-1e300, maximum=5.0),
        ),
    )

    assert parse_schema(schema_text(schema, evidence={"": "a\n[column.z]"})) == schema


@pytest.mark.parametrize(
    ("text", "line", "said", "remedy"),
    [
        ("dataset = rides", 1, "not valid TOML", "quote"),
        ('dataset = "r"\ncolumns = 1', 2, "unknown key 'columns'", "Did you mean 'column'"),
        ("min_row_count = 1", 1, "does not say of which dataset", 'dataset = "..."'),
        ('dataset = "r"', 1, "no column is declared", "[column.NAME]"),
        (
            'dataset = "r"\nevent_time = "at"\n[column.x]\ntype = "float"',
            2,
            "event_time names 'at', which is no column",
            "Declare it",
        ),
        (
            'dataset = "r"\nlabel_at = "x"\n[column.x]\ntype = "float"',
            2,
            "label_at names 'x', whose type is float",
            '"date" or "datetime"',
        ),
        (
            'dataset = "r"\nlabel_at = "x"\n[column.x]\ntype = "date"',
            2,
            "there is label_at and no labels",
            "Say both",
        ),
        (
            'dataset = "r"\nlabel_at = "x"\nlabels = ["x"]\n[column.x]\ntype = "date"',
            3,
            "'x' is both a label and a time",
            "Take it out of one",
        ),
        ('dataset = "r"\ncolumn = 3', 2, "column is 3", "a table"),
        ('dataset = "r"\n[column]\nx = 3', 3, "column.x is not a table", "[column.x]"),
        ('dataset = "r"\n[column.x]\nmin = 1', 2, "column.x has no type", 'type = "float"'),
        (
            'dataset = "r"\n[column.x]\ntype = "real"',
            3,
            "column.x.type is 'real'",
            "one of: boolean, integer, float",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "float"\nminimum = 3',
            4,
            "unknown key 'column.x.minimum'",
            "Did you mean 'min'",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "float"\nmin = "3"',
            4,
            "column.x.min is '3'",
            "It takes a number",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "float"\nmin = nan',
            4,
            "column.x.min is nan",
            "It takes a number",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "date"\nmin = "tomorrow"',
            4,
            "column.x.min is 'tomorrow'",
            "2026-01-31",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "string"\nmin = 1',
            4,
            "column.x.min is 1",
            "has no range",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "float"\nmin = 2\nmax = 1',
            5,
            "max below its min",
            "Swap",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "float"\nmax_null_share = 5',
            4,
            "column.x.max_null_share is 5",
            "from 0 to 1",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "integer"\ncategories = [\n  1,\n  "2",\n]',
            6,
            "has '2', which is no integer",
            "column's type",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "integer"\ncategories = []',
            4,
            "categories is empty",
            "remove the key",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "string"\npattern = "(a"',
            4,
            "no regular expression",
            "single quotes",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "integer"\npattern = "a"',
            4,
            "on a column of type integer",
            "Only text",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "float"\nunique = "yes"',
            4,
            "column.x.unique is 'yes'",
            "true or false",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "boolean"\nincreasing = true',
            4,
            "on a column of type boolean",
            "no order",
        ),
        (
            'dataset = "r"\nkey = ["y"]\n[column.x]\ntype = "float"',
            2,
            "names 'y', which is no column",
            "Declare",
        ),
        (
            'dataset = "r"\nmin_row_count = true\n[column.x]\ntype = "float"',
            2,
            "min_row_count is True",
            "whole number",
        ),
        (
            'dataset = "r"\nmin_row_count = -1\n[column.x]\ntype = "float"',
            2,
            "min_row_count is -1",
            "from 0 on",
        ),
        (
            'dataset = "r"\n[column.x]\ntype = "float"\nseverity = "fatal"',
            4,
            "column.x.severity is 'fatal'",
            "block, quarantine, warn",
        ),
    ],
)
def test_a_mistake_is_named_with_line_and_remedy(
    text: str, line: int, said: str, remedy: str
) -> None:
    with pytest.raises(Invalid) as caught:
        parse_schema(text, name="rides.schema.toml")

    assert caught.value.where == f"rides.schema.toml:{line}"
    assert said in caught.value.message
    assert caught.value.hint is not None
    assert remedy in caught.value.hint


def test_times_are_written_and_read_back() -> None:
    columns = tuple(
        ColumnSchema(name=name, type=DataType.DATETIME) for name in ("at", "paid_at", "fare")
    )
    schema = TableSchema(
        dataset="r", columns=columns, event_time="at", label_at="paid_at", labels=("fare",)
    )

    assert parse_schema(schema_text(schema)) == schema
    assert schema.times == Times(event_time="at", label_at="paid_at", labels=("fare",))
    assert TableSchema(dataset="r", columns=columns).times is None
