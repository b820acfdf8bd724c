"""From what stands on the wire to spans: ids, times and numbers checked, names made ours."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mainspring.domain.trace import (
    Attributes,
    Span,
    SpanBatch,
    SpanEvent,
    SpanId,
    SpanKind,
    SpanLink,
    SpanStatus,
    TraceId,
)

_KINDS = tuple(SpanKind)
_STATUSES = (SpanStatus.UNSET, SpanStatus.OK, SpanStatus.ERROR)
_MAX_INT64 = 2**63 - 1
_TRACE_DIGITS = 32
_SPAN_DIGITS = 16
_MAX_TYPE = 100
# Where programs say what kind of work a span is: MLflow's name for it, and OpenInference's.
_TYPE_KEYS = ("mlflow.spanType", "openinference.span.kind")


@dataclass(slots=True)
class RawEvent:
    """An event as it stands on the wire."""

    at_ns: int = 0
    name: str = ""
    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True)
class RawLink:
    """A link as it stands on the wire."""

    trace: str = ""
    span: str = ""
    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True)
class RawSpan:
    """A span as it stands on the wire; ids are hex digits."""

    trace: str = ""
    id: str = ""
    parent: str = ""
    name: str = ""
    kind: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    status: int = 0
    status_message: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: list[RawEvent] = field(default_factory=list)
    links: list[RawLink] = field(default_factory=list)


def batches_of(
    blocks: Iterable[tuple[Attributes, list[RawSpan]]],
) -> tuple[tuple[SpanBatch, ...], list[str]]:
    """The spans that can be kept, and why each of the others can't."""
    batches: list[SpanBatch] = []
    refused: list[str] = []
    for resource, raw_spans in blocks:
        spans = []
        for raw in raw_spans:
            if why := _what_is_wrong(raw):
                refused.append(why)
            else:
                spans.append(_span(raw))
        if spans:
            batches.append(SpanBatch(spans=tuple(spans), resource=resource))
    return tuple(batches), refused


def trace_id_of(digits: str) -> TraceId:
    """The id under which a trace is kept: MLflow's, made of OpenTelemetry's."""
    return TraceId(f"tr-{digits}")


def _what_is_wrong(raw: RawSpan) -> str:
    shown = raw.name[:40]
    if len(raw.trace) != _TRACE_DIGITS or not raw.trace.strip("0"):
        return f"span {shown!r} has no trace id of 16 bytes"
    if len(raw.id) != _SPAN_DIGITS or not raw.id.strip("0"):
        return f"span {shown!r} has no span id of 8 bytes"
    if raw.parent and len(raw.parent) != _SPAN_DIGITS:
        return f"span {shown!r} has a parent's id that is not 8 bytes"
    if not 0 < raw.started_ns <= _MAX_INT64 or raw.ended_ns > _MAX_INT64:
        return f"span {shown!r} has no time of start, or one beyond the calendar"
    if raw.ended_ns and raw.ended_ns < raw.started_ns:
        return f"span {shown!r} ends before it starts"
    return ""


def _span(raw: RawSpan) -> Span:
    parent = raw.parent if raw.parent.strip("0") else ""
    return Span(
        trace=trace_id_of(raw.trace),
        id=SpanId(raw.id),
        parent=SpanId(parent) if parent else None,
        name=raw.name,
        started_ns=raw.started_ns,
        ended_ns=raw.ended_ns or None,
        type=_type_of(raw.attributes),
        kind=_KINDS[raw.kind] if raw.kind < len(_KINDS) else SpanKind.UNSPECIFIED,
        status=_STATUSES[raw.status] if raw.status < len(_STATUSES) else SpanStatus.UNSET,
        status_message=raw.status_message,
        attributes=raw.attributes,
        events=tuple(
            SpanEvent(
                name=event.name, at_ns=min(event.at_ns, _MAX_INT64), attributes=event.attributes
            )
            for event in raw.events
        ),
        links=tuple(
            SpanLink(
                trace=trace_id_of(link.trace), span=SpanId(link.span), attributes=link.attributes
            )
            for link in raw.links
            if len(link.trace) == _TRACE_DIGITS and len(link.span) == _SPAN_DIGITS
        ),
    )


def _type_of(attributes: Attributes) -> str:
    for key in _TYPE_KEYS:
        if isinstance(found := _unquoted(attributes.get(key)), str) and found:
            return found[:_MAX_TYPE]
    return "UNKNOWN"


def _unquoted(value: Any) -> Any:
    """A text without JSON's quotes: MLflow's own exporter of OTLP sends its attributes as JSON."""
    if isinstance(value, str) and value[:1] == '"':
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
