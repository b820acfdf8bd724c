"""Traces, spans and assessments as MLflow writes them: protobuf's JSON with the names of its fields."""

import base64
import json
from datetime import datetime, timedelta
from typing import Any

from mainspring.api.mlflow.locations import uri_of
from mainspring.api.mlflow.wire import Json, compact
from mainspring.domain.trace import Assessment, AssessmentKind, Attributes, Span, SpanKind, Trace
from mainspring.tracking.artifacts import root_of_trace

LOCATION_TAG = "mlflow.artifactLocation"
SPANS_TAG = "mlflow.trace.spansLocation"
_MILLISECOND = timedelta(milliseconds=1)


def trace_json(trace: Trace, *, spans_follow: bool = False) -> Json:
    """A trace without its spans, which may be on their way here."""
    took = None if trace.ended_at is None else (trace.ended_at - trace.started_at) // _MILLISECOND
    return compact(
        {
            "trace_id": trace.id,
            "client_request_id": trace.client_request_id,
            "trace_location": {
                "type": "MLFLOW_EXPERIMENT",
                "mlflow_experiment": {"experiment_id": trace.experiment},
            },
            "request_preview": trace.request_preview,
            "response_preview": trace.response_preview,
            "request_time": instant_json(trace.started_at),
            "execution_duration": None if took is None else f"{took // 1000}.{took % 1000:03d}s",
            "state": trace.state.value,
            "trace_metadata": trace.metadata,
            "tags": _tags(trace, has_spans=spans_follow or trace.span_count > 0),
            "assessments": [assessment_json(each) for each in trace.assessments] or None,
        }
    )


def _tags(trace: Trace, *, has_spans: bool) -> dict[str, str]:
    """A trace's tags, where its files are, and that its spans are here.

    Clients before 3.4 send no spans: they keep them in a file of the trace, and read them from there.
    """
    root = uri_of(root_of_trace(trace.experiment, trace.id))
    here = {SPANS_TAG: "TRACKING_STORE"} if has_spans else {}
    return {**trace.tags, LOCATION_TAG: root, **here}


def whole_trace_json(trace: Trace) -> Json:
    """A trace with its spans."""
    return {"trace_info": trace_json(trace), "spans": [span_json(span) for span in trace.spans]}


def span_json(span: Span) -> Json:
    """A span as OpenTelemetry's protobuf has it in JSON: ids are base64 of their bytes."""
    attributes = {**span.attributes, "mlflow.traceRequestId": span.trace}
    status = {"code": f"STATUS_CODE_{span.status.value}", "message": span.status_message or None}
    kind = span.kind if span.kind is not SpanKind.UNSPECIFIED else SpanKind.INTERNAL
    return compact(
        {
            "trace_id": _id(span.trace.removeprefix("tr-")),
            "span_id": _id(span.id),
            "parent_span_id": _id(span.parent) if span.parent else None,
            "name": span.name,
            "kind": f"SPAN_KIND_{kind.value}",
            "start_time_unix_nano": span.started_ns,
            "end_time_unix_nano": span.ended_ns,
            "attributes": _attributes(attributes),
            "events": [
                {
                    "time_unix_nano": event.at_ns,
                    "name": event.name,
                    "attributes": _attributes(event.attributes),
                }
                for event in span.events
            ]
            or None,
            "links": [
                {
                    "trace_id": _id(link.trace.removeprefix("tr-")),
                    "span_id": _id(link.span),
                    "attributes": _attributes(link.attributes),
                }
                for link in span.links
            ]
            or None,
            "status": compact(status),
        }
    )


def span_file_json(span: Span) -> Json:
    """A span as MLflow keeps it in a file: its attributes are JSON within the JSON."""
    attributes = {**span.attributes, "mlflow.traceRequestId": span.trace}
    return {
        "trace_id": _id(span.trace.removeprefix("tr-")),
        "span_id": _id(span.id),
        "parent_span_id": _id(span.parent) if span.parent else None,
        "name": span.name,
        "kind": f"SPAN_KIND_{span.kind.value}",
        "start_time_unix_nano": span.started_ns,
        "end_time_unix_nano": span.ended_ns,
        "events": [
            {"name": each.name, "time_unix_nano": each.at_ns, "attributes": each.attributes}
            for each in span.events
        ],
        "status": {"code": f"STATUS_CODE_{span.status.value}", "message": span.status_message},
        "attributes": {key: json.dumps(value) for key, value in attributes.items()},
        "links": [
            {"trace_id": each.trace, "span_id": each.span, "attributes": each.attributes}
            for each in span.links
        ],
    }


def assessment_json(assessment: Assessment) -> Json:
    """An assessment."""
    value: Json = {"value": assessment.value}
    if assessment.kind is AssessmentKind.EXPECTATION:
        plain = isinstance(assessment.value, str | int | float | bool)
        value = value if plain else {"serialized_value": _serialized(assessment.value)}
    elif assessment.error is not None:
        value = compact(value) | {
            "error": {
                "error_code": assessment.error.code,
                "error_message": assessment.error.message,
                "stack_trace": assessment.error.stack_trace,
            }
        }
    return compact(
        {
            "assessment_id": assessment.id,
            "assessment_name": assessment.name,
            "trace_id": assessment.trace,
            "span_id": assessment.span,
            "source": {"source_type": assessment.source_type, "source_id": assessment.source},
            "create_time": instant_json(assessment.created_at),
            "last_update_time": instant_json(assessment.updated_at),
            assessment.kind.value: value,
            "rationale": assessment.rationale,
            "metadata": assessment.metadata or None,
            "overrides": assessment.overrides,
            "valid": assessment.valid,
        }
    )


def instant_json(at: datetime) -> str:
    """An instant as protobuf's Timestamp is in JSON, to the millisecond.

    >>> from datetime import UTC
    >>> instant_json(datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC))
    '2026-01-02T03:04:05.678Z'
    """
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _serialized(value: Any) -> Json:
    return {"serialization_format": "JSON_FORMAT", "value": json.dumps(value)}


def _id(digits: str) -> str:
    try:
        return base64.b64encode(bytes.fromhex(digits)).decode()
    except ValueError:
        # A trace that a client before 3.0 told of has an id that is no hex; it has no spans here.
        return base64.b64encode(digits.encode()).decode()


def _attributes(attributes: Attributes) -> list[Json]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> Json:
    match value:
        case None:
            return {}
        case bool():
            return {"bool_value": value}
        case str():
            return {"string_value": value}
        case int():
            return {"int_value": value}
        case float():
            return {"double_value": value}
        case list():
            return {"array_value": {"values": [_value(each) for each in value]}}
        case {"bytesValue": str(data)} if len(value) == 1:
            return {"bytes_value": data}
        case {"doubleValue": str(spelled)} if len(value) == 1:
            return {"double_value": spelled}
        case _:
            return {"kvlist_value": {"values": _attributes(value)}}
