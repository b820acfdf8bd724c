"""OTLP's traces in JSON: ids as hex digits, 64-bit integers as strings or numbers, enums as numbers."""

import base64
import binascii
from typing import Any

from mainspring.api.otlp.binary import Block
from mainspring.api.otlp.limits import Budget
from mainspring.api.otlp.spans import RawEvent, RawLink, RawSpan
from mainspring.domain.trace import Attributes
from mainspring.kernel.codec import decode
from mainspring.kernel.errors import Invalid

_MAX_DIGITS = 20
_HEX = frozenset("0123456789abcdef")


def read_export(data: bytes) -> list[Block]:
    """The spans of an export in JSON; raises `Invalid` if it is none or too large."""
    budget = Budget()
    blocks: list[Block] = []
    for block in _items(decode(data, dict[str, Any], what="export"), "resourceSpans"):
        resource = _attributes(_item(block, "resource"), budget, 0)
        spans = [
            _span(span, budget)
            for scope in _items(block, "scopeSpans")
            for span in _items(scope, "spans")
        ]
        blocks.append((resource, spans))
    return blocks


def partial_success(rejected: int, why: str) -> dict[str, Any]:
    """The answer, which says how many spans were not taken if any were not."""
    if not rejected:
        return {}
    return {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": why}}


def _span(given: dict[str, Any], budget: Budget) -> RawSpan:
    budget.take_span()
    status = _item(given, "status")
    return RawSpan(
        trace=_id(given, "traceId"),
        id=_id(given, "spanId"),
        parent=_id(given, "parentSpanId"),
        name=_text(given, "name"),
        kind=_integer(given, "kind"),
        started_ns=_integer(given, "startTimeUnixNano"),
        ended_ns=_integer(given, "endTimeUnixNano"),
        status=_integer(status, "code"),
        status_message=_text(status, "message"),
        attributes=_attributes(given, budget, 0),
        events=[
            RawEvent(
                at_ns=_integer(event, "timeUnixNano"),
                name=_text(event, "name"),
                attributes=_attributes(event, budget, 0),
            )
            for event in _items(given, "events")
        ],
        links=[
            RawLink(
                trace=_id(link, "traceId"),
                span=_id(link, "spanId"),
                attributes=_attributes(link, budget, 0),
            )
            for link in _items(given, "links")
        ],
    )


def _attributes(
    given: dict[str, Any], budget: Budget, depth: int, name: str = "attributes"
) -> Attributes:
    return {
        _text(pair, "key"): _value(_item(pair, "value"), budget, depth)
        for pair in _items(given, name)
    }


def _value(given: dict[str, Any], budget: Budget, depth: int) -> Any:
    budget.take_value(depth)
    if (found := given.get("stringValue")) is not None:
        return _text(given, "stringValue")
    if (found := given.get("boolValue")) is not None:
        return bool(found)
    if given.get("intValue") is not None:
        return _integer(given, "intValue", signed=True)
    if (found := given.get("doubleValue")) is not None:
        return _double(found)
    if given.get("arrayValue") is not None:
        inner = _item(given, "arrayValue")
        return [_value(each, budget, depth + 1) for each in _items(inner, "values")]
    if given.get("kvlistValue") is not None:
        return _attributes(_item(given, "kvlistValue"), budget, depth + 1, "values")
    if given.get("bytesValue") is not None:
        return {"bytesValue": _base64(_text(given, "bytesValue"))}
    return None


def _double(found: Any) -> Any:
    if isinstance(found, str) and found in ("NaN", "Infinity", "-Infinity"):
        return {"doubleValue": found}
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _wrong("doubleValue", found)
    return float(found)


def _base64(found: str) -> str:
    try:
        base64.b64decode(found, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _wrong("bytesValue", found) from error
    return found


def _items(given: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = given.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _wrong(name, found)
    return found


def _item(given: dict[str, Any], name: str) -> dict[str, Any]:
    found = given.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise _wrong(name, found)
    return found


def _text(given: dict[str, Any], name: str) -> str:
    found = given.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise _wrong(name, found)
    return found


def _id(given: dict[str, Any], name: str) -> str:
    found = _text(given, name).lower()
    # What is no id becomes none, which makes a refused span, not a refused export.
    return found if _HEX.issuperset(found) else ""


def _integer(given: dict[str, Any], name: str, *, signed: bool = False) -> int:
    found = given.get(name, 0)
    if isinstance(found, str) and len(found) <= _MAX_DIGITS and found.removeprefix("-").isdecimal():
        found = int(found)
    lowest, end = (-(2**63), 2**63) if signed else (0, 2**64)
    if isinstance(found, bool) or not isinstance(found, int) or not lowest <= found < end:
        raise _wrong(name, found)
    return found


def _wrong(name: str, found: object) -> Invalid:
    return Invalid(f"no OTLP: {name} can't be {repr(found)[:60]}", code="bad_otlp", where=name)
