"""OpenTelemetry's protocol on the wire: both encodings, what is refused, and what hostile senders send."""

import gzip
import time
import zlib
from dataclasses import replace
from typing import Any

import pytest

from mainspring.api.otlp import binary, bodies, limits
from mainspring.api.otlp.protobuf import fields
from mainspring.app import App
from mainspring.domain.run import Lifecycle
from mainspring.domain.trace import Span, SpanEvent, SpanId, SpanKind, SpanLink, SpanStatus, TraceId
from mainspring.testing.spans import START_NS, a_span, otlp, otlp_json
from mainspring.testing.web import Browser
from mainspring.traces.requests import GetTrace
from mainspring.tracking.requests import CreateExperiment, CreateRun, UpdateExperiment

PROTOBUF = {"content-type": "application/x-protobuf"}
TRACE = f"tr-{1:032x}"


def export(browser: Browser, content: bytes, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.post("/v1/traces", content=content, headers={**PROTOBUF, **named})


def partial(content: bytes) -> tuple[int, str]:
    """What an answer says was rejected, and why."""
    if not content:
        return 0, ""
    inner = dict(fields(bytes(dict(fields(content))[1])))  # type: ignore[arg-type]
    return int(inner[1]), bytes(inner[2]).decode()  # type: ignore[arg-type]


def status(content: bytes) -> tuple[int, str]:
    """The code and message of a google.rpc.Status."""
    found = dict(fields(content))
    return int(found[1]), bytes(found[2]).decode()  # type: ignore[arg-type]


def a_rich_span() -> Span:
    return replace(
        a_span(
            2,
            parent=1,
            text="wörter ✓",
            empty="",
            long="x" * 1000,
            yes=True,
            whole=-5,
            real=2.0,
            nothing=None,
            odd={"doubleValue": "NaN"},
            data={"bytesValue": "AP8="},
            several=["a", 1, [False]],
            nested={"a": {"b": 1.5}, "of": []},
        ),
        kind=SpanKind.CLIENT,
        status=SpanStatus.ERROR,
        status_message="no answer",
        events=(SpanEvent(name="exception", at_ns=START_NS, attributes={"type": "E"}),),
        links=(
            SpanLink(trace=TraceId(f"tr-{9:032x}"), span=SpanId(f"{8:016x}"), attributes={"k": 1}),
        ),
    )


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_a_span_comes_back_exactly_as_it_was_sent(
    app: App, browser: Browser, encoding: str
) -> None:
    sent = (a_span(1, root=True), a_rich_span())

    if encoding == "json":
        given = browser.post("/v1/traces", json=otlp_json(*sent, resource={"service.name": "shop"}))
    else:
        given = export(browser, otlp(*sent, resource={"service.name": "shop"}))

    assert given.status_code == 200, given.text
    assert given.content == (b"{}" if encoding == "json" else b"")
    trace = app.call(GetTrace(trace=TRACE))
    assert trace.spans == sent
    assert trace.tags == {"service.name": "shop"}
    assert trace.experiment == "0"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "raw deflate", "identity"])
def test_bodies_may_be_compressed(app: App, browser: Browser, encoding: str) -> None:
    raw = zlib.compressobj(wbits=-15)
    body = otlp(a_span())
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": raw.compress(body) + raw.flush(),
        "identity": body,
    }[encoding]

    given = export(browser, packed, content_encoding=encoding.removeprefix("raw "))

    assert given.status_code == 200, given.text
    assert app.call(GetTrace(trace=TRACE)).span_count == 1


def test_spans_go_to_the_experiment_and_run_that_the_headers_name(
    app: App, browser: Browser
) -> None:
    experiment = app.call(CreateExperiment(name="agents")).id
    run = app.call(CreateRun(experiment=experiment)).id

    given = export(browser, otlp(a_span()), x_mlflow_experiment_id=experiment, x_mlflow_run_id=run)

    assert given.status_code == 200
    assert app.call(GetTrace(trace=TRACE)).experiment == experiment


