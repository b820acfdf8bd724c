"""Traces read from an MLflow database."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from mainspring.domain.run import ExperimentId
from mainspring.domain.trace import Assessment, Span, Trace, TraceId, TraceState
from mainspring.kernel.errors import Invalid
from mainspring.takeover.mlflow.source import SourceTrace, instant_or_start
from mainspring.takeover.mlflow.traces import (
    LOCATION_TAG,
    assessment_of_row,
    own_tags,
    span_of,
)
from mainspring.takeover.queries.mlflow import MlflowTables

_PROMOTED = {
    "mlflow.trace.tokenUsage": (
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "cache_read_input_tokens",
        "cache_creation_input_tokens",
        "cache_creation_input_tokens_above_1hr",
    ),
    "mlflow.trace.cost": ("input_cost", "output_cost", "total_cost"),
}


def traces_of_rows(tables: MlflowTables, experiment: str, rows: Sequence[Any]) -> list[SourceTrace]:
    """Traces with all that belongs to them."""
    ids = [row.request_id for row in rows]
    tags = tables.of_owners("trace_tags", "request_id", ids)
    metadata = tables.of_owners("trace_request_metadata", "request_id", ids)
    spans = tables.of_owners("spans", "trace_id", ids)
    said = tables.of_owners("assessments", "trace_id", ids)
    links = tables.of_owners("entity_associations", "source_id", ids)
    found = []
    for row in rows:
        said_of_it = map(assessment_of_row, said.get(row.request_id, ()))
        pairs = _pairs(tags.get(row.request_id, ())) | _name(row)
        trace = _trace(
            row,
            experiment,
            tags=pairs,
            metadata=_pairs(metadata.get(row.request_id, ())) | _promoted(row),
            assessments=tuple(each for each in said_of_it if each is not None),
            spans=tuple(
                span_of(_content(each), row.request_id) for each in spans.get(row.request_id, ())
            ),
        )
        runs = tuple(
            each.destination_id
            for each in links.get(row.request_id, ())
            if (each.source_type, each.destination_type) == ("trace", "run")
        )
        location = pairs.get(LOCATION_TAG, "")
        found.append(SourceTrace(trace=trace, runs=runs, location=location))
    return found


def _trace(
    row: Any,
    experiment: str,
    *,
    tags: dict[str, str],
    metadata: dict[str, str],
    assessments: tuple[Assessment, ...],
    spans: tuple[Span, ...],
) -> Trace:
    started, took = instant_or_start(row.timestamp_ms), row.execution_time_ms
    state = TraceState(row.status if row.status in set(TraceState) else "STATE_UNSPECIFIED")
    is_over = took is not None and state is not TraceState.IN_PROGRESS
    return Trace(
        id=TraceId(row.request_id),
        experiment=ExperimentId(experiment),
        state=state,
        started_at=started,
        ended_at=started + timedelta(milliseconds=took) if is_over else None,
        client_request_id=getattr(row, "client_request_id", None),
        request_preview=getattr(row, "request_preview", None),
        response_preview=getattr(row, "response_preview", None),
        tags=own_tags(tags),
        metadata=metadata,
        assessments=assessments,
        spans=spans,
    )


def _pairs(rows: Sequence[Any]) -> dict[str, str]:
    return {each.key: each.value or "" for each in rows}


def _name(row: Any) -> dict[str, str]:
    """The tag that newer databases keep in a column of the trace."""
    name = getattr(row, "trace_name", None)
    return {} if name is None else {"mlflow.traceName": name}


def _promoted(row: Any) -> dict[str, str]:
    """The metadata that newer databases keep in columns of the trace, as their clients see it."""
    found = {}
    if (session := getattr(row, "session_id", None)) is not None:
        found["mlflow.trace.session"] = session
    for key, columns in _PROMOTED.items():
        values = {name: getattr(row, name, None) for name in columns}
        if known := {name: value for name, value in values.items() if value is not None}:
            found[key] = json.dumps(known)
    return found


def _content(row: Any) -> dict[str, Any]:
    try:
        found = json.loads(row.content)
    except ValueError as error:
        raise Invalid(f"the span {row.span_id} of trace {row.trace_id} can't be read") from error
    if not isinstance(found, dict):
        raise Invalid(f"the span {row.span_id} of trace {row.trace_id} is not an object")
    return found
