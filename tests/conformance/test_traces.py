"""Traces on both databases: merged from spans that come in any order, found, judged, deleted."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mainspring.app import App
from mainspring.domain.event import TrackingChanged
from mainspring.domain.request import Request
from mainspring.domain.trace import (
    AssessmentKind,
    PromptLink,
    SpanId,
    SpanStatus,
    Trace,
    TraceId,
    TraceState,
)
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.testing.spans import a_batch, a_span
from mainspring.traces.requests import (
    Assess,
    ChangeAssessment,
    DeleteAssessment,
    DeleteTraces,
    GetAssessment,
    GetTrace,
    GetTraces,
    GivenAssessment,
    IngestSpans,
    LinkPrompts,
    LinkTraces,
    SearchTraces,
    TagTrace,
    TellTrace,
)
from mainspring.tracking.requests import CreateExperiment, CreateRun

START = datetime(2026, 1, 1, tzinfo=UTC)
ONE = f"tr-{1:032x}"


def tell(app: App, number: int = 1, **more: object) -> Trace:
    given = {
        "trace": f"tr-{number:032x}",
        "experiment": "0",
        "state": TraceState.OK,
        "started_at": START + timedelta(seconds=number),
        "ended_at": START + timedelta(seconds=number + 1),
    }
    return app.call(TellTrace(**{**given, **more}))  # type: ignore[arg-type]


def found(app: App, filter_: str = "", **more: object) -> list[int]:
    """The numbers of the traces that a search finds."""
    request = SearchTraces(experiments=("0",), filter=filter_, **more)  # type: ignore[arg-type]
    return [int(trace.id.removeprefix("tr-"), 16) for trace in app.call(request).items]


def test_a_trace_grows_with_its_spans_in_whatever_order_they_come(any_app: App) -> None:
    root = replace(a_span(1, **{"mlflow.spanInputs": {"q": "life"}}), status=SpanStatus.ERROR)
    late, early = a_span(9, parent=1), replace(a_span(3, parent=1), started_ns=root.started_ns - 5)

    any_app.call(IngestSpans(experiment="0", batches=a_batch(late)))
    before = any_app.call(GetTrace(trace=ONE))
    any_app.call(IngestSpans(experiment="0", batches=a_batch(early, root, **{"service.name": "a"})))
    after = any_app.call(GetTrace(trace=ONE))

    assert before.state is TraceState.IN_PROGRESS
    assert after.state is TraceState.ERROR
    assert after.started_at < before.started_at
    assert after.ended_at == before.ended_at
    assert after.request_preview == '{"q": "life"}'
    assert after.tags == {"service.name": "a"}
    assert [span.id[-1] for span in after.spans] == ["1", "3", "9"]


def test_what_a_program_told_of_its_trace_is_not_changed_by_later_spans(any_app: App) -> None:
    told = tell(any_app, state=TraceState.ERROR, request_preview="told", tags={"a": "b"})

    any_app.call(IngestSpans(experiment="0", batches=a_batch(a_span(1), a_span(2, parent=1))))
    after = any_app.call(GetTrace(trace=ONE))

    assert replace(after, spans=(), span_count=0) == told
    assert after.span_count == 2


def test_an_export_that_comes_twice_changes_nothing(any_app: App) -> None:
    export = IngestSpans(experiment="0", batches=a_batch(a_span(1, k=1), a_span(1, k=1)))

    once = any_app.call(export)
    first = any_app.call(GetTrace(trace=ONE))
    any_app.call(export)

    assert (once.accepted, once.rejected) == (2, 0)
    assert any_app.call(GetTrace(trace=ONE)) == first
    assert first.span_count == 1


def test_exporters_of_one_trace_at_once_lose_nothing(any_app: App) -> None:
    def export(number: int) -> None:
        spans = [a_span(number * 100 + n, trace=1 + n % 3, parent=1, k=n) for n in range(1, 30)]
        any_app.call(IngestSpans(experiment="0", batches=a_batch(*spans, **{f"r{number}": "x"})))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(export, range(12)))

    traces = any_app.call(GetTraces(traces=tuple(f"tr-{n:032x}" for n in (1, 2, 3))))
    assert sum(trace.span_count for trace in traces) == 12 * 29
    assert all(len(trace.tags) == 12 for trace in traces)


def test_odd_text_is_kept(any_app: App) -> None:
    odd = replace(a_span(1, **{"k\0": "a\0b"}), name="n\0", type="T\0")

    any_app.call(IngestSpans(experiment="0", batches=a_batch(odd, **{"r\0": "\0"})))
    tell(any_app, request_preview="\0", tags={"t": "\0"})

    span = any_app.call(GetTrace(trace=ONE)).spans[0]
    assert span.attributes == {"k\0": "a\0b"}
    assert span.name == "n�"
    assert found(any_app, "span.name = 'n�'") == [1]


def test_all_clauses_on_spans_speak_of_one_span(any_app: App) -> None:
    llm = replace(a_span(2, parent=1, model="big", k=3), type="LLM", status=SpanStatus.ERROR)
    any_app.call(IngestSpans(experiment="0", batches=a_batch(a_span(1, model="small"), llm)))

    assert found(any_app, "span.type = 'LLM' AND span.status = 'ERROR'") == [1]
    assert found(any_app, "span.type = 'LLM' AND span.status = 'OK'") == []
    assert found(any_app, "span.type = 'LLM' AND span.attributes.model = 'big'") == [1]
    assert found(any_app, "span.type = 'LLM' AND span.attributes.model = 'small'") == []
    assert found(any_app, "span.attributes.k = '3' AND span.attributes.`k` RLIKE '^[0-9]$'") == [1]


SEARCHES = [
    ("status = 'OK'", [3, 1]),
    ("trace.status != 'OK'", [2]),
    ("status IN ('ERROR', 'IN_PROGRESS')", [2]),
    ("request_id RLIKE '3$'", [3]),
    ("client_request_id = 'mine'", [3]),
    ("timestamp_ms >= 1767225602000", [3, 2]),
    ("execution_time > 1500", [3]),
    ("end_time < 1767225603000", [1]),
    ("name LIKE 'ask%'", [2, 1]),
    ("name IN ('ask b')", [2]),
    ("tags.team = 'a' AND tag.level RLIKE '^h'", [1]),
    ("tags.team IS NULL", [3, 2]),
    ("metadata.`mlflow.trace.session` ILIKE 'S%'", [2]),
    ("request_metadata.user IS NOT NULL", [2]),
    ("run_id = 'run-of-2'", [2]),
    ("model_id LIKE 'm-%'", [2]),
    ("tags.team RLIKE '(?i)^A$'", [1]),
    ("tags.team RLIKE 'x|a'", [1]),
    ("tags.team RLIKE '^$'", []),
]


def test_traces_are_found_by_what_was_told_of_them(any_app: App) -> None:
    tell(any_app, 1, tags={"mlflow.traceName": "ask a", "team": "a", "level": "high"})
    session = {
        "mlflow.trace.session": "S1",
        "user": "ada",
        "mlflow.sourceRun": "run-of-2",
        "mlflow.modelId": "m-1",
    }
    tell(any_app, 2, state=TraceState.ERROR, tags={"mlflow.traceName": "ask b"}, metadata=session)
    ended = START + timedelta(seconds=9)
    tell(any_app, 3, ended_at=ended, client_request_id="mine", tags={"mlflow.traceName": "tell"})

    for filter_, expected in SEARCHES:
        assert found(any_app, filter_) == expected, filter_


def test_pages_are_cut_at_a_key_in_every_order(any_app: App) -> None:
    for number in range(1, 8):
        tags = {"level": str(number % 3)} if number != 4 else {}
        tell(any_app, number, tags=tags, started_at=START, ended_at=START + timedelta(hours=number))

    for order in (("tags.level DESC", "execution_time ASC"), ("timestamp ASC",), ()):
        whole = found(any_app, order_by=order)
        pages, token = [], None
        while True:
            page = any_app.call(
                SearchTraces(experiments=("0",), order_by=order, limit=2, page_token=token)
            )
            pages += [int(trace.id.removeprefix("tr-"), 16) for trace in page.items]
            token = page.next_token
            if token is None:
                break
        assert sorted(pages) == list(range(1, 8))
        assert pages == whole
    assert found(any_app, order_by=("tags.level DESC",))[-1] == 4


NONSENSE = [
    "span.content = 'x'",
    "span.nothing = 'x'",
    "span.attributes. = 'x'",
    "status RLIKE '(a'",
    r"status RLIKE '(a)\1'",
    "status RLIKE '" + "a" * 501 + "'",
    "prompt RLIKE 'a'",
    "timestamp_ms = 'x'",
    "feedback.a IN ('x')",
    "tags.a = 'x' OR tags.b = 'y'",
    "nonsense",
]


def test_filters_that_make_no_sense_are_refused(any_app: App) -> None:
    tell(any_app)

    for filter_ in NONSENSE:
        with pytest.raises(Invalid):
            found(any_app, filter_)


def test_a_pattern_that_would_run_for_years_elsewhere_takes_no_time(app: App) -> None:
    tell(app, tags={"text": "a" * 5000 + "b"})

    assert found(app, "tags.text RLIKE '(a+)+$'") == []


def given(value: object, name: str = "correct", **more: object) -> GivenAssessment:
    said = {"name": name, "kind": AssessmentKind.FEEDBACK, "value": value, **more}
    return GivenAssessment(**said)  # type: ignore[arg-type]


def test_assessments_are_searched_by_text_number_and_truth(any_app: App) -> None:
    for number, value in enumerate([True, "true", 0.5, 7, None, ["a", {"b": 1}]], start=1):
        tell(any_app, number, assessments=(given(value),))
    expected = GivenAssessment(name="correct", kind=AssessmentKind.EXPECTATION, value="ja")
    tell(any_app, 7, assessments=(expected,))

    assert found(any_app, "feedback.correct = 'true'") == [2, 1]
    assert found(any_app, "feedback.correct > 0.4") == [4, 3]
    assert found(any_app, "feedback.correct = 7") == [4]
    assert found(any_app, "feedback.correct LIKE '%\"b\"%'") == [6]
    assert found(any_app, "feedback.correct RLIKE '^7'") == [4]
    assert found(any_app, "feedback.correct IS NULL") == [7]
    assert found(any_app, "expectation.correct = 'ja'") == [7]


def test_an_assessment_is_overridden_corrected_and_counts_again(any_app: App) -> None:
    tell(any_app)
    first = any_app.call(Assess(trace=ONE, assessment=given("no", metadata={"a": "1"})))
    second = any_app.call(Assess(trace=ONE, assessment=given("yes", overrides=first.id)))

    assert found(any_app, "feedback.correct = 'no'") == []
    assert found(any_app, "feedback.correct = 'yes'") == [1]
    changed = any_app.call(
        ChangeAssessment(trace=ONE, assessment=second.id, value="maybe", metadata={"b": "2"})
    )
    assert (changed.value, changed.metadata, changed.name) == ("maybe", {"b": "2"}, "correct")
    for _ in range(2):
        any_app.call(DeleteAssessment(trace=ONE, assessment=second.id))
    assert any_app.call(GetAssessment(trace=ONE, assessment=first.id)).valid
    assert found(any_app, "feedback.correct = 'no'") == [1]
    events = [event for event in any_app_events(any_app) if event == "feedback deleted"]
    assert events == ["feedback deleted"]


def any_app_events(app: App) -> list[str]:
    listed = app.call(ListEvents(limit=100))
    return [
        str(event.payload["what"])
        for event in listed.items
        if event.type == TrackingChanged.__name__
    ]


def test_an_assessment_can_not_be_taken_from_another_trace(any_app: App) -> None:
    tell(any_app, 1, assessments=(given(1, id="a-1"),))
    tell(any_app, 2)

    with pytest.raises(Invalid, match="belongs to another trace"):
        any_app.call(Assess(trace=f"tr-{2:032x}", assessment=given(2, id="a-1")))
    with pytest.raises(NotFound, match="a-9"):
        any_app.call(Assess(trace=ONE, assessment=given(2, overrides="a-9")))


def test_a_trace_can_not_be_moved_to_another_experiment(any_app: App) -> None:
    other = any_app.call(CreateExperiment(name="other")).id
    tell(any_app)

    with pytest.raises(Invalid, match="already exists in another experiment"):
        tell(any_app, experiment=other)
    assert any_app.call(GetTrace(trace=ONE)).experiment == "0"


def test_traces_belong_to_runs_and_prompts(any_app: App) -> None:
    run = any_app.call(CreateRun(experiment="0")).id
    tell(any_app, 1)
    tell(any_app, 2, metadata={"mlflow.sourceRun": run})
    any_app.call(IngestSpans(experiment="0", batches=a_batch(a_span(1, trace=3)), run=run))

    for _ in range(2):
        any_app.call(LinkTraces(run=run, traces=(ONE, "tr-none")))
        any_app.call(LinkPrompts(trace=ONE, prompts=(PromptLink(name="ask", version="2"),)))

    assert sorted(found(any_app, f"run_id = '{run}'")) == [1, 2, 3]
    assert found(any_app, "prompt = 'ask/2'") == [1]


def test_deleting_takes_all_that_belongs_to_a_trace(any_app: App) -> None:
    for number in range(1, 6):
        any_app.call(IngestSpans(experiment="0", batches=a_batch(a_span(1, trace=number, k=1))))
        tell(any_app, number, tags={"a": "b"}, metadata={"c": "d"}, assessments=(given(1),))

    assert any_app.call(DeleteTraces(experiment="0", traces=(ONE, "tr-none"))) == 1
    until = START + timedelta(seconds=4)
    assert any_app.call(DeleteTraces(experiment="0", until=until, limit=1)) == 1
    assert any_app.call(DeleteTraces(experiment="0", until=until)) == 2
    assert found(any_app) == [5]
    with pytest.raises(NotFound):
        any_app.call(GetTrace(trace=ONE))
    assert tell(any_app, 1).tags == {}
    with pytest.raises(Invalid):
        any_app.call(DeleteTraces(experiment="0"))


def test_what_is_not_there_is_said_to_be_not_there(any_app: App) -> None:
    asked: list[Request[Any]] = [
        GetTrace(trace="tr-none"),
        TagTrace(trace="tr-none", tags={"a": "b"}),
        Assess(trace="tr-none", assessment=given(1)),
        DeleteAssessment(trace="tr-none", assessment="a-1"),
        LinkTraces(run="none", traces=(ONE,)),
        DeleteTraces(experiment="none", traces=(ONE,)),
    ]

    for request in asked:
        with pytest.raises(NotFound):
            any_app.call(request)


def test_tags_are_set_and_removed(any_app: App) -> None:
    tell(any_app, tags={"a": "1"})

    any_app.call(TagTrace(trace=ONE, tags={"b": "2", "a": "x"}, removed=("b",)))

    assert any_app.call(GetTrace(trace=ONE)).tags == {"a": "x"}
    with pytest.raises(NotFound, match="No trace tag with key 'b'"):
        any_app.call(TagTrace(trace=ONE, removed=("b",)))
    with pytest.raises(Invalid):
        any_app.call(TagTrace(trace=ONE, tags={"k" * 251: ""}))


def test_a_pattern_that_only_one_engine_knows_is_refused_or_understood(any_app: App) -> None:
    tell(any_app, tags={"a": "xx"})

    try:
        assert found(any_app, "tags.a RLIKE '(?P<name>x)+$'") == [1]
    except Invalid as refused:
        assert refused.code == "bad_pattern"


def test_later_spans_do_not_change_tags_that_are_there(any_app: App) -> None:
    tell(any_app, tags={"service.name": "mine"})

    root = a_span(1, **{"mlflow.traceTag.team": "a", "session.id": "s"})
    any_app.call(IngestSpans(experiment="0", batches=a_batch(root, **{"service.name": "other"})))

    trace = any_app.call(GetTrace(trace=ONE))
    assert trace.tags == {"service.name": "mine", "team": "a"}
    assert trace.metadata == {"mlflow.trace.session": "s"}


def test_spans_that_are_none_are_refused_by_whatever_way_they_come(app: App) -> None:
    for wrong in (
        replace(a_span(1), id=SpanId("no")),
        replace(a_span(1), parent=SpanId("no")),
        replace(a_span(1), trace=TraceId("a b")),
        replace(a_span(1), started_ns=2**70, ended_ns=None),
        replace(a_span(1), ended_ns=5),
        replace(a_span(1), type="x" * 101),
    ):
        with pytest.raises(Invalid):
            app.call(IngestSpans(experiment="0", batches=a_batch(wrong)))
