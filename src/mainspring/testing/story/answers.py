"""A traced question in the story: an assistant that explains a forecast."""

from dataclasses import replace
from datetime import datetime

from mainspring.app import App
from mainspring.domain.trace import (
    AssessmentKind,
    Attributes,
    Span,
    SpanEvent,
    SpanId,
    SpanStatus,
    TraceId,
    TraceState,
)
from mainspring.testing.spans import a_batch
from mainspring.traces.requests import (
    Assess,
    GivenAssessment,
    IngestSpans,
    TellTrace,
)
from mainspring.tracking.requests import CreateExperiment

_QUESTION = {"question": "Why are so few rides expected on Sunday?"}


def an_answered_question(app: App, now: datetime, run: str) -> str:
    """Trace one question with its spans, a failed try among them, and what people said of the answer."""
    experiment = app.call(CreateExperiment(name="assistant")).id
    start_ns = int(now.timestamp()) * 1_000_000_000
    trace = TraceId(f"tr-{start_ns:032x}")
    spans = _spans(trace, start_ns)
    app.call(IngestSpans(experiment=experiment, batches=a_batch(*spans, **{"service.name": "ask"})))
    app.call(
        TellTrace(
            trace=trace,
            experiment=experiment,
            state=TraceState.OK,
            started_at=now.replace(microsecond=0),
            ended_at=now.replace(microsecond=950_000),
            request_preview=_QUESTION["question"],
            response_preview="Rain is forecast from noon on.",
            tags={"mlflow.traceName": "explain", "channel": "web"},
            metadata={"mlflow.sourceRun": run, "mlflow.trace.session": "s-17"},
        )
    )
    _judge(app, trace)
    return trace


def _judge(app: App, trace: TraceId) -> None:
    """A program's feedback, a person's that takes its place, and what the answer should have been."""
    first = GivenAssessment(name="correct", kind=AssessmentKind.FEEDBACK, value=False)
    by_program = app.call(Assess(trace=trace, assessment=first))
    second = GivenAssessment(
        name="correct",
        kind=AssessmentKind.FEEDBACK,
        value=True,
        rationale="The forecast did say rain.",
        overrides=by_program.id,
        source="cara",
        source_type="HUMAN",
    )
    app.call(Assess(trace=trace, assessment=second))
    wanted = {"cause": "rain", "hours": [12, 18]}
    expected = GivenAssessment(
        name="reason",
        kind=AssessmentKind.EXPECTATION,
        value=wanted,
        source="cara",
        source_type="HUMAN",
    )
    app.call(Assess(trace=trace, assessment=expected))


def _spans(trace: TraceId, start_ns: int) -> list[Span]:
    root = Span(
        trace=trace,
        id=SpanId(f"{1:016x}"),
        parent=None,
        name="explain",
        type="AGENT",
        status=SpanStatus.OK,
        started_ns=start_ns,
        ended_ns=start_ns + 950_000_000,
        attributes={"mlflow.spanInputs": _QUESTION, "mlflow.spanOutputs": "Rain is forecast."},
    )
    failed = SpanEvent(
        name="exception",
        at_ns=start_ns + 260_000_000,
        attributes={"exception.type": "TimeoutError", "exception.message": "no answer in 200 ms"},
    )
    parts: list[tuple[str, str, int, int, Attributes]] = [
        ("look up the forecast", "RETRIEVER", 10, 300, {"store": "weather", "k": 3}),
        ("first try", "TOOL", 50, 260, {}),
        ("second try", "TOOL", 265, 298, {"rows": 24}),
        ("write", "LLM", 310, 940, {"model": "small", "temperature": 0.2, "tokens": [120, 48]}),
    ]
    spans = [
        replace(
            root,
            id=SpanId(f"{number:016x}"),
            parent=SpanId(f"{2 if type_ == 'TOOL' else 1:016x}"),
            name=name,
            type=type_,
            started_ns=start_ns + begin * 1_000_000,
            ended_ns=start_ns + end * 1_000_000,
            attributes=attributes,
        )
        for number, (name, type_, begin, end, attributes) in enumerate(parts, start=2)
    ]
    spans[1] = replace(
        spans[1], status=SpanStatus.ERROR, status_message="no answer", events=(failed,)
    )
    return [root, *spans]
