"""OTLP's traces in protobuf. The numbers are those of `opentelemetry/proto/trace/v1/trace.proto`."""

import base64
import math
from typing import Any

from mainspring.api.otlp.limits import Budget
from mainspring.api.otlp.protobuf import (
    double,
    fields,
    integer_field,
    message,
    number,
    read_size,
    signed,
    string_field,
    text,
    varint,
)
from mainspring.api.otlp.spans import RawEvent, RawLink, RawSpan
from mainspring.domain.trace import Attributes

Block = tuple[Attributes, list[RawSpan]]
"""What a program said of itself, and its spans."""

_NO_MESSAGE = b""
# The keys of fields 1 and 2 where they hold bytes.
_FIRST_BYTES, _SECOND_BYTES = 0x0A, 0x12


def read_export(data: bytes) -> list[Block]:
    """The spans of an ExportTraceServiceRequest; raises `Invalid` if it is none or too large."""
    budget = Budget()
    return [_resource_spans(message(value), budget) for key, value in fields(data) if key == 1]


def write_partial_success(rejected: int, why: str) -> bytes:
    """An ExportTraceServiceResponse that says how many spans were not taken; empty if all were."""
    if not rejected:
        return b""
    inner = integer_field(1, rejected) + string_field(2, why)
    return b"\x0a" + varint(len(inner)) + inner


def write_status(code: int, why: str) -> bytes:
    """A google.rpc.Status, which tells of a failure."""
    return integer_field(1, code) + string_field(2, why)


def _resource_spans(data: bytes, budget: Budget) -> Block:
    resource: Attributes = {}
    spans: list[RawSpan] = []
    for key, value in fields(data):
        if key == 1:
            resource = {}
            for inner, pair in fields(message(value)):
                if inner == 1:
                    _add_pair(resource, message(pair), budget, 0)
        elif key == 2:
            for inner, span in fields(message(value)):
                if inner == 2:
                    spans.append(_span(message(span), budget))
    return resource, spans


def _span(data: bytes, budget: Budget) -> RawSpan:  # noqa: PLR0912 -- a branch is a field
    budget.take_span()
    span = RawSpan()
    for key, value in fields(data):
        if key == 9:
            _add_pair(span.attributes, message(value), budget, 0)
        elif key == 1:
            span.trace = message(value).hex()
        elif key == 2:
            span.id = message(value).hex()
        elif key == 4:
            span.parent = message(value).hex()
        elif key == 5:
            span.name = text(value)
        elif key == 6:
            span.kind = number(value)
        elif key == 7:
            span.started_ns = number(value)
        elif key == 8:
            span.ended_ns = number(value)
        elif key == 11:
            span.events.append(_event(message(value), budget))
        elif key == 13:
            span.links.append(_link(message(value), budget))
        elif key == 15:
            for inner, part in fields(message(value)):
                if inner == 2:
                    span.status_message = text(part)
                elif inner == 3:
                    span.status = number(part)
    return span


def _event(data: bytes, budget: Budget) -> RawEvent:
    budget.take_value(0)
    event = RawEvent()
    for key, value in fields(data):
        if key == 1:
            event.at_ns = number(value)
        elif key == 2:
            event.name = text(value)
        elif key == 3:
            _add_pair(event.attributes, message(value), budget, 0)
    return event


def _link(data: bytes, budget: Budget) -> RawLink:
    budget.take_value(0)
    link = RawLink()
    for key, value in fields(data):
        if key == 1:
            link.trace = message(value).hex()
        elif key == 2:
            link.span = message(value).hex()
        elif key == 4:
            _add_pair(link.attributes, message(value), budget, 0)
    return link


def _add_pair(to: Attributes, data: bytes, budget: Budget, depth: int) -> None:
    name, value = "", _NO_MESSAGE
    # Nine in ten bytes of an export are pairs, written so: the key, then the value, both short or not.
    size = data[1] if len(data) > 3 and data[0] == _FIRST_BYTES else 128
    if size < 126 and len(data) > size + 3 and data[size + 2] == _SECOND_BYTES:
        length, start = read_size(data, size + 3)
        if start + length == len(data):
            to[data[2 : size + 2].decode(errors="replace")] = _value(data[start:], budget, depth)
            return
    for key, part in fields(data):
        if key == 1:
            name = text(part)
        elif key == 2:
            value = message(part)
    to[name] = _value(value, budget, depth)


def _value(data: bytes, budget: Budget, depth: int) -> Any:
    """An AnyValue as JSON; see `Attributes` for what JSON can't hold."""
    budget.take_value(depth)
    if len(data) > 1 and data[0] == _FIRST_BYTES:
        length, start = read_size(data, 1)
        if start + length == len(data):
            return data[start:].decode(errors="replace")
    found: Any = None
    for key, value in fields(data):
        if key == 1:
            found = text(value)
        elif key == 2:
            found = bool(number(value))
        elif key == 3:
            found = signed(value)
        elif key == 4:
            real = double(value)
            found = real if math.isfinite(real) else {"doubleValue": _SPELLED[str(real)]}
        elif key == 5:
            found = [
                _value(message(each), budget, depth + 1)
                for inner, each in fields(message(value))
                if inner == 1
            ]
        elif key == 6:
            found = {}
            for inner, pair in fields(message(value)):
                if inner == 1:
                    _add_pair(found, message(pair), budget, depth + 1)
        elif key == 7:
            found = {"bytesValue": base64.b64encode(message(value)).decode()}
    return found


_SPELLED = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
