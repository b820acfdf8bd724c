"""Reading `mainspring.toml`: a file becomes a `Declaration`, or an error that names the line and the remedy."""

import math
import tomllib
from dataclasses import dataclass
from datetime import date, time
from pathlib import Path
from typing import TypeVar

import msgspec

from mainspring.domain.service import ServiceSpec
from mainspring.domain.trigger import TriggerSpec
from mainspring.kernel.errors import Invalid
from mainspring.kernel.toml_lines import Path as Keys
from mainspring.kernel.toml_lines import key_lines
from mainspring.services import explain, translate
from mainspring.services.file_format import ServiceTable, Table, TriggerTable
from mainspring.services.triggers import trigger_of

FILE_NAME = "mainspring.toml"

# A declaration is written by people; what is longer was given by mistake.
_MAX_BYTES = 1 << 20

_LARGEST = (1 << 63) - 1


T = TypeVar("T", bound=Table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What a file declares, in its order."""

    services: tuple[ServiceSpec, ...] = ()
    triggers: tuple[TriggerSpec, ...] = ()


def read_declaration(path: Path) -> Declaration:
    """What a file declares, with the schema files that it names read in.

    Raises `NotFound` if the file is missing and `Invalid` for anything in it that can't be right.
    """
    if path.is_dir():
        path = path / FILE_NAME
    text = translate.read_text(path, what="the declaration", where=None, max_bytes=_MAX_BYTES)
    return parse_declaration(text, folder=path.parent, name=path.name)


def parse_declaration(text: str, *, folder: Path, name: str = FILE_NAME) -> Declaration:
    """What a text declares; `folder` is where the files that it names are looked for.

    `name` is what errors call the file.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise explain.not_toml(error, text, name) from error
    where = explain.Where(name=name, lines=key_lines(text))
    _check_keys(document, where)
    services = {
        key: _read(("service", key), table, ServiceTable, where)
        for key, table in _tables(document, "service", where).items()
    }
    triggers = {
        key: _read(("trigger", key), table, TriggerTable, where)
        for key, table in _tables(document, "trigger", where).items()
    }
    return Declaration(
        services=tuple(
            translate.spec_of(key, table, folder, where) for key, table in services.items()
        ),
        triggers=tuple(trigger_of(key, table, folder, where) for key, table in triggers.items()),
    )


def _check_keys(document: dict[str, object], where: explain.Where) -> None:
    known = ["service", "trigger"]
    for key in document:
        if key not in known:
            raise explain.unknown_key(where, (key,), known)
    if not any(document.get(key) for key in known):
        raise Invalid(
            "no service is declared",
            where=where(("service",)),
            hint="Declare one with a table such as [service.demand], or a trigger with "
            "[trigger.nightly].",
        )


def _tables(document: dict[str, object], key: str, where: explain.Where) -> dict[str, object]:
    tables = document.get(key, {})
    if not isinstance(tables, dict):
        raise Invalid(
            f"{key} is not a table",
            where=where((key,)),
            hint=f"Write [{key}.NAME] and its keys below.",
        )
    return tables


def _read(path: Keys, table: object, kind: type[T], where: explain.Where) -> T:
    translate.check_name(str(path[1]), where(path), what=str(path[0]))
    if not isinstance(table, dict):
        raise Invalid(
            f"{explain.dotted(path)} is not a table",
            where=where(path),
            hint=f"Write [{explain.dotted(path)}] and its keys below.",
        )
    _check_plain(table, path, where)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise explain.misfit(str(error), table, path, where, root=kind) from error


def _check_plain(value: object, path: Keys, where: explain.Where) -> None:
    """Refuse what TOML can hold and a declaration can't: NaN, infinities, huge numbers, dates."""
    match value:
        case dict():
            for key, inner in value.items():
                _check_plain(inner, (*path, key), where)
        case list():
            for index, inner in enumerate(value):
                _check_plain(inner, (*path, index), where)
        case float() if not math.isfinite(value):
            raise Invalid(
                f"{explain.dotted(path)} is {value}",
                where=where(path),
                hint="Give a finite number; leave the key out for no limit.",
            )
        case int() if not isinstance(value, bool) and not -_LARGEST <= value <= _LARGEST:
            raise Invalid(
                f"{explain.dotted(path)} needs more than 64 bits",
                where=where(path),
                hint="Give a smaller number, or write it in quotes.",
            )
        case date() | time():
            raise Invalid(
                f"{explain.dotted(path)} is a date or time",
                where=where(path),
                hint=f'Write it in quotes: "{value.isoformat()}".',
            )
