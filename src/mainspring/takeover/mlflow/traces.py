"""Traces, spans and assessments as MLflow writes them down, in its database, its files and its answers."""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from mainspring.domain.run import ExperimentId
from mainspring.domain.trace import (
    Assessment,
    AssessmentError,
    AssessmentId,
    AssessmentKind,
    Span,
    SpanEvent,
    SpanId,
    SpanKind,
    SpanLink,
    SpanStatus,
    Trace,
    TraceId,
    TraceState,
)
from mainspring.kernel.errors import Invalid
from mainspring.takeover.mlflow.source import instant_or_start

LOCATION_TAG = "mlflow.artifactLocation"
SPANS_TAG = "mlflow.trace.spansLocation"
_IN_STORE = "TRACKING_STORE"
_TYPE = "mlflow.spanType"
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)s\Z")
_HEX = re.compile(r"(0x)?([0-9a-f]{1,16})\Z")

Json = dict[str, Any]


def has_spans_in_store(tags: Mapping[str, str]) -> bool:
    """Whether a trace's spans are rows over there; before 3.4, and elsewhere, they are a file of it."""
    return tags.get(SPANS_TAG) == _IN_STORE


def own_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """A trace's tags without those that say where MLflow keeps it."""
    return {key: text for key, text in tags.items() if key not in (LOCATION_TAG, SPANS_TAG)}


def trace_of(
    info: Json, experiment: str, *, spans: Iterable[Span] = (), tags: Mapping[str, str]
) -> Trace:
    """A trace from MLflow's JSON for what it calls its info."""
    started = datetime.fromisoformat(info["request_time"])
    took = _DURATION.match(info.get("execution_duration") or "")
    state = TraceState(info.get("state") or "STATE_UNSPECIFIED")
    is_open = state is TraceState.IN_PROGRESS or took is None
    return Trace(
        id=TraceId(info["trace_id"]),
        experiment=ExperimentId(experiment),
        state=state,
        started_at=started,
        ended_at=None if is_open or took is None else started + _seconds(took[1]),
        client_request_id=info.get("client_request_id"),
        request_preview=info.get("request_preview"),
        response_preview=info.get("response_preview"),
        tags=own_tags(tags),
        metadata=dict(info.get("trace_metadata") or {}),
        assessments=tuple(assessments_of(info.get("assessments") or (), info["trace_id"])),
        spans=tuple(spans),
    )


def assessments_of(found: Iterable[Json], trace: str) -> Iterator[Assessment]:
    """Assessments from MLflow's JSON; issues, which it also keeps there, are left out."""
    for each in found:
        kind = next((kind for kind in AssessmentKind if each.get(kind.value) is not None), None)
        if kind is None:
            continue
        source, error = each.get("source") or {}, each[kind.value].get("error")
        made = datetime.fromisoformat(each["create_time"])
        yield Assessment(
            id=AssessmentId(each["assessment_id"]),
            trace=TraceId(trace),
            span=SpanId(each["span_id"]) if each.get("span_id") else None,
            name=each["assessment_name"],
            kind=kind,
            source_type=source.get("source_type") or "CODE",
            source=source.get("source_id") or "",
            created_at=made,
            updated_at=datetime.fromisoformat(each.get("last_update_time") or each["create_time"]),
            value=_value_of(each[kind.value]),
            error=_error(error),
            rationale=each.get("rationale"),
            metadata={str(k): str(v) for k, v in (each.get("metadata") or {}).items()},
            overrides=AssessmentId(each["overrides"]) if each.get("overrides") else None,
            valid=each.get("valid", True),
        )


def assessment_of_row(row: Any) -> Assessment | None:
    """An assessment from a row of MLflow's database; None for an issue."""
    if row.assessment_type not in set(AssessmentKind):
        return None
    return Assessment(
        id=AssessmentId(row.assessment_id),
        trace=TraceId(row.trace_id),
        span=SpanId(row.span_id) if row.span_id else None,
        name=row.name,
        kind=AssessmentKind(row.assessment_type),
        source_type=row.source_type,
        source=row.source_id or "",
        created_at=instant_or_start(row.created_timestamp),
        updated_at=instant_or_start(row.last_updated_timestamp),
        value=json.loads(row.value),
        error=_error(json.loads(row.error)) if row.error else None,
        rationale=row.rationale,
        metadata={
            str(key): str(value)
            for key, value in (json.loads(row.assessment_metadata or "null") or {}).items()
        },
        overrides=AssessmentId(row.overrides) if row.overrides else None,
        valid=bool(row.valid),
    )


def span_of(content: Json, trace: str) -> Span:
    """A span from the JSON that MLflow keeps of it; its attributes are JSON within that.

    Raises `Invalid` for what is no span.
    """
    try:
        attributes = {key: _plain(value) for key, value in (content["attributes"] or {}).items()}
        status, ended = content.get("status") or {}, content.get("end_time_unix_nano")
        parent = content.get("parent_span_id")
        return Span(
            trace=TraceId(trace),
            id=_span_id(content["span_id"]),
            parent=_span_id(parent) if parent else None,
            name=content["name"] or "",
            started_ns=int(content["start_time_unix_nano"]),
            ended_ns=int(ended) if ended else None,
            type=str(attributes.get(_TYPE) or "UNKNOWN")[:100],
            kind=SpanKind((content.get("kind") or "INTERNAL").removeprefix("SPAN_KIND_")),
            status=SpanStatus((status.get("code") or "UNSET").removeprefix("STATUS_CODE_")),
            status_message=status.get("message") or "",
            attributes=attributes,
            events=tuple(
                SpanEvent(
                    name=each["name"],
                    at_ns=int(each["time_unix_nano"]),
                    attributes=each.get("attributes") or {},
                )
                for each in content.get("events") or ()
            ),
            links=tuple(
                SpanLink(
                    trace=TraceId(each["trace_id"]),
                    span=_span_id(each["span_id"]),
                    attributes=each.get("attributes") or {},
                )
                for each in content.get("links") or ()
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(f"a span of trace {trace} can't be read: {error!r}") from error


def _value_of(given: Json) -> Any:
    serialized = given.get("serialized_value")
    return given.get("value") if serialized is None else json.loads(serialized["value"])


def _error(given: Json | None) -> AssessmentError | None:
    if given is None:
        return None
    return AssessmentError(
        code=given.get("error_code") or "",
        message=given.get("error_message") or "",
        stack_trace=given.get("stack_trace") or "",
    )


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=lambda word: {"doubleValue": word})
    except ValueError:
        return value


def _span_id(text: str) -> SpanId:
    """Sixteen hex digits: as they are, or as MLflow writes them, in base64 of their bytes."""
    plain = _HEX.match(text)
    if plain and (plain[1] or len(text) == 16):
        return SpanId(plain[2].zfill(16))
    try:
        return SpanId(base64.b64decode(text, validate=True).hex())
    except binascii.Error as error:
        raise ValueError(f"{text[:40]!r} is no span's id") from error


def _seconds(text: str) -> timedelta:
    return timedelta(milliseconds=int(Decimal(text) * 1000))
