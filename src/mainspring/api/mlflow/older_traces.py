"""Traces as clients before 3.0 tell of them: begun, ended, read and searched; their spans are in a file."""

import secrets
from datetime import datetime

from mainspring.api.mlflow import traces
from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.trace_json import LOCATION_TAG, SPANS_TAG, trace_json
from mainspring.api.mlflow.wire import Json, Params, compact, milliseconds_of, pairs_json
from mainspring.app import App
from mainspring.domain.trace import Trace, TraceState
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.traces.requests import GetTraces, SearchTraces, TellTrace

_MAX_PAGE = 500


def begin(app: App, params: Params) -> Json:
    """Begin a trace; a client since 3.0 tells all of it here at its end."""
    if params.has("trace"):
        return traces.tell(app, params)
    trace = app.call(
        TellTrace(
            trace=f"tr-{secrets.token_hex(16)}",
            experiment=params.text("experiment_id"),
            state=TraceState.IN_PROGRESS,
            started_at=_instant(params),
            tags=_tags(params),
            metadata=dict(params.pairs("request_metadata")),
        )
    )
    return {"trace_info": older_json(trace)}


def end(app: App, params: Params) -> Json:
    """Say how a trace ended; tags and metadata are added to what there is."""
    before = _trace(app, params)
    try:
        given = params.optional_text("status", TraceState.OK.value)
        state = TraceState(given.replace("TRACE_STATUS_", "STATE_"))
    except ValueError as error:
        raise Invalid("Invalid value for parameter 'status' supplied.") from error
    trace = app.call(
        TellTrace(
            trace=before.id,
            experiment=before.experiment,
            state=state,
            started_at=before.started_at,
            ended_at=_instant(params),
            tags=_tags(params),
            metadata=dict(params.pairs("request_metadata")),
        )
    )
    return {"trace_info": older_json(trace)}


def get(app: App, params: Params) -> Json:
    """One trace without its spans."""
    return {"trace_info": older_json(_trace(app, params))}


def search(app: App, params: Params) -> Json:
    """One page of the traces that match, without their spans."""
    page = app.call(
        SearchTraces(
            experiments=params.texts("experiment_ids"),
            filter=params.optional_text("filter"),
            order_by=params.texts("order_by"),
            limit=params.page(100, _MAX_PAGE),
            page_token=params.optional_text("page_token") or None,
        )
    )
    found = [older_json(trace) for trace in page.items]
    return compact({"traces": found, "next_page_token": page.next_token})


def older_json(trace: Trace) -> Json:
    """A trace in the words of clients before 3.0."""
    began, ended = milliseconds_of(trace.started_at), milliseconds_of(trace.ended_at)
    return compact(
        {
            "request_id": trace.id,
            "experiment_id": trace.experiment,
            "timestamp_ms": began,
            "execution_time_ms": None if ended is None or began is None else ended - began,
            "status": trace.state.value.replace("STATE_", "TRACE_STATUS_"),
            "request_metadata": pairs_json(trace.metadata),
            "tags": pairs_json(trace_json(trace)["tags"]),
        }
    )


def _trace(app: App, params: Params) -> Trace:
    trace_id = params.text("trace_id")
    found = app.call(GetTraces(traces=(trace_id,)))
    if not found:
        raise NotFound(f"Trace with ID '{trace_id[:100]}' not found.", code="no_such_trace")
    return found[0]


def _instant(params: Params) -> datetime:
    found = params.instant("timestamp_ms")
    if found is None:
        raise Invalid("Missing value for required parameter 'timestamp_ms'.")
    return found


def _tags(params: Params) -> dict[str, str]:
    own = (LOCATION_TAG, SPANS_TAG)
    return {key: value for key, value in params.pairs("tags") if key not in own}


CALLS = (
    Call(method="POST", path="/traces", handler=begin),
    Call(method="GET", path="/traces", handler=search),
    Call(method="PATCH", path="/traces/{trace_id}", handler=end),
    Call(method="GET", path="/traces/{trace_id}/info", handler=get),
)