def test_spans_that_can_not_be_kept_are_counted_and_the_others_kept(
    app: App, browser: Browser
) -> None:
    bad = [
        replace(a_span(2), trace=TraceId("tr-" + "0" * 32)),
        replace(a_span(3), trace=TraceId("tr-abcd")),
        replace(a_span(4), id=SpanId("00" * 8)),
        replace(a_span(5), ended_ns=1),
        replace(a_span(6), started_ns=2**64 - 1),
        replace(a_span(7), parent=SpanId("ab")),
    ]

    given = export(browser, otlp(a_span(1), *bad))

    assert given.status_code == 200
    count, why = partial(given.content)
    assert count == 6
    assert "ends before it starts" in why
    assert "no trace id of 16 bytes" in why
    assert [span.name for span in app.call(GetTrace(trace=TRACE)).spans] == ["span 1"]


def test_a_trace_of_another_experiment_is_not_written_to(app: App, browser: Browser) -> None:
    other = app.call(CreateExperiment(name="other")).id
    export(browser, otlp(a_span(1)))

    given = export(browser, otlp(a_span(2), a_span(3, trace=2)), x_mlflow_experiment_id=other)

    assert partial(given.content) == (
        1,
        f"Trace with ID '{TRACE}' already exists in another experiment.",
    )
    assert app.call(GetTrace(trace=TRACE)).span_count == 1
    assert app.call(GetTrace(trace=f"tr-{2:032x}")).experiment == other


def test_a_json_answer_says_what_was_rejected(browser: Browser) -> None:
    given = browser.post("/v1/traces", json=otlp_json(replace(a_span(1), id=SpanId("xx"))))

    assert given.json() == {
        "partialSuccess": {
            "rejectedSpans": "1",
            "errorMessage": "span 'span 1' has no span id of 8 bytes",
        }
    }


def test_failures_are_told_in_the_encoding_of_the_request(app: App, browser: Browser) -> None:
    gone = app.call(CreateExperiment(name="gone")).id
    app.call(UpdateExperiment(id=gone, lifecycle=Lifecycle.DELETED))
    body = otlp(a_span())

    unknown = export(browser, body, x_mlflow_experiment_id="none")
    deleted = export(browser, body, x_mlflow_experiment_id=gone)
    no_run = export(browser, body, x_mlflow_run_id="none")
    garbage = export(browser, b"\x0a\xff")
    plain = browser.post("/v1/traces", content=body, headers={"content-type": "text/plain"})
    odd = export(browser, body, content_encoding="br")
    not_json = browser.post(
        "/v1/traces", content=b"[]", headers={"content-type": "application/json; charset=utf-8"}
    )

    assert (unknown.status_code, status(unknown.content)[0]) == (404, 5)
    assert "No Experiment with id=none" in status(unknown.content)[1]
    assert deleted.status_code == 400
    assert no_run.status_code == 404
    assert (garbage.status_code, status(garbage.content)[0]) == (400, 3)
    assert plain.status_code == 415
    assert odd.status_code == 415
    assert (not_json.status_code, not_json.json()["code"]) == (400, 3)
    assert browser.get("/v1/traces").status_code == 405


def test_a_bomb_is_not_unpacked(browser: Browser) -> None:
    layers = gzip.compress(b"\0" * (bodies.MAX_UNPACKED_BYTES + 1))

    began = time.process_time()
    given = export(browser, layers, content_encoding="gzip")

    assert given.status_code == 413
    assert "64 MiB" in status(given.content)[1]
    assert time.process_time() - began < 2
    assert export(browser, layers[:100], content_encoding="gzip").status_code == 400


def test_what_would_take_long_to_read_is_refused() -> None:
    one = otlp(a_span())
    inner = binary.read_export(one)
    assert len(inner[0][1]) == 1
    empty_span = b"\x12\x00"
    scope = empty_span * (limits.MAX_SPANS + 1)
    many = b"".join((b"\x12", _size(len(scope)), scope))
    deep = b""
    for _ in range(limits.MAX_DEPTH + 2):
        element = b"\x0a" + _size(len(deep)) + deep
        deep = b"\x2a" + _size(len(element)) + element
    pair = b"\x0a\x01k\x12" + _size(len(deep)) + deep
    span = b"\x4a" + _size(len(pair)) + pair
    nested = b"\x12" + _size(len(span)) + span
    nested = b"\x12" + _size(len(nested)) + nested

    for block, code in ((many, "too_large"), (nested, "too_deep")):
        with pytest.raises(Exception, match=r"may h") as refused:
            binary.read_export(b"\x0a" + _size(len(block)) + block)
        assert refused.value.code == code  # type: ignore[attr-defined]


def _size(value: int) -> bytes:
    from mainspring.api.otlp.protobuf import varint

    return varint(value)
