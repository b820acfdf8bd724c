"""The catalogue itself: entries by name, their arguments' types, and compiling an expectation."""

import importlib
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.domain.check import Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.schema import Expectation
from mainspring.kernel.codec import convert
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.quality.catalogue.scope import Scope, Surroundings
from mainspring.quality.compiled import Check, Judged, ValueCheck

if TYPE_CHECKING:
    import polars as pl

_MODULES = ("values", "forms", "several", "aggregates", "tables", "distributions", "others", "own")

Compile = Callable[..., Check]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of expectation. `arguments` is a struct whose fields are those that it takes."""

    name: str
    compile: Compile
    arguments: type[msgspec.Struct]
    is_about_rows: bool

    @property
    def fields(self) -> tuple[str, ...]:
        """Its arguments' names; those in brackets may be left out."""
        return tuple(
            field.name if field.required else f"[{field.name}]"
            for field in msgspec.structs.fields(self.arguments)
        )

    @property
    def summary(self) -> str:
        """What it expects, in one sentence."""
        return (inspect.getdoc(self.compile) or "").split("\n")[0]


def entry(function: Compile) -> Compile:
    """Mark a function as an entry of the catalogue; its name is the entry's."""
    function.__dict__["is_entry"] = True
    return function


@cache
def entries() -> dict[str, Entry]:
    """Every entry by its name."""
    found = [
        function
        for module in _MODULES
        for function in vars(
            importlib.import_module(f"mainspring.quality.catalogue.{module}")
        ).values()
        if getattr(function, "is_entry", False)
    ]
    return {function.__name__: _entry(function) for function in found}


def _entry(function: Compile) -> Entry:
    hints = typing.get_type_hints(function, include_extras=True)
    fields: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            continue
        if parameter.default is inspect.Parameter.empty:
            fields.append((parameter.name, hints[parameter.name]))
        else:
            fields.append((parameter.name, hints[parameter.name], parameter.default))
    return Entry(
        name=function.__name__,
        compile=function,
        arguments=msgspec.defstruct(
            function.__name__, fields, kw_only=True, frozen=True, forbid_unknown_fields=True
        ),
        is_about_rows=hints["return"] is not ValueCheck,
    )


def find_entry(name: str) -> Entry:
    """The entry of a name; raises `Invalid` with what it may have meant."""
    import difflib

    known = entries()
    if name not in known:
        close = difflib.get_close_matches(name.removeprefix("expect_"), known, 3, 0.5)
        raise Invalid(
            f"there is no expectation {name!r}",
            code="no_such_expectation",
            hint=f"Did you mean {' or '.join(close)}?"
            if close
            else "See `mainspring schema catalogue`.",
        )
    return known[name]


def arguments_of(expectation: Expectation) -> dict[str, Any]:
    """The arguments, converted and with their defaults; raises `Invalid` for what the entry doesn't take."""
    found = find_entry(expectation.that)
    given = convert(dict(expectation.arguments), found.arguments, what=expectation.that)
    return {name: getattr(given, name) for name in given.__struct_fields__}


def compile_expectation(
    expectation: Expectation,
    types: dict[str, DataType],
    dtypes: "pl.Schema",
    around: Surroundings,
) -> Check:
    """The check for an expectation; one that can't be asked of this table becomes a failed check."""
    scope = Scope(expectation=expectation, types=types, dtypes=dtypes, around=around)
    arguments = arguments_of(expectation)
    try:
        return find_entry(expectation.that).compile(scope, **arguments)
    except MainspringError as error:
        return unaskable(expectation, arguments, error.message)


def unaskable(expectation: Expectation, arguments: dict[str, Any], why: str) -> ValueCheck:
    """A failed check that says why it could not be made."""
    column = arguments.get("column")
    return ValueCheck(
        check=expectation.that,
        columns=(column,) if isinstance(column, str) else (),
        # It can't say which rows to keep apart, and what can't be checked is not let in.
        severity=Severity.BLOCK
        if expectation.severity is Severity.QUARANTINE
        else expectation.severity,
        expected=find_entry(expectation.that).summary.rstrip("."),
        measures=(),
        judge=lambda: Judged(passed=False, observed=f"can't be checked: {why}"),
        # People know a check of their own by the name that they gave it.
        name=expectation.name or str(arguments.get("check", "")),
    )
