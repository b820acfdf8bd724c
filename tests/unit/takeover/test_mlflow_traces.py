"""Keeping traces from an MLflow: what its JSON says, and what is kept when they come again."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mainspring.app import App
from mainspring.domain.run import ExperimentId
from mainspring.domain.trace import Span, SpanKind, SpanStatus, Trace, TraceId, TraceState
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.takeover.mlflow.traces import assessments_of, span_of, trace_of
from mainspring.takeover.requests import TakenTrace, TakeOverTraces
from mainspring.traces.requests import GetTrace, SearchTraces, TagTrace
from mainspring.tracking.requests import CreateExperiment, CreateRun

TRACE = "tr-dee16098610486f71020910a736da114"
START = datetime(2026, 1, 2, tzinfo=UTC)
SPAN: dict[str, Any] = {
    "trace_id": "3uFgmGEEhvcQIJEKc22hFA==",
    "span_id": "vw4WRSdKb8A=",
    "parent_span_id": None,
    "name": "answer",
    "kind": "SPAN_KIND_CLIENT",
    "start_time_unix_nano": 1795525539853849647,
    "end_time_unix_nano": "1795525539854151016",
    "events": [{"name": "ev", "time_unix_nano": 99999, "attributes": {"foo": "bar"}}],
    "status": {"code": "STATUS_CODE_ERROR", "message": "no"},
    "attributes": {
        "mlflow.spanType": '"TOOL"',
        "n": "3",
        "deep": '{"a": [1, null]}',
        "nan": "NaN",
        "raw": "not json",
    },
    "links": [{"trace_id": "tr-1", "span_id": "0x12", "attributes": {}}],
}
INFO: dict[str, Any] = {
    "trace_id": TRACE,
    "request_time": "2026-11-24T13:05:39.853Z",
    "execution_duration": "1.25s",
    "state": "OK",
    "trace_metadata": {"m": "1"},
    "assessments": [
        {
            "assessment_id": "a-1",
            "assessment_name": "answer",
            "expectation": {"serialized_value": {"value": '["a"]'}},
            "source": {"source_type": "HUMAN", "source_id": "ann"},
            "create_time": "2026-11-24T13:06:00Z",
        },
        {"assessment_id": "a-2", "assessment_name": "bad", "issue": {}, "create_time": "x"},
    ],
}


def a_trace(**given: Any) -> Trace:
    said: dict[str, Any] = {
        "id": TraceId(TRACE),
        "experiment": ExperimentId("0"),
        "state": TraceState.OK,
        "started_at": START,
        "ended_at": START,
        "client_request_id": None,
        "request_preview": None,
        "response_preview": None,
        "tags": {},
        "metadata": {},
        "spans": (span_of(SPAN, TRACE),),
    }
    return Trace(**{**said, **given})


def take(app: App, *traces: Trace, experiment: str = "0", runs: tuple[str, ...] = ()) -> int:
    app.call(CreateRun(experiment="0"))  # which also makes that experiment
    taken = tuple(TakenTrace(trace=trace, runs=runs) for trace in traces)
    return app.call(TakeOverTraces(experiment=experiment, traces=taken))


def test_a_span_is_read_as_it_was_written() -> None:
    span = span_of(SPAN, TRACE)

    assert (span.id, span.parent, span.type, span.kind) == (
        "bf0e1645274a6fc0",
        None,
        "TOOL",
        SpanKind.CLIENT,
    )
    assert (span.status, span.status_message) == (SpanStatus.ERROR, "no")
    assert span.ended_ns == 1795525539854151016
    assert span.attributes == {
        "mlflow.spanType": "TOOL",
        "n": 3,
        "deep": {"a": [1, None]},
        "nan": {"doubleValue": "NaN"},
        "raw": "not json",
    }
    assert span.links[0].span == "0000000000000012"


@pytest.mark.parametrize(
    "given", [{}, {**SPAN, "span_id": "?"}, {**SPAN, "kind": "?"}, {**SPAN, "attributes": "x"}]
)
def test_what_is_no_span_is_said_to_be_none(given: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="can't be read"):
        span_of(given, TRACE)


def test_a_trace_is_read_with_what_was_said_of_it() -> None:
    tags = {"mlflow.artifactLocation": "x", "mlflow.trace.spansLocation": "y", "kept": "z"}
    trace = trace_of(INFO, "7", tags=tags)

    assert (trace.experiment, trace.state, trace.tags) == ("7", TraceState.OK, {"kept": "z"})
    assert trace.ended_at is not None
    assert (trace.ended_at - trace.started_at).total_seconds() == 1.25
    assert [(each.id, each.value, each.source) for each in trace.assessments] == [
        ("a-1", ["a"], "ann")
    ]


def test_a_trace_that_goes_on_has_no_end() -> None:
    info = {**INFO, "state": "IN_PROGRESS", "execution_duration": "0s"}

    assert trace_of(info, "7", tags={}).ended_at is None


def test_a_trace_that_is_taken_over_again_changes_nothing_here(any_app: App) -> None:
    first = take(any_app, a_trace(tags={"a": "there"}))
    any_app.call(TagTrace(trace=TRACE, tags={"a": "here"}))
    assessments = tuple(assessments_of(INFO["assessments"], TRACE))

    again = take(any_app, a_trace(tags={"a": "there", "b": "new"}, assessments=assessments))

    here = any_app.call(GetTrace(trace=TRACE))
    assert (first, again) == (1, 0)
    assert here.tags == {"a": "here", "b": "new"}
    assert here.spans == (span_of(SPAN, TRACE),)
    assert here.assessments == assessments


def test_a_trace_that_was_going_on_ends_when_it_is_taken_over_again(any_app: App) -> None:
    take(any_app, a_trace(state=TraceState.IN_PROGRESS, ended_at=None, spans=()))
    take(any_app, a_trace(state=TraceState.ERROR))

    here = any_app.call(GetTrace(trace=TRACE))
    assert (here.state, here.ended_at, len(here.spans)) == (TraceState.ERROR, START, 1)


def test_links_with_runs_are_found_again(any_app: App) -> None:
    run = any_app.call(CreateRun(experiment="0")).id
    take(any_app, a_trace(), runs=(run,))
    other = replace(a_trace(), id=TraceId("tr-other"), spans=())
    take(any_app, replace(other, metadata={"mlflow.sourceRun": run}))

    found = any_app.call(SearchTraces(experiments=("0",), filter=f"run_id = '{run}'"))
    assert {trace.id for trace in found.items} == {TRACE, "tr-other"}


def test_a_trace_of_another_experiment_is_refused(app: App) -> None:
    other = app.call(CreateExperiment(name="other")).id
    take(app, a_trace())

    with pytest.raises(Conflict, match="another experiment"):
        take(app, a_trace(experiment=ExperimentId(other)), experiment=other)
    with pytest.raises(Conflict, match="another experiment"):
        take(app, replace(a_trace(), id=TraceId("tr-new"), spans=()), experiment=other)
    with pytest.raises(NotFound):
        take(app, a_trace(), experiment="unknown")


def test_a_span_that_can_not_be_kept_takes_its_traces_with_it(app: App) -> None:
    span: Span = replace(span_of(SPAN, TRACE), started_ns=0)

    with pytest.raises(Invalid):
        take(app, replace(a_trace(), id=TraceId("tr-a"), spans=()), a_trace(spans=(span,)))
    with pytest.raises(NotFound):
        app.call(GetTrace(trace="tr-a"))
