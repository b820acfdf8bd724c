"""Traces: what MLflow's clients tell, ask, tag, link and delete. Their spans come by OTLP."""

import math
import re
from datetime import UTC, datetime, timedelta

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.trace_assessments import given_assessment
from mainspring.api.mlflow.trace_json import (
    LOCATION_TAG,
    SPANS_TAG,
    span_file_json,
    trace_json,
    whole_trace_json,
)
from mainspring.api.mlflow.wire import Json, Params, compact, instant_of, number_json
from mainspring.app import App
from mainspring.domain.trace import PromptLink, TraceState
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.traces.requests import (
    CorrelateTraces,
    DeleteTraces,
    GetTrace,
    GetTraces,
    LinkPrompts,
    LinkTraces,
    SearchTraces,
    TagTrace,
    TellTrace,
)

_MAX_PAGE = 500
_DURATION = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s\Z")
# The end of 9999, less the room that a time zone may take.
_LAST_MILLISECOND = 253_402_214_400_000
# What the server says of a trace by itself.
_OUR_TAGS = frozenset({LOCATION_TAG, SPANS_TAG})


def tell(app: App, params: Params) -> Json:
    """How a trace went; clients send it at its end."""
    info = params.item("trace").item("trace_info")
    started = instant(info, "request_time")
    trace = app.call(
        TellTrace(
            trace=info.text("trace_id"),
            experiment=_experiment(info),
            state=_state(info),
            started_at=started,
            ended_at=_end(started, info),
            client_request_id=info.optional_text("client_request_id") or None,
            request_preview=_optional(info, "request_preview"),
            response_preview=_optional(info, "response_preview"),
            tags=_pairs(info, "tags", without=_OUR_TAGS),
            metadata=_pairs(info, "trace_metadata"),
            assessments=tuple(given_assessment(each) for each in info.items("assessments")),
        )
    )
    return {"trace": {"trace_info": trace_json(trace, spans_follow=True)}}


def get_info(app: App, params: Params) -> Json:
    """One trace without its spans."""
    trace_id = params.text("trace_id")
    found = app.call(GetTraces(traces=(trace_id,)))
    if not found:
        raise NotFound(f"Trace with ID '{trace_id[:100]}' not found.", code="no_such_trace")
    return {"trace": {"trace_info": trace_json(found[0])}}


def get(app: App, params: Params) -> Json:
    """One trace with its spans; unless `allow_partial`, only when all that its program counted are there."""
    trace = app.call(GetTrace(trace=params.text("trace_id")))
    is_whole = trace.spans and len(trace.spans) >= trace.expected_spans
    if not is_whole and not params.flag("allow_partial"):
        raise NotFound(
            f"Trace with ID {trace.id} is not fully exported yet, please try again later.",
            code="trace_incomplete",
        )
    return {"trace": whole_trace_json(trace)}


def get_file(app: App, params: Params) -> Json:
    """The spans of a trace as the file that pages download; an old trace has that file itself."""
    trace = app.call(GetTrace(trace=params.text("request_id", "trace_id")))
    if not trace.spans:
        raise NotFound(f"Trace data not found for trace {trace.id!r}", code="no_such_artifact")
    return {"spans": [span_file_json(span) for span in trace.spans]}


def correlate(app: App, params: Params) -> Json:
    """Whether traces that match one filter tend to match another."""
    experiments = params.texts("experiment_ids")
    if not experiments:
        raise Invalid("Missing value for required parameter 'experiment_ids'.")
    found = app.call(
        CorrelateTraces(
            experiments=experiments,
            first=params.text("filter_string1"),
            second=params.text("filter_string2"),
            among=params.optional_text("base_filter"),
        )
    )
    return compact(
        {
            "npmi": number_json(found.npmi),
            "npmi_smoothed": None if math.isnan(found.smoothed) else found.smoothed,
            "filter1_count": found.first,
            "filter2_count": found.second,
            "joint_count": found.both,
            "total_count": found.total,
        }
    )


def get_many(app: App, params: Params) -> Json:
    """Those of some traces that are whole, with their spans."""
    found = app.call(GetTraces(traces=params.texts("trace_ids"), with_spans=True))
    wanted = params.texts("experiment_ids")
    whole = [
        trace
        for trace in found
        if trace.spans
        and len(trace.spans) >= trace.expected_spans
        and (not wanted or trace.experiment in wanted)
    ]
    return {"traces": [whole_trace_json(trace) for trace in whole]}


def get_infos(app: App, params: Params) -> Json:
    """Those of some traces that there are, without their spans."""
    found = app.call(GetTraces(traces=params.texts("trace_ids")))
    wanted = params.texts("experiment_ids")
    return {
        "trace_infos": [
            trace_json(trace) for trace in found if not wanted or trace.experiment in wanted
        ]
    }


def search(app: App, params: Params) -> Json:
    """One page of the traces that match, without their spans."""
    page = app.call(
        SearchTraces(
            experiments=tuple(
                each.item("mlflow_experiment").text("experiment_id")
                for each in params.items("locations")
                if each.has("mlflow_experiment")
            ),
            filter=params.optional_text("filter"),
            order_by=params.texts("order_by"),
            limit=params.page(100, _MAX_PAGE),
            page_token=params.optional_text("page_token") or None,
        )
    )
    found = [trace_json(trace) for trace in page.items]
    return compact({"traces": found, "next_page_token": page.next_token})


