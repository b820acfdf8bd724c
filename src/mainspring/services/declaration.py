"""Reading `mainspring.toml`: a file becomes `ServiceSpec`s, or an error that names the line and the remedy."""

import math
import tomllib
from datetime import date, time
from pathlib import Path

import msgspec

from mainspring.domain.service import ServiceSpec
from mainspring.kernel.errors import Invalid
from mainspring.kernel.toml_lines import Path as Keys
from mainspring.kernel.toml_lines import key_lines
from mainspring.services import explain, translate
from mainspring.services.file_format import ServiceTable

FILE_NAME = "mainspring.toml"

# A declaration is written by people; what is longer was given by mistake.
_MAX_BYTES = 1 << 20

_LARGEST = (1 << 63) - 1


def read_declaration(path: Path) -> tuple[ServiceSpec, ...]:
    """The services that a file declares, in its order, with the schema files that it names read in.

    Raises `NotFound` if the file is missing and `Invalid` for anything in it that can't be right.
    """
    if path.is_dir():
        path = path / FILE_NAME
    text = translate.read_text(path, what="the declaration", where=None, max_bytes=_MAX_BYTES)
    return parse_declaration(text, folder=path.parent, name=path.name)


def parse_declaration(text: str, *, folder: Path, name: str = FILE_NAME) -> tuple[ServiceSpec, ...]:
    """The services that a text declares; `folder` is where the schema files it names are looked for.

    `name` is what errors call the file.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise explain.not_toml(error, text, name) from error
    where = explain.Where(name=name, lines=key_lines(text))
    services = _services(document, where)
    return tuple(_spec(service, table, folder, where) for service, table in services.items())


def _services(document: dict[str, object], where: explain.Where) -> dict[str, object]:
    for key in document:
        if key != "service":
            raise explain.unknown_key(where, (key,), ["service"])
    services = document.get("service")
    if not isinstance(services, dict) or not services:
        raise Invalid(
            "no service is declared",
            where=where(("service",)),
            hint="Declare one with a table such as [service.demand].",
        )
    return services


def _spec(name: str, table: object, folder: Path, where: explain.Where) -> ServiceSpec:
    path: Keys = ("service", name)
    translate.check_name(name, where(path))
    if not isinstance(table, dict):
        raise Invalid(
            f"service.{name} is not a table",
            where=where(path),
            hint=f"Write [service.{name}] and its keys below.",
        )
    _check_plain(table, path, where)
    try:
        read = msgspec.convert(table, ServiceTable)
    except msgspec.ValidationError as error:
        raise explain.misfit(str(error), table, path, where) from error
    return translate.spec_of(name, read, folder, where)


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
