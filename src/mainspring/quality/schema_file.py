"""Reading schemas, which are TOML files that people edit: errors say where, and teach."""

import math
import tomllib
from datetime import date, datetime
from typing import Any

from mainspring.domain.check import Scalar, Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, Expectation, TableSchema
from mainspring.kernel.errors import Invalid
from mainspring.kernel.toml_lines import Path as Keys
from mainspring.kernel.toml_lines import key_lines
from mainspring.quality.catalogue.entries import arguments_of, find_entry
from mainspring.quality.schema_text import key_text
from mainspring.services.explain import Where, dotted, not_toml, unknown_key

_TABLE_KEYS = (
    "dataset",
    "min_row_count",
    "key",
    "event_time",
    "label_at",
    "labels",
    "allow_extra_columns",
    "column",
    "expect",
)
_COLUMN_KEYS = (
    "type",
    "required",
    "max_null_share",
    "min",
    "max",
    "max_outside_share",
    "categories",
    "max_unseen_share",
    "pattern",
    "unique",
    "increasing",
    "severity",
    "unit",
    "private",
    "environments",
    "description",
)
_EXPECT_KEYS = ("that", "mostly", "where", "severity", "name", "environments")
_SEE_CATALOGUE = "See `mainspring schema catalogue`."
_TEMPORAL = (DataType.DATE, DataType.DATETIME)


