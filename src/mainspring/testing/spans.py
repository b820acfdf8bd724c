"""Spans for tests: as values, and as OpenTelemetry's exporters write them."""

import base64
import struct
from typing import Any

from mainspring.domain.trace import Span, SpanBatch, SpanId, SpanStatus, TraceId

START_NS = 1_767_225_600_000_000_000
"""2026-01-01."""


def a_span(number: int = 1, *, trace: int = 1, parent: int | None = None, **said: Any) -> Span:
    """A span that took 10 ms; `said` are its attributes."""
    return Span(
        trace=TraceId(f"tr-{trace:032x}"),
        id=SpanId(f"{number:016x}"),
        parent=SpanId(f"{parent:016x}") if parent else None,
        name=f"span {number}",
        started_ns=START_NS + number * 1_000_000,
        ended_ns=START_NS + number * 1_000_000 + 10_000_000,
        status=SpanStatus.OK,
        attributes=said,
    )


def a_batch(*spans: Span, **resource: Any) -> tuple[SpanBatch, ...]:
    """What one program exports."""
    return (SpanBatch(spans=spans, resource=resource),)


def otlp(*spans: Span, resource: dict[str, Any] | None = None) -> bytes:
    """An export in protobuf."""
    inner = b"".join(_bytes(2, _span(span)) for span in spans)
    about = b"".join(_bytes(1, _pair(key, value)) for key, value in (resource or {}).items())
    return _bytes(1, _bytes(1, about) + _bytes(2, inner))


def otlp_json(*spans: Span, resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """The same export in JSON."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs_json(resource or {})},
                "scopeSpans": [{"spans": [_span_json(span) for span in spans]}],
            }
        ]
    }


def _span(span: Span) -> bytes:
    parts = [
        _bytes(1, bytes.fromhex(span.trace.removeprefix("tr-"))),
        _bytes(2, bytes.fromhex(span.id)),
        _bytes(4, bytes.fromhex(span.parent)) if span.parent else b"",
        _bytes(5, span.name.encode()),
        _varint(6 << 3) + _varint(list(type(span.kind)).index(span.kind)),
        _fixed(7, span.started_ns),
        _fixed(8, span.ended_ns) if span.ended_ns else b"",
        *(_bytes(9, _pair(key, value)) for key, value in span.attributes.items()),
        *(
            _bytes(
                11,
                _fixed(1, event.at_ns)
                + _bytes(2, event.name.encode())
                + b"".join(_bytes(3, _pair(k, v)) for k, v in event.attributes.items()),
            )
            for event in span.events
        ),
        *(
            _bytes(
                13,
                _bytes(1, bytes.fromhex(link.trace.removeprefix("tr-")))
                + _bytes(2, bytes.fromhex(link.span))
                + b"".join(_bytes(4, _pair(k, v)) for k, v in link.attributes.items()),
            )
            for link in span.links
        ),
        _bytes(
            15,
            _bytes(2, span.status_message.encode())
            + _varint(3 << 3)
            + _varint(list(SpanStatus).index(span.status)),
        ),
    ]
    return b"".join(parts)


def _pair(key: str, value: Any) -> bytes:
    return _bytes(1, key.encode()) + _bytes(2, _value(value))


def _value(value: Any) -> bytes:
    match value:
        case None:
            return b""
        case bool():
            return _varint(2 << 3) + _varint(int(value))
        case str():
            return _bytes(1, value.encode())
        case int():
            return _varint(3 << 3) + _varint(value % 2**64)
        case float():
            return _varint(4 << 3 | 1) + struct.pack("<d", value)
        case list():
            return _bytes(5, b"".join(_bytes(1, _value(each)) for each in value))
        case {"bytesValue": str(data)}:
            return _bytes(7, base64.b64decode(data))
        case {"doubleValue": str(spelled)}:
            return _value(float(spelled))
        case _:
            return _bytes(6, b"".join(_bytes(1, _pair(k, v)) for k, v in value.items()))


def _bytes(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _fixed(number: int, value: int) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<Q", value)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _span_json(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace.removeprefix("tr-"),
        "spanId": span.id,
        "parentSpanId": span.parent or "",
        "name": span.name,
        "kind": list(type(span.kind)).index(span.kind),
        "startTimeUnixNano": str(span.started_ns),
        "endTimeUnixNano": str(span.ended_ns or 0),
        "attributes": _pairs_json(span.attributes),
        "events": [
            {
                "timeUnixNano": str(event.at_ns),
                "name": event.name,
                "attributes": _pairs_json(event.attributes),
            }
            for event in span.events
        ],
        "links": [
            {
                "traceId": link.trace.removeprefix("tr-"),
                "spanId": link.span,
                "attributes": _pairs_json(link.attributes),
            }
            for link in span.links
        ],
        "status": {"code": list(SpanStatus).index(span.status), "message": span.status_message},
    }


def _pairs_json(pairs: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value_json(value)} for key, value in pairs.items()]


def _value_json(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case str():
            return {"stringValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value_json(each) for each in value]}}
        case {"bytesValue": str()} | {"doubleValue": str()}:
            return dict(value)
        case _:
            return {"kvlistValue": {"values": _pairs_json(value)}}
