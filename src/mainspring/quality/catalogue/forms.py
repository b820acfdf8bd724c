"""Expectations of the form of texts: patterns, times, JSON."""

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import Scope
from mainspring.quality.compiled import RowCheck

if TYPE_CHECKING:
    import polars as pl


@entry
def column_values_to_match_regex(scope: Scope, *, column: str, regex: str = "(?s).*") -> RowCheck:
    """A pattern is found in every value."""
    text = scope.text(column)
    return scope.rows(
        [column],
        ~_found(text, regex),
        f"text with {regex}",
    )


@entry
def column_values_to_not_match_regex(scope: Scope, *, column: str, regex: str) -> RowCheck:
    """A pattern is found in no value."""
    text = scope.text(column)
    return scope.rows(
        [column],
        _found(text, regex),
        f"no text with {regex}",
    )


@entry
def column_values_to_match_regex_list(
    scope: Scope, *, column: str, regex_list: list[str], match_on: Literal["any", "all"] = "any"
) -> RowCheck:
    """Any, or all, of several patterns are found in every value."""
    text = scope.text(column)
    found = _combined([_found(text, regex) for regex in regex_list], match_on)
    return scope.rows(
        [column],
        ~found,
        f"{match_on} of {', '.join(regex_list)}",
    )


@entry
def column_values_to_not_match_regex_list(
    scope: Scope, *, column: str, regex_list: list[str]
) -> RowCheck:
    """None of several patterns is found in any value."""
    text = scope.text(column)
    found = _combined([_found(text, regex) for regex in regex_list], "any")
    return scope.rows(
        [column],
        found,
        f"none of {', '.join(regex_list)}",
    )


@entry
def column_values_to_match_like_pattern(
    scope: Scope, *, column: str, like_pattern: str, escape: str | None = None
) -> RowCheck:
    """Every value has the form of an SQL pattern, with `%` for any text and `_` for one character."""
    text = scope.text(column)
    like = _found(text, regex_of_like(like_pattern, escape))
    return scope.rows(
        [column],
        ~like,
        f"like {like_pattern}",
    )


@entry
def column_values_to_not_match_like_pattern(
    scope: Scope, *, column: str, like_pattern: str, escape: str | None = None
) -> RowCheck:
    """No value has the form of an SQL pattern."""
    text = scope.text(column)
    like = _found(text, regex_of_like(like_pattern, escape))
    return scope.rows(
        [column],
        like,
        f"not like {like_pattern}",
    )


@entry
def column_values_to_match_like_pattern_list(
    scope: Scope,
    *,
    column: str,
    like_pattern_list: list[str],
    match_on: Literal["any", "all"] = "any",
    escape: str | None = None,
) -> RowCheck:
    """Every value has the form of any, or all, of several SQL patterns."""
    text = scope.text(column)
    found = _combined([_found(text, regex_of_like(p, escape)) for p in like_pattern_list], match_on)
    said = f"like {match_on} of {', '.join(like_pattern_list)}"
    return scope.rows(
        [column],
        ~found,
        said,
    )


@entry
def column_values_to_not_match_like_pattern_list(
    scope: Scope, *, column: str, like_pattern_list: list[str], escape: str | None = None
) -> RowCheck:
    """No value has the form of any of several SQL patterns."""
    text = scope.text(column)
    found = _combined([_found(text, regex_of_like(p, escape)) for p in like_pattern_list], "any")
    return scope.rows(
        [column],
        found,
        f"like none of {', '.join(like_pattern_list)}",
    )


@entry
def column_values_to_match_strftime_format(
    scope: Scope, *, column: str, strftime_format: str
) -> RowCheck:
    """Every text is a time in one format."""
    text = scope.text(column)

    def is_time(value: str) -> bool:
        try:
            datetime.strptime(value, strftime_format)
        except ValueError:
            return False
        return True

    bad = ~_asked(text, is_time)
    return scope.rows(
        [column],
        bad,
        f"a time like {strftime_format}",
    )