def set_tag(app: App, params: Params) -> Json:
    """Set one tag."""
    key = _own_key(params)
    app.call(TagTrace(trace=params.text("trace_id"), tags={key: params.optional_text("value")}))
    return {}


def delete_tag(app: App, params: Params) -> Json:
    """Remove one tag."""
    app.call(TagTrace(trace=params.text("trace_id"), removed=(_own_key(params),)))
    return {}


def delete(app: App, params: Params) -> Json:
    """Delete traces by their ids, or by their age."""
    limit = params.integer("max_traces") if params.has("max_traces") else None
    if limit is not None and limit < 1:
        raise Invalid(f"`max_traces` must be a positive integer, received {limit}.")
    ids = (*params.texts("request_ids"), *params.texts("trace_ids"))
    until = _until(params)
    if bool(ids) == (until is not None) or (ids and limit):
        raise Invalid(
            "Either `max_timestamp_millis` or `trace_ids` must be specified, but not both, "
            "and `max_traces` only with the former."
        )
    count = app.call(
        DeleteTraces(
            experiment=params.text("experiment_id"),
            traces=ids,
            # An instant here has microseconds, one there ends with its millisecond.
            until=until and until + timedelta(microseconds=999),
            limit=limit,
        )
    )
    return {"traces_deleted": count}


def _until(params: Params) -> datetime | None:
    """The last instant that is meant; clients write a number beyond the calendar for all."""
    if not params.has("max_timestamp_millis"):
        return None
    return instant_of(min(params.integer("max_timestamp_millis"), _LAST_MILLISECOND))


def link_to_run(app: App, params: Params) -> Json:
    """Say that traces belong to a run."""
    traces = params.texts("trace_ids")
    if len(traces) > 100:
        raise Invalid(
            "Cannot link more than 100 traces to a run in a single request. "
            f"Provided {len(traces)} traces."
        )
    app.call(LinkTraces(run=params.text("run_id"), traces=traces))
    return {}


def link_prompts(app: App, params: Params) -> Json:
    """Say which versions of prompts a trace used."""
    prompts = tuple(
        PromptLink(name=each.text("name"), version=each.text("version"))
        for each in params.items("prompt_versions")
    )
    app.call(LinkPrompts(trace=params.text("trace_id"), prompts=prompts))
    return {}


def instant(params: Params, name: str) -> datetime:
    """An instant as protobuf's Timestamp is in JSON."""
    given = params.text(name)
    try:
        found = datetime.fromisoformat(given)
    except ValueError as error:
        raise Invalid(f"Invalid value {given[:40]!r} for parameter '{name}' supplied.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _end(started: datetime, info: Params) -> datetime | None:
    given = info.optional_text("execution_duration")
    if not given:
        return None
    found = _DURATION.match(given)
    if found is None:
        raise Invalid(f"Invalid value {given[:40]!r} for parameter 'execution_duration' supplied.")
    fraction = int((found.group(2) or "0").ljust(9, "0")[:6])
    # Checked as an instant, for a duration can lead beyond the calendar.
    instant_of(int(started.timestamp()) * 1000 + int(found.group(1)) * 1000)
    return started + timedelta(seconds=int(found.group(1)), microseconds=fraction)


def _experiment(info: Params) -> str:
    return info.item("trace_location").item("mlflow_experiment").text("experiment_id")


def _state(info: Params) -> TraceState:
    given = info.optional_text("state", TraceState.UNSPECIFIED.value)
    try:
        return TraceState(given)
    except ValueError as error:
        raise Invalid(f"Invalid value {given[:40]!r} for parameter 'state' supplied.") from error


def _pairs(info: Params, name: str, without: frozenset[str] = frozenset()) -> dict[str, str]:
    return {key: value for key, value in info.mapping(name).items() if key not in without}


def _optional(params: Params, name: str) -> str | None:
    return params.optional_text(name) if params.has(name) else None


def _own_key(params: Params) -> str:
    key = params.text("key")
    if key in _OUR_TAGS:
        raise Invalid(f"The tag '{key}' is kept by the server.")
    return key


CALLS = (
    Call(method="POST", path="/traces/search", handler=search),
    Call(method="GET", path="/traces/get", handler=get),
    Call(method="POST", path="/traces/calculate-filter-correlation", handler=correlate),
    Call(method="GET", path="/get-trace-artifact", handler=get_file),
    Call(method="GET", path="/traces/batchGet", handler=get_many),
    Call(method="POST", path="/traces/batchGetInfos", handler=get_infos),
    Call(method="POST", path="/traces/delete-traces", handler=delete),
    Call(method="POST", path="/traces/link-to-run", handler=link_to_run),
    Call(method="POST", path="/traces/link-prompts", handler=link_prompts),
    Call(method="GET", path="/traces/{trace_id}", handler=get_info),
    Call(method="PATCH", path="/traces/{trace_id}/tags", handler=set_tag),
    Call(method="DELETE", path="/traces/{trace_id}/tags", handler=delete_tag),
)
