"""The reference pages, made from the code: run `python tests/docs/reference.py` to write them anew."""

import ast
import dataclasses
import re
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from mainspring.api.errors import STATUS_OF_CODE, STATUS_OF_KIND
from mainspring.cli.exits import EXIT_CODES
from mainspring.config import Settings
from mainspring.domain import event
from mainspring.domain.actor import Role
from mainspring.governance.rules import PERMISSIONS
from mainspring.kernel.errors import KINDS
from mainspring.operations.operation import Operation
from mainspring.operations.table import OPERATIONS

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "reference"
_NOTE = "<!-- Made from the code by tests/docs/reference.py; edit the code. -->\n\n"


@cache
def pages() -> dict[str, str]:
    """Every page by its file's name."""
    made = {
        "operations.md": operations_page(),
        "events.md": events_page(),
        "errors.md": errors_page(),
        "settings.md": settings_page(),
    }
    return {name: _NOTE + text for name, text in made.items()}


def operations_page() -> str:
    """Every operation with its route, command, permission and fields."""
    roles = "\n".join(
        f"- **{role.value}**: {', '.join(sorted(p.value for p in PERMISSIONS[role]))}"
        for role in Role
    )
    rooms: dict[str, list[Operation]] = {}
    for operation in OPERATIONS:
        rooms.setdefault(operation.name.partition(".")[0], []).append(operation)
    parts = "\n".join(_operation(each) for room in rooms.values() for each in room)
    return (
        "# Operations\n\n"
        "Every verb of Mainspring. Each can be asked over HTTP below `/api/v1`, by a client\n"
        '(`client.call_name("model.list")`), and many on the command line; all take the same way and are\n'
        "authorised and recorded alike. `/api/v1/openapi.json` describes the answers.\n\n"
        "A *query* reads. A *command* changes something and leaves an audit entry, also when it is refused.\n"
        "A *report* is a frequent fact from Mainspring's own processes and is not audited.\n\n"
        f"## Roles\n\n{roles}\n\n## All operations\n\n{parts}"
    )


def events_page() -> str:
    """Every event with its fields."""
    return (
        "# Events\n\n"
        "What is recorded together with each change. `GET /api/v1/events` lists them and\n"
        "`GET /api/v1/events/stream` sends them as they happen. Beside its own fields each event has `seq`, `id`,\n"
        "`at`, `actor`, `operation`, `service`, `subject` (the id of what it is about) and `why`.\n\n"
        + "\n".join(_event(each) for each in events())
    )


def errors_page() -> str:
    """Every kind of error with its status and exit code, and every code."""
    kinds = "\n".join(
        f"| `{kind}` | {STATUS_OF_KIND[kind]} | {EXIT_CODES[kind]} | {_first_line(error)} |"
        for kind, error in KINDS.items()
    )
    codes = "\n".join(
        f"| `{code}` | {', '.join(f'`{kind}`' for kind in sorted(found))} | {STATUS_OF_CODE.get(code, '')} |"
        for code, found in sorted(codes_in_source().items())
    )
    return (
        "# Errors\n\n"
        "Every error has a *kind*, a *code* that programs may match on, a message and often a hint. Over HTTP:\n"
        '`{"error": {"kind", "code", "message", "hint", "where"}}`. Anything else that goes wrong is our fault:\n'
        "status 500, exit code 70, and an id that the log has with the details.\n\n"
        f"| kind | HTTP status | exit code | meaning |\n| --- | --- | --- | --- |\n{kinds}\n\n"
        "## Codes\n\nAn error without a code of its own has its kind as code.\n\n"
        f"| code | kind | HTTP status, if another |\n| --- | --- | --- |\n{codes}\n"
    )


def settings_page() -> str:
    """Every setting with its variable, flag and default."""
    rows = "\n".join(
        f"| `{field.name}` | `MAINSPRING_{field.name.upper()}` | {_default(field)} | {text} |"
        for field, text in settings_documented()
    )
    return (
        "# Settings\n\n"
        "Defaults, then `MAINSPRING_*` variables, then flags of the same name (`--home`, `--port`, ...).\n\n"
        f"| setting | variable | default | meaning |\n| --- | --- | --- | --- |\n{rows}\n"
    )


def events() -> list[type[event.Event]]:
    """Every class of events, by name."""
    found = [each for each in vars(event).values() if isinstance(each, type)]
    own = [each for each in found if issubclass(each, event.Event) and each is not event.Event]
    return sorted(own, key=lambda each: each.__name__)


def settings_documented() -> Iterator[tuple[dataclasses.Field[Any], str]]:
    """Each setting with what the docstring of `Settings` says of it ("" if nothing)."""
    text = re.sub(r"\n\s{8,}", " ", Settings.__doc__ or "")
    said: dict[str, str] = {}
    for line in text.splitlines():
        names, colon, meaning = line.strip().partition(": ")
        if colon:
            said |= dict.fromkeys(names.split(", "), meaning)
    for field in dataclasses.fields(Settings):
        yield field, said.get(field.name, "")


def codes_in_source() -> dict[str, set[str]]:
    """Codes that the source gives to errors, with the kinds of error they are given to."""
    kinds = {error.__name__: kind for kind, error in KINDS.items()}
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "src" / "mainspring").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            for keyword in node.keywords:
                value = keyword.value
                if (
                    keyword.arg == "code"
                    and isinstance(value, ast.Constant)
                    and node.func.id in kinds
                ):
                    found.setdefault(str(value.value), set()).add(kinds[node.func.id])
    return found


def _operation(operation: Operation) -> str:
    lines = [
        f"### {operation.name}\n",
        f"{_plain(operation.request.__doc__)}\n",
        f"`{operation.method} /api/v1{operation.path}` · {operation.kind.value} · permission "
        f"`{operation.permission.value}`"
        + (f" · `mainspring {operation.command}`" if operation.command else "")
        + "\n",
    ]
    for field in msgspec.structs.fields(operation.request):
        needed = " (required)" if field.required else ""
        lines.append(f"- `{field.encode_name}`: {_type(field.type)}{needed}")
    return "\n".join(lines) + "\n"


def _event(each: type[event.Event]) -> str:
    hints = typing.get_type_hints(each)
    own = [f.name for f in dataclasses.fields(each) if f.name not in ("service", "why")]
    said = (
        ""
        if (each.__doc__ or "").startswith(f"{each.__name__}(")
        else f"{_plain(each.__doc__)}\n\n"
    )
    fields = "\n".join(f"- `{name}`: {_type(hints[name])}" for name in own)
    return f"## {each.__name__}\n\n{said}Subject: `{each.subject}`.\n\n{fields}\n"


def _type(type_: Any) -> str:
    if typing.get_origin(type_) is typing.Annotated:
        return _type(typing.get_args(type_)[0])
    text = getattr(type_, "__name__", "") if not typing.get_args(type_) else str(type_)
    text = re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", text or str(type_))
    return f"`{text.replace('|', 'or')}`"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "`.mainspring`" if field.name == "home" else ""
    return f"`{field.default}`" if field.default != "" else ""


def _first_line(each: type) -> str:
    return (each.__doc__ or "").strip().splitlines()[0]


def _plain(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").strip().splitlines())


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
