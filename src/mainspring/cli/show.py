"""Results as text: a table for many, a list of fields for one."""

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec

from mainspring.kernel.paging import Page

_WIDEST = 60

# Columns that tell most, for types whose fields are many. Others show every field that is one value.
_COLUMNS: dict[str, tuple[str, ...]] = {
    "DatasetVersion": (
        "dataset",
        "number",
        "state",
        "row_count",
        "size_bytes",
        "created_at",
        "note",
    ),
    "PipelineRun": ("id", "pipeline", "state", "requested_at", "finished_at", "why", "error"),
    "StepAttempt": ("node", "attempt", "state", "started_at", "finished_at", "error"),
    "Backfill": ("id", "pipeline", "state", "counts", "asked_at", "finished_at", "why"),
    "ModelVersion": (
        "model",
        "number",
        "aliases",
        "metrics",
        "signing",
        "run",
        "created_at",
        "created_by",
    ),
    "RegisteredModel": ("name", "aliases", "version_count", "updated_at"),
    "Rollout": ("id", "strategy", "candidate", "share", "state", "started_at", "why", "reason"),
    "Window": ("start", "end", "row_count", "labelled_count", "expected_error", "estimated_error"),
    "Incident": ("id", "service", "kind", "opened_at", "closed_at", "summary"),
    "StoredEvent": ("seq", "at", "type", "service", "actor", "why"),
    "AuditEntry": ("seq", "at", "actor", "operation", "outcome", "error"),
    "StoredCheckReport": ("dataset", "number", "passed", "created_at"),
    "Webhook": ("id", "name", "url", "events", "status", "has_secret"),
    "Delivery": (
        "id",
        "event",
        "state",
        "attempts",
        "response_status",
        "error",
        "created_at",
        "due_at",
    ),
    "Experiment": ("id", "name", "lifecycle", "created_at"),
}


def lines_of(value: object) -> Iterator[str]:
    """A result as lines of text.

    >>> list(lines_of(None))
    ['none']
    """
    if isinstance(value, Page):
        yield from lines_of(tuple(value.items))
        if value.next_token:
            yield f"(more: --page-token {value.next_token})"
    elif value is None:
        yield "none"
    elif isinstance(value, (list, tuple)):
        yield from _many(value)
    elif _is_record(value):
        yield from fields_of(value)
    else:
        yield text_of(value)


def fields_of(value: object, indent: str = "") -> Iterator[str]:
    """One record, a field a line; records inside it are indented."""
    named = _fields(value)
    width = max((len(name) for name in named), default=0)
    for name, content in named.items():
        if _is_record(content):
            yield f"{indent}{name}:"
            yield from fields_of(content, indent + "  ")
        elif isinstance(content, (list, tuple)) and content and _is_record(content[0]):
            yield f"{indent}{name}:"
            yield from (f"{indent}  {line}" for line in _many(content))
        else:
            yield f"{indent}{name.ljust(width)}  {text_of(content)}".rstrip()


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns lined up, numbers to the right.

    >>> for line in table(["name", "rows"], [["rides", "8645"], ["a", "12"]]):
    ...     print(line)
    name   rows
    rides  8645
    a        12
    """
    kept = [list(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(headers, *kept, strict=True)]
    right = [
        bool(kept) and all(_is_number(row[place]) for row in kept) for place in range(len(headers))
    ]
    for cells in [list(headers), *kept]:
        padded = (
            cell.rjust(width) if on_right else cell.ljust(width)
            for cell, width, on_right in zip(cells, widths, right, strict=True)
        )
        yield "  ".join(padded).rstrip()


def text_of(value: object) -> str:
    """One value for people: UTC instants to the second, numbers without noise, `-` for None.

    >>> text_of(0.1 + 0.2), text_of(None), text_of(True), text_of({"rmse": 51.25})
    ('0.3', '-', 'yes', 'rmse=51.25')
    """
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.5g}"
        case enum.Enum():
            return str(value.value)
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%SZ")
        case dict():
            return " ".join(f"{name}={text_of(each)}" for name, each in value.items()) or "-"
        case list() | tuple():
            return ", ".join(text_of(each) for each in value) or "-"
    # What says in one line what it is has a word for it.
    if _is_record(value) and type(value).__str__ is object.__str__:
        return _short(value)
    return str(value)


def _many(values: Sequence[object]) -> Iterator[str]:
    if not values:
        yield "none"
        return
    first = values[0]
    if not _is_record(first):
        yield from (text_of(value) for value in values)
        return
    names = _COLUMNS.get(type(first).__name__) or _plain_fields(values)
    rows = [[_cut(text_of(getattr(value, name))) for name in names] for value in values]
    yield from table([name.replace("_", " ") for name in names], rows)


def _plain_fields(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(
        name
        for name in _fields(values[0])
        if not any(isinstance(getattr(value, name), (tuple, list)) for value in values)
    )


def _is_record(value: object) -> bool:
    return isinstance(value, msgspec.Struct) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    )


def _fields(value: object) -> dict[str, Any]:
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    assert dataclasses.is_dataclass(value)
    return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}


def _short(value: object) -> str:
    named = _fields(value)
    for name in ("id", "name", "number"):
        if name in named:
            return text_of(named[name])
    return ", ".join(f"{name}={text_of(each)}" for name, each in named.items() if each is not None)


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(".", "", 1).replace("-", "", 1).replace("e", "").isdigit()