def parse_schema(text: str, *, name: str = "schema.toml") -> TableSchema:
    """The schema in a TOML text; raises `Invalid` with line and remedy. `name` is what errors call it."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise not_toml(error, text, name) from error
    return _Reader(document, Where(name=name, lines=key_lines(text))).table()


class _Reader:
    """Reads one document; every error knows the line that it is about."""

    def __init__(self, document: dict[str, Any], where: Where) -> None:
        self._document = document
        self._where = where

    def table(self) -> TableSchema:
        document = self._document
        for key in document:
            if key not in _TABLE_KEYS:
                raise unknown_key(self._where, (key,), _TABLE_KEYS)
        dataset = self._get(document, ("dataset",), str, "text in quotes", None)
        if not dataset:
            raise self._error(
                ("dataset",),
                "the schema does not say of which dataset it is",
                'Add dataset = "...".',
            )
        given = self._get(document, ("column",), dict, "a table", {})
        if not given and not document.get("expect"):
            raise self._error(("column",), "no column is declared", "Add a table [column.NAME].")
        columns = tuple(self._column(name, value) for name, value in given.items())
        names = [column.name for column in columns]
        event_time, label_at = (self._time(key, columns) for key in ("event_time", "label_at"))
        return TableSchema(
            dataset=dataset,
            columns=columns,
            min_row_count=self._row_count(),
            key=self._known_columns("key", names),
            event_time=event_time,
            label_at=label_at,
            labels=self._labels(names, event_time, label_at),
            allow_extra_columns=self._get(
                document, ("allow_extra_columns",), bool, "true or false", False
            ),
            expectations=self._expectations(),
        )

    def _expectations(self) -> tuple[Expectation, ...]:
        path = ("expect",)
        given = self._get(self._document, path, list, "tables, written [[expect]]", [])
        return tuple(self._expectation(index, item) for index, item in enumerate(given))

    def _expectation(self, index: int, given: object) -> Expectation:
        path: Keys = ("expect", index)
        if not isinstance(given, dict):
            raise self._error(path, f"{dotted(path)} is not a table", "Write [[expect]].")
        that = self._get(given, (*path, "that"), str, "the name of an expectation", "")
        if not that:
            raise self._error(
                path,
                f"{dotted(path)} does not say what",
                'Add that = "column_values_to_be_unique".',
            )
        expectation = Expectation(
            that=that.removeprefix("expect_"),
            arguments={k: _plain(v) for k, v in given.items() if k not in _EXPECT_KEYS},
            mostly=self._share(given, (*path, "mostly"), 1.0),
            where=self._get(given, (*path, "where"), str, "an SQL condition", None),
            severity=self._severity(given, path),
            name=self._get(given, (*path, "name"), str, "text in quotes", ""),
            environments=self._names(given, (*path, "environments")),
        )
        self._try(expectation, path)
        return expectation

    def _try(self, expectation: Expectation, path: Keys) -> None:
        """Refuse what the catalogue does not know or take."""
        try:
            arguments_of(expectation)
            entry = find_entry(expectation.that)
        except Invalid as error:
            raise self._error(path, error.message, error.hint or _SEE_CATALOGUE) from error
        if expectation.severity is Severity.QUARANTINE and not entry.is_about_rows:
            raise self._error(
                (*path, "severity"),
                f"{expectation.that} is about the whole table, so it can keep no rows apart",
                'Take severity "block" or "warn".',
            )
        if expectation.where is not None and (problem := _condition_problem(expectation.where)):
            raise self._error(
                (*path, "where"),
                f"{dotted((*path, 'where'))} is no condition: {problem}",
                "Write it as in SQL: amount > 0 and country = 'FR'.",
            )

    def _names(self, given: dict[str, Any], path: Keys) -> tuple[str, ...]:
        names = self._get(given, path, list, "a list of names", [])
        for name in names:
            if not isinstance(name, str):
                raise self._error(path, f"{dotted(path)} has {name!r}", "It takes names in quotes.")
        return tuple(names)

    def _severity(self, given: dict[str, Any], path: Keys) -> Severity:
        known = [severity.value for severity in Severity]
        return Severity(self._choice(given, (*path, "severity"), known, "block"))

    def _row_count(self) -> int:
        path = ("min_row_count",)
        count: int = self._get(self._document, path, int, "a whole number", 1)
        if count < 0:
            raise self._error(path, f"min_row_count is {count}", "It is a number from 0 on.")
        return count

    def _known_columns(self, key: str, names: list[str]) -> tuple[str, ...]:
        given = self._get(self._document, (key,), list, "a list of column names", [])
        for index, name in enumerate(given):
            if name not in names:
                raise self._error(
                    (key, index), f"{key} names {name!r}, which is no column", "Declare it below."
                )
        return tuple(given)

    def _time(self, key: str, columns: tuple[ColumnSchema, ...]) -> str | None:
        """The column that a key of the table names, which must tell a time."""
        name: str | None = self._get(
            self._document, (key,), str, "the name of a column in quotes", None
        )
        if name is None:
            return None
        column = next((column for column in columns if column.name == name), None)
        if column is None:
            raise self._error(
                (key,), f"{key} names {name!r}, which is no column", "Declare it below."
            )
        if column.type not in _TEMPORAL:
            raise self._error(
                (key,),
                f"{key} names {name!r}, whose type is {column.type.value}",
                'It takes a column of type "date" or "datetime".',
            )
        return name

    def _labels(
        self, names: list[str], event_time: str | None, label_at: str | None
    ) -> tuple[str, ...]:
        """The columns that are known late; they and `label_at` are declared together."""
        labels = self._known_columns("labels", names)
        if bool(labels) != (label_at is not None):
            have, lack = ("labels", "label_at") if labels else ("label_at", "labels")
            raise self._error(
                (have,),
                f"there is {have} and no {lack}",
                'Say both: label_at = "the column with the time", labels = ["what is known then"].',
            )
        for index, name in enumerate(labels):
            if name in (event_time, label_at):
                raise self._error(
                    ("labels", index), f"{name!r} is both a label and a time", "Take it out of one."
                )
        return labels

    def _column(self, name: str, given: object) -> ColumnSchema:
        path: Keys = ("column", name)
        if not isinstance(given, dict):
            raise self._error(
                path, f"{dotted(path)} is not a table", f"Write [column.{key_text(name)}]."
            )
        for key in given:
            if key not in _COLUMN_KEYS:
                raise unknown_key(self._where, (*path, key), _COLUMN_KEYS)
        if "type" not in given:
            raise self._error(path, f"{dotted(path)} has no type", 'Add type = "float", say.')
        type_ = DataType(self._choice(given, (*path, "type"), [t.value for t in DataType], ""))
        minimum, maximum = (self._bound(given, (*path, end), type_) for end in ("min", "max"))
        if minimum is not None and maximum is not None and _is_below(maximum, minimum):
            raise self._error(
                (*path, "max"), f"{dotted(path)} has a max below its min", "Swap or widen them."
            )
        return ColumnSchema(
            name=name,
            type=type_,
            required=self._flag(given, (*path, "required"), True),
            max_null_share=self._share(given, (*path, "max_null_share")),
            minimum=minimum,
            maximum=maximum,
            categories=self._categories(given, (*path, "categories"), type_),
            max_outside_share=self._share(given, (*path, "max_outside_share")),
            max_unseen_share=self._share(given, (*path, "max_unseen_share")),
            pattern=self._pattern(given, (*path, "pattern"), type_),
            unique=self._flag(given, (*path, "unique"), False),
            increasing=self._increasing(given, (*path, "increasing"), type_),
            severity=self._severity(given, path),
            unit=self._get(given, (*path, "unit"), str, "text in quotes", ""),
            private=self._flag(given, (*path, "private"), False),
            environments=self._names(given, (*path, "environments")),
            description=self._get(given, (*path, "description"), str, "text in quotes", ""),
        )

    def _bound(self, given: dict[str, Any], path: Keys, type_: DataType) -> float | str | None:
        value = given.get(str(path[-1]))
        if value is None:
            return None
        if type_.is_numeric and _is_number(value):
            return float(value)
        if type_ in _TEMPORAL and (text := _iso(value, type_)) is not None:
            return text
        if type_.is_numeric:
            remedy = "It takes a number."
        elif type_ in _TEMPORAL:
            remedy = "It takes a date such as 2026-01-31" + (
                "." if type_ is DataType.DATE else ", or a time such as 2026-01-31T12:00:00."
            )
        else:
            remedy = f"A column of type {type_.value} has no range; remove the key."
        raise self._error(path, f"{dotted(path)} is {value!r}", remedy)

    def _categories(
        self, given: dict[str, Any], path: Keys, type_: DataType
    ) -> tuple[Scalar, ...] | None:
        if "categories" not in given:
            return None
        values = self._get(given, path, list, "a list of values", [])
        if not values:
            raise self._error(
                path, f"{dotted(path)} is empty", "Name the values, or remove the key."
            )
        for index, value in enumerate(values):
            if not _is_of_type(value, type_):
                raise self._error(
                    (*path, index),
                    f"{dotted(path)} has {value!r}, which is no {type_.value}",
                    "List values of the column's type; dates, times and lists can't be listed.",
                )
        return tuple(values)

    def _pattern(self, given: dict[str, Any], path: Keys, type_: DataType) -> str | None:
        pattern: str | None = self._get(given, path, str, "text in quotes", None)
        if pattern is None:
            return None
        if type_ is not DataType.STRING:
            raise self._error(
                path, f"{dotted(path)} is on a column of type {type_.value}", "Only text has one."
            )
        if problem := _regex_problem(pattern):
            raise self._error(
                path,
                f"{dotted(path)} is no regular expression: {problem}",
                "Write it in single quotes, so that backslashes stay: '[0-9]{4}-[A-Z]+'. "
                "Look-around and back-references are not known.",
            )
        return pattern

    def _increasing(self, given: dict[str, Any], path: Keys, type_: DataType) -> bool:
        wanted = self._flag(given, path, False)
        if wanted and type_ in (DataType.OTHER, DataType.BOOLEAN):
            raise self._error(
                path, f"{dotted(path)} is on a column of type {type_.value}", "It has no order."
            )
        return wanted

    def _share(self, given: dict[str, Any], path: Keys, default: float = 0.0) -> float:
        value = given.get(str(path[-1]), default)
        if not _is_number(value) or not 0 <= value <= 1:
            raise self._error(
                path, f"{dotted(path)} is {value!r}", "It is a share of the rows, from 0 to 1."
            )
        return float(value)

    def _flag(self, given: dict[str, Any], path: Keys, default: bool) -> bool:
        return bool(self._get(given, path, bool, "true or false", default))

    def _choice(self, given: dict[str, Any], path: Keys, known: list[str], default: str) -> str:
        value = given.get(str(path[-1]), default)
        if value not in known:
            raise self._error(
                path, f"{dotted(path)} is {value!r}", f"It is one of: {', '.join(known)}."
            )
        return str(value)

    def _get(self, given: dict[str, Any], path: Keys, type_: type, kind: str, default: Any) -> Any:
        """The value under a path's last key if it has the type; `Any` because TOML's values have."""
        value = given.get(str(path[-1]), default)
        fits = isinstance(value, type_) and not (type_ is int and isinstance(value, bool))
        if str(path[-1]) in given and not fits:
            raise self._error(path, f"{dotted(path)} is {value!r}", f"It takes {kind}.")
        return value

    def _error(self, path: Keys, message: str, hint: str) -> Invalid:
        return Invalid(message, code="bad_schema", where=self._where(path), hint=hint)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_of_type(value: object, type_: DataType) -> bool:
    match type_:
        case DataType.STRING:
            return isinstance(value, str)
        case DataType.BOOLEAN:
            return isinstance(value, bool)
        case DataType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        case DataType.FLOAT:
            return _is_number(value)
        case _:
            return False


def _iso(value: object, type_: DataType) -> str | None:
    """A date or time, given as TOML's own or as text, in ISO form; None if it is neither."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
        if type_ is DataType.DATE:
            value = value.date()
    if isinstance(value, datetime):
        return value.isoformat() if type_ is DataType.DATETIME else None
    return value.isoformat() if isinstance(value, date) else None


def _is_below(one: float | str, other: float | str) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        a, b = datetime.fromisoformat(one), datetime.fromisoformat(other)
        return a.replace(tzinfo=None) < b.replace(tzinfo=None)
    return float(one) < float(other)


def _plain(value: Any) -> Any:
    """TOML's own dates and times as text; `Any`, since an argument may be any JSON."""
    match value:
        case datetime() | date():
            return value.isoformat()
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case "null":
            return None
        case _:
            return value


def _condition_problem(condition: str) -> str | None:
    import polars as pl

    try:
        pl.sql_expr(condition)
    except pl.exceptions.PolarsError as error:
        return str(error).strip().split("\n")[0]
    return None


def _regex_problem(pattern: str) -> str | None:
    """Why the engine that will run it does not take a pattern, or None."""
    import polars as pl

    try:
        pl.Series([""]).str.contains(pattern)
    except pl.exceptions.PolarsError as error:
        return str(error).strip().split("\n")[-1].removeprefix("error: ")
    return None
