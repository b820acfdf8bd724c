"""Calls on traces that pages and notebooks make: correlation of filters, and spans as a file."""

import json
from datetime import UTC, datetime
from typing import Any

from mainspring.app import App
from mainspring.domain.trace import Span, SpanBatch, SpanId, TraceId, TraceState
from mainspring.server.control import create_app_on
from mainspring.takeover.mlflow.traces import span_of
from mainspring.testing.web import Browser
from mainspring.traces.requests import GetTrace, IngestSpans, TellTrace
from mainspring.tracking.requests import CreateRun

CORRELATION = "/api/3.0/mlflow/traces/calculate-filter-correlation"
START = datetime(2026, 1, 2, tzinfo=UTC)


def tell(app: App, count: int, **tags: str) -> None:
    for number in range(count):
        app.call(
            TellTrace(
                trace=f"tr-{'-'.join(tags.values())}-{number}",
                experiment="0",
                state=TraceState.OK,
                started_at=START,
                tags=tags,
            )
        )


def test_filters_that_go_together_are_told(any_app: App) -> None:
    any_app.call(CreateRun(experiment="0"))
    tell(any_app, 6, env="prod", type="tool")
    tell(any_app, 1, env="dev", type="tool")
    tell(any_app, 3, env="dev", type="llm")

    def asked(first: str, second: str, **more: str) -> Any:
        body = {"experiment_ids": ["0"], "filter_string1": first, "filter_string2": second, **more}
        with Browser(create_app_on(any_app)) as browser:
            return browser.post(CORRELATION, json=body)

    prod = asked("tags.env = 'prod'", "tags.type = 'tool'").json()
    assert (round(prod.pop("npmi"), 4), round(prod.pop("npmi_smoothed"), 4)) == (0.6982, 0.5405)
    assert prod == {"filter1_count": 6, "filter2_count": 7, "joint_count": 6, "total_count": 10}
    none = asked("tags.env = 'staging'", "tags.type = 'tool'").json()
    assert (none["npmi"], "npmi_smoothed" in none, none["joint_count"]) == ("NaN", False, 0)
    never = asked("tags.env = 'prod'", "tags.type = 'llm'").json()
    assert never["npmi"] == -1.0
    within = asked("tags.env = 'dev'", "tags.type = 'llm'", base_filter="tags.env = 'dev'").json()
    assert (within["total_count"], within["joint_count"]) == (4, 3)
    assert asked("invalid.filter = 'x'", "tags.type = 'tool'").status_code == 400
    assert asked("", "tags.type = 'tool'").status_code == 400


def test_spans_come_as_the_file_that_takes_them_over_again(app: App) -> None:
    app.call(CreateRun(experiment="0"))
    span = Span(
        trace=TraceId("tr-4bf92f3577b34da6a3ce929d0e0e4736"),
        id=SpanId("00f067aa0ba902b7"),
        parent=None,
        name="answer",
        started_ns=1,
        ended_ns=2,
        attributes={"n": 3, "deep": {"a": [None, "x"]}, "text": "3"},
    )
    app.call(IngestSpans(experiment="0", batches=(SpanBatch(spans=(span,), resource={}),)))
    asked = {"request_id": span.trace}
    with Browser(create_app_on(app)) as browser:
        given = browser.get("/ajax-api/2.0/mlflow/get-trace-artifact", params=asked)
        missing = browser.get(
            "/ajax-api/2.0/mlflow/get-trace-artifact", params={"request_id": "tr-none"}
        )

    content = given.json()["spans"][0]
    assert json.loads(content["attributes"]["n"]) == 3
    again = span_of(content, span.trace)
    kept = app.call(GetTrace(trace=span.trace)).spans[0]
    assert again.attributes == {**kept.attributes, "mlflow.traceRequestId": span.trace}
    assert (again.id, again.name, again.ended_ns) == (span.id, "answer", 2)
    assert missing.status_code == 404