@entry
def column_values_to_be_dateutil_parseable(scope: Scope, *, column: str) -> RowCheck:
    """Every text can be read as a date or time by `dateutil`."""
    parse = _dateutil()
    text = scope.text(column)

    def is_time(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, OverflowError):
            return False
        return True

    return scope.rows(
        [column],
        ~_asked(text, is_time),
        "a date or time",
    )


@entry
def column_values_to_be_json_parseable(scope: Scope, *, column: str) -> RowCheck:
    """Every text is JSON."""
    text = scope.text(column)
    return scope.rows(
        [column],
        ~_asked(text, lambda v: _json(v) is not None),
        "JSON",
    )


@entry
def column_values_to_match_json_schema(
    scope: Scope, *, column: str, json_schema: dict[str, Any]
) -> RowCheck:
    """Every text is JSON that fits a JSON schema."""
    validator = _validator(json_schema)
    text = scope.text(column)

    def fits(value: str) -> bool:
        document = _json(value)
        return document is not None and bool(validator(document[0]))

    return scope.rows(
        [column],
        ~_asked(text, fits),
        "JSON of the schema",
    )


def regex_of_like(pattern: str, escape: str | None) -> str:
    """The regular expression for an SQL pattern.

    >>> regex_of_like("a_%", None)
    '(?s)^a..*$'
    """
    parts, characters = [], iter(pattern)
    for character in characters:
        if escape and character == escape:
            parts.append(re.escape(next(characters, escape)))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return f"(?s)^{''.join(parts)}$"


def _found(text: "pl.Expr", regex: str) -> "pl.Expr":
    """Whether a pattern is found, by Polars' engine if it knows the pattern and Python's otherwise."""
    import polars as pl

    try:
        pl.Series([""]).str.contains(regex)
    except pl.exceptions.PolarsError:
        try:
            pattern = re.compile(regex)
        except re.error as error:
            raise Invalid(
                f"{regex!r} is no regular expression: {error}", code="bad_regex"
            ) from error
        return _asked(text, lambda value: pattern.search(value) is not None)
    return text.str.contains(regex)


def _combined(found: "list[pl.Expr]", match_on: str) -> "pl.Expr":
    import polars as pl

    if not found:
        raise Invalid("the list of patterns is empty", code="empty_list")
    return pl.any_horizontal(found) if match_on == "any" else pl.all_horizontal(found)


def _asked(text: "pl.Expr", question: Callable[[str], bool]) -> "pl.Expr":
    """A question that only Python can answer, put to each different text once."""
    import polars as pl

    def answer(values: "pl.Series") -> "pl.Series":
        different = values.drop_nulls().unique()
        answers = [question(value) for value in different.to_list()]
        return values.replace_strict(
            different, pl.Series(answers, dtype=pl.Boolean), default=None, return_dtype=pl.Boolean
        )

    return text.map_batches(answer, return_dtype=pl.Boolean, is_elementwise=True)


def _json(text: str) -> tuple[Any] | None:
    try:
        return (json.loads(text),)
    except (ValueError, RecursionError):
        return None


def _dateutil() -> Callable[[str], object]:
    try:
        from dateutil.parser import parse
    except ImportError as error:
        raise _needs("python-dateutil") from error
    return parse  # type: ignore[no-any-return]


def _validator(schema: dict[str, Any]) -> Callable[[Any], bool]:
    try:
        import jsonschema
    except ImportError as error:
        raise _needs("jsonschema") from error
    try:
        cls = jsonschema.validators.validator_for(schema)
        cls.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise Invalid(f"this is no JSON schema: {error.message}", code="bad_json_schema") from error
    return cls(schema).is_valid  # type: ignore[no-any-return]


def _needs(package: str) -> Invalid:
    return Invalid(
        f"this needs {package}: install mainspring[checks]",
        code="extra_missing",
        hint="pip install 'mainspring[checks]'",
    )
