"""Turning what does not fit in a declaration into an error with file, line and remedy."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from msgspec.structs import fields

from mainspring.kernel.errors import Invalid
from mainspring.kernel.toml_lines import Path as Keys
from mainspring.kernel.toml_lines import line_of
from mainspring.services import file_format
from mainspring.services.file_format import ServiceTable, Table

_STEP = re.compile(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]")
_KINDS = {
    "str": "text in quotes",
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Tells where in the file a path of keys stands: `mainspring.toml:12`."""

    name: str
    lines: dict[Keys, int]

    def __call__(self, path: Keys) -> str:
        return f"{self.name}:{line_of(self.lines, path)}"


def dotted(path: Keys) -> str:
    """A path as people write it.

    >>> dotted(("service", "a", "gate", 0, "max"))
    'service.a.gate[0].max'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def not_toml(error: tomllib.TOMLDecodeError, text: str, name: str) -> Invalid:
    """The error for a text that is not TOML at all."""
    message, _, place = str(error).partition(" (at ")
    found = re.match(r"line (\d+)", place)
    line = found.group(1) if found else str(text.count("\n") + 1)
    return Invalid(
        f"not valid TOML: {message[:1].lower()}{message[1:]}",
        code="malformed_toml",
        where=f"{name}:{line}",
        hint="The error may also be on the line above: a missing quote or bracket.",
    )


def unknown_key(where: Where, path: Keys, known: Iterable[str]) -> Invalid:
    """The error for a key that means nothing here, with the likeliest one that does."""
    key, known = str(path[-1]), sorted(known)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    listed = ", ".join(known)
    return Invalid(
        f"unknown key {dotted(path)!r}",
        code="unknown_key",
        where=where(path),
        hint=f"Did you mean {close[0]!r}?" if close else f"Known here: {listed}.",
    )


def misfit(
    text: str,
    table: dict[str, Any],
    path: Keys,
    where: Where,
    *,
    root: type[Table] = ServiceTable,
) -> Invalid:
    """The error for a table that `root` refused with msgspec's `text`."""
    message, _, tail = text.partition(" - at `$")
    full, value = _resolved(table, path, tail.removesuffix("`"), message)
    if found := re.match(r"Object contains unknown field `(.*)`", message):
        return unknown_key(where, (*full, found.group(1)), _fields_at(root, full[len(path) :]))
    if found := re.match(r"Object missing required field `(.*)`", message):
        return Invalid(
            f"{dotted(full)} has no {found.group(1)!r}",
            code="missing_key",
            where=where(full),
            hint=f"Add {_example(found.group(1))}.",
        )
    return Invalid(
        f"{dotted(full)} is {_shown(value)}",
        where=where(full),
        hint=_remedy(message, root, full[len(path) :]),
    )


def _resolved(table: dict[str, Any], path: Keys, tail: str, message: str) -> tuple[Keys, Any]:
    """The keys that msgspec's path means, and the value there. It hides keys of maps as `[...]`."""
    value: Any = table
    for name, index in _STEP.findall(tail):
        key: str | int
        if name:
            key = name
        elif index == "...":
            misfits = (k for k, v in value.items() if not _is_name(v))
            key = next(misfits, next(iter(value)))
        else:
            key = int(index)
        path, value = (*path, key), value[key]
    return path, value


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(re.search(file_format.NAME_PATTERN, value))


def _fields_at(root: type[Table], keys: Keys) -> list[str]:
    """The keys that are known in the table at a path below `root`."""
    return [field.encode_name for field in fields(_table_at(root, keys))]


def _table_at(root: type[Table], keys: Keys) -> type[Table]:
    table = root
    for key in keys:
        if isinstance(key, str):
            table = _table_in(_type_of(table, key))
    return table


def _type_of(table: type[Table], key: str) -> Any:
    return next(field.type for field in fields(table) if field.encode_name == key)


def _table_in(hint: Any) -> type[Table]:
    """The table class inside an annotation such as `list[GateTable]` or `LabelsTable | UnsetType`."""
    if isinstance(hint, type) and issubclass(hint, Table):
        return hint
    found = [_table_in(inner) for inner in get_args(hint) if _holds_table(inner)]
    return found[0]


def _holds_table(hint: Any) -> bool:
    if isinstance(hint, type) and not get_args(hint):
        return issubclass(hint, Table)
    return any(_holds_table(inner) for inner in get_args(hint))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return repr(value)


def _remedy(message: str, root: type[Table], keys: Keys) -> str:
    pattern = message.partition("matching regex ")[2]
    if pattern == repr(file_format.DURATION_PATTERN):
        return "A duration is written like 30s, 10m, 1h30m or 7d."
    if pattern == repr(file_format.PIPELINE_PATTERN):
        return 'Name the pipeline as "module:function", such as "flow:demand".'
    if pattern == repr(file_format.NAME_PATTERN):
        return "A name is made of letters, digits, '_', '.' and '-'."
    if message.startswith("Invalid enum value"):
        return f"It is one of: {', '.join(_choices(root, keys))}."
    if found := re.match(r"Expected `([^`]*)`(.*)", message):
        kinds = " or ".join(_KINDS.get(kind, kind) for kind in found.group(1).split(" | "))
        limit = found.group(2).partition(", got")[0]
        return f"It takes {kinds}{limit and ' ' + limit.strip()}."
    return f"{message}."


def _choices(root: type[Table], keys: Keys) -> list[str]:
    """The values of the enum at a path below `root`."""
    hint = _type_of(_table_at(root, keys[:-1]), str(keys[-1]))
    enum = next((t for t in (hint, *get_args(hint)) if hasattr(t, "__members__")), None)
    return [member.value for member in enum] if enum else []


def _example(key: str) -> str:
    return {
        "pipeline": 'pipeline = "flow:demand"',
        "data": 'data = { rides = "rides" }',
        "metric": 'metric = "rmse"',
        "max": "max = 0.01",
    }.get(key, f"{key} = ...")
