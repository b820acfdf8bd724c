"""What a user's script traces with the real MLflow client; run in the client's own environment.

Prints one JSON object with what it saw, which the test beside it looks at.
"""

import asyncio
import contextlib
import json
import sys
import time

import mlflow
from mlflow.entities import AssessmentSource, Feedback, SpanType
from mlflow.entities.model_registry import PromptVersion
from mlflow.exceptions import MlflowException, RestException
from mlflow.tracking import MlflowClient

saw: dict[str, object] = {"client": mlflow.__version__}


def refused(work: object) -> str:
    """The error code of what must be refused."""
    try:
        work()  # type: ignore[operator]
    except (RestException, MlflowException) as error:
        return f"{error.error_code}: {error.message}"
    return "not refused"


@mlflow.trace(span_type=SpanType.RETRIEVER, attributes={"store": "wikipedia", "k": 3})
def retrieve(question: str) -> list[str]:
    time.sleep(0.01)
    return [f"about {question}"]


@mlflow.trace
def answer(question: str) -> dict[str, str]:
    mlflow.update_current_trace(
        tags={"topic": question}, metadata={"mlflow.trace.session": f"session {len(question)}"}
    )
    found = retrieve(question)
    with mlflow.start_span(name="generate", span_type=SpanType.LLM) as span:
        span.set_inputs({"messages": found, "température": 0.5})
        span.set_attribute(
            "mlflow.chat.tokenUsage", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        )
        span.set_outputs("forty-two ✓")
    return {"answer": "42"}


@mlflow.trace
def fails() -> None:
    raise ValueError("no such page")


@mlflow.trace
async def gather() -> int:
    @mlflow.trace
    async def part(n: int) -> int:
        await asyncio.sleep(0.005)
        return n

    return sum(await asyncio.gather(*(part(n) for n in range(3))))


def tracing(client: MlflowClient) -> dict[str, str]:
    answer("life")
    life = mlflow.get_last_active_trace_id()
    with contextlib.suppress(ValueError):
        fails()
    failed = mlflow.get_last_active_trace_id()
    asyncio.run(gather())
    gathered = mlflow.get_last_active_trace_id()
    root = client.start_trace("by hand", inputs={"x": 1}, tags={"kind": "manual"})
    child = client.start_span("child", trace_id=root.trace_id, parent_id=root.span_id)
    client.end_span(trace_id=root.trace_id, span_id=child.span_id, outputs=[1, 2.5, None, True])
    client.end_trace(root.trace_id, outputs={"y": 2})
    mlflow.flush_trace_async_logging()
    return {"life": life, "failed": failed, "gathered": gathered, "hand": root.trace_id}


def reading(ids: dict[str, str]) -> None:
    trace = mlflow.get_trace(ids["life"])
    spans = {span.name: span for span in trace.data.spans}
    root = spans["answer"]
    saw["trace"] = {
        "state": trace.info.state.value,
        "spans": [span.name for span in trace.data.spans],
        "parents": [
            spans["retrieve"].parent_id == root.span_id,
            spans["generate"].parent_id == root.span_id,
            root.parent_id,
        ],
        "types": {name: span.span_type for name, span in spans.items()},
        "inputs": root.inputs,
        "outputs": root.outputs,
        "llm": [spans["generate"].inputs, spans["generate"].outputs],
        "attributes": [spans["retrieve"].attributes["store"], spans["retrieve"].attributes["k"]],
        "previews": [trace.info.request_preview, trace.info.response_preview],
        "usage": trace.info.token_usage,
        "topic": trace.info.tags["topic"],
        "name": trace.info.tags["mlflow.traceName"],
        "session": trace.info.trace_metadata["mlflow.trace.session"],
        "took": trace.info.execution_duration >= 10,
        "stats": json.loads(trace.info.trace_metadata["mlflow.trace.sizeStats"])["num_spans"],
    }
    failed = mlflow.get_trace(ids["failed"])
    event = failed.data.spans[0].events[0]
    saw["failed"] = {
        "state": failed.info.state.value,
        "status": [
            failed.data.spans[0].status.status_code.value,
            failed.data.spans[0].status.description,
        ],
        "event": [
            event.name,
            event.attributes["exception.type"],
            event.attributes["exception.message"],
        ],
    }
    gathered = mlflow.get_trace(ids["gathered"])
    saw["gathered"] = sorted([span.name, span.outputs] for span in gathered.data.spans)
    hand = mlflow.get_trace(ids["hand"])
    saw["hand"] = [hand.info.tags["kind"], hand.data.spans[1].outputs, hand.info.request_preview]
    saw["unknown"] = refused(lambda: MlflowClient().get_trace("tr-" + "0" * 32))


def searching(experiment: str) -> None:
    def names(filter_string: str = "", **more: object) -> list[str]:
        found = mlflow.search_traces(
            locations=[experiment], filter_string=filter_string, return_type="list", **more
        )
        return [trace.info.tags["mlflow.traceName"] for trace in found]

    saw["search"] = {
        "all": names(),
        "ascending": names(order_by=["timestamp ASC"]),
        "by_name": names(order_by=["trace.name DESC"]),
        "limited": names(max_results=2),
        "status": names("status = 'ERROR'"),
        "status_alias": names("trace.status IN ('ERROR', 'OK') AND name = 'fails'"),
        "tag": names("tags.topic = 'life'"),
        "tag_like": names("tag.topic ILIKE 'LI%'"),
        "tag_rlike": names("tags.topic RLIKE '^l.*e$'"),
        "tag_null": names("tags.topic IS NULL"),
        "tag_not_null": names("tags.`topic` IS NOT NULL"),
        "metadata": names("metadata.`mlflow.trace.session` = 'session 4'"),
        "time": names("timestamp_ms > 0 AND execution_time < 100000 AND end_time > 5"),
        "span_name": names("span.name = 'generate'"),
        "span_like": names("span.name LIKE 'retr%'"),
        "span_type": names("span.type = 'LLM' AND span.status = 'OK'"),
        "span_in": names("span.type IN ('RETRIEVER', 'TOOL')"),
        "span_attribute": names("span.attributes.store = 'wikipedia'"),
        "span_attribute_like": names("span.attributes.store LIKE '%wiki%'"),
        "span_attribute_rlike": names("span.attributes.store RLIKE '^wiki.*ia$'"),
        "content": names("span.content LIKE '%forty-two ✓%'"),
        "text": names("trace.text ILIKE '%FORTY-TWO%'"),
        "ids": names("request_id = 'nothing'"),
        "or": refused(lambda: names("status = 'OK' OR status = 'ERROR'")),
        "unknown_key": refused(lambda: names("foo.bar = 'x'")),
        "bad_operator": refused(lambda: names("span.content = 'x'")),
    }
    frame = mlflow.search_traces(locations=[experiment], max_results=1)
    saw["frame"] = [len(frame), "spans" in frame.columns]
    client = MlflowClient()
    first = client.search_traces(locations=[experiment], max_results=3)
    second = client.search_traces(locations=[experiment], max_results=3, page_token=first.token)
    saw["pages"] = [len(first), len(second), second.token]


def assessing(ids: dict[str, str], experiment: str) -> None:
    trace = ids["life"]
    person = AssessmentSource(source_type="HUMAN", source_id="ada")
    good = mlflow.log_feedback(
        trace_id=trace,
        name="correct",
        value=True,
        source=person,
        rationale="right",
        metadata={"round": "1"},
    )
    mlflow.log_feedback(trace_id=trace, name="score", value=0.75, source=person)
    mlflow.log_feedback(trace_id=trace, name="tone", value="kind")
    mlflow.log_feedback(trace_id=ids["failed"], name="judge", error=ValueError("judge broke"))
    mlflow.log_expectation(
        trace_id=trace, name="answer", value={"answer": ["42", 42]}, source=person
    )
    read = mlflow.get_assessment(trace, good.assessment_id)
    changed = mlflow.update_assessment(
        trace,
        good.assessment_id,
        Feedback(name="correct", value=False, rationale="wrong", metadata={"by": "bob"}),
    )
    newer = mlflow.override_feedback(
        trace_id=trace,
        assessment_id=good.assessment_id,
        value=True,
        rationale="right after all",
        source=person,
    )
    after = mlflow.get_trace(trace)
    judged = mlflow.get_trace(ids["failed"]).info.assessments[0]

    def names(filter_string: str) -> list[str]:
        found = mlflow.search_traces(
            locations=[experiment], filter_string=filter_string, return_type="list"
        )
        return sorted(t.info.tags["mlflow.traceName"] for t in found)

    saw["assessments"] = {
        "read": [read.name, read.value, read.rationale, read.metadata, read.source.source_id],
        "changed": [changed.value, changed.rationale, changed.metadata],
        "override": [
            newer.overrides == good.assessment_id,
            mlflow.get_assessment(trace, good.assessment_id).valid,
        ],
        "on_trace": sorted([a.name, a.value] for a in after.info.assessments if a.valid),
        "error": [judged.error.error_code, judged.error.error_message, judged.value],
        "feedback": names("feedback.correct = 'true'"),
        "feedback_string": names("feedback.tone = 'kind'"),
        "feedback_number": names("feedback.score >= 0.7"),
        "feedback_number_not": names("feedback.score > 0.8"),
        "feedback_null": names("feedback.tone IS NULL"),
        "feedback_not_null": names("feedback.tone IS NOT NULL"),
        "expectation": names("expectation.answer LIKE '%42%'"),
    }
    mlflow.delete_assessment(trace, newer.assessment_id)
    saw["assessments"]["after_deletion"] = [
        refused(lambda: mlflow.get_assessment(trace, newer.assessment_id))[:24],
        mlflow.get_assessment(trace, good.assessment_id).valid,
    ]


def tagging(ids: dict[str, str]) -> None:
    mlflow.set_trace_tag(ids["life"], "reviewed", "yes")
    mlflow.set_trace_tag(ids["life"], "gone", "x")
    mlflow.delete_trace_tag(ids["life"], "gone")
    tags = mlflow.get_trace(ids["life"]).info.tags
    saw["tags"] = [tags["reviewed"], "gone" in tags]
    saw["no_tag"] = refused(lambda: mlflow.delete_trace_tag(ids["life"], "gone"))[:24]


def linking(client: MlflowClient, ids: dict[str, str], experiment: str) -> None:
    with mlflow.start_run() as run:
        answer("inside")
    inside = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    model = mlflow.create_external_model(name="agent")
    mlflow.set_active_model(model_id=model.model_id)
    answer("model")
    of_model = mlflow.get_last_active_trace_id()
    mlflow.flush_trace_async_logging()
    client.link_traces_to_run([ids["life"]], run.info.run_id)
    found = mlflow.search_traces(locations=[experiment], run_id=run.info.run_id, return_type="list")
    of = mlflow.search_traces(
        locations=[experiment],
        filter_string=f"metadata.`mlflow.modelId` = '{model.model_id}'",
        return_type="list",
    )
    prompt = PromptVersion(name="ask", version=2, template="{{question}}?")
    client.link_prompt_versions_to_trace([prompt], ids["life"])
    with_prompt = mlflow.search_traces(
        locations=[experiment], filter_string="prompt = 'ask/2'", return_type="list"
    )
    saw["links"] = {
        "prompt": [t.info.trace_id for t in with_prompt] == [ids["life"]],
        "run": sorted(t.info.trace_id for t in found) == sorted([inside, ids["life"]]),
        "model": [t.info.trace_id for t in of] == [of_model],
    }


def deleting(client: MlflowClient, ids: dict[str, str], experiment: str) -> None:
    one = client.delete_traces(experiment, trace_ids=[ids["hand"]])
    gone = refused(lambda: client.get_trace(ids["hand"]))[:24]
    before = len(client.search_traces(locations=[experiment]))
    oldest = client.delete_traces(
        experiment, max_timestamp_millis=int(time.time() * 1000), max_traces=2
    )
    left = [t.info.tags["mlflow.traceName"] for t in client.search_traces(locations=[experiment])]
    rest = client.delete_traces(experiment, max_timestamp_millis=int(time.time() * 1000))
    saw["deleted"] = {
        "one": one,
        "gone": gone,
        "before": before,
        "oldest": oldest,
        "left": left,
        "rest": rest,
    }


def open_telemetry(url: str, experiment: str) -> None:
    """Any exporter of OpenTelemetry, with nothing of MLflow in it."""
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    for compression in (Compression.NoCompression, Compression.Gzip, Compression.Deflate):
        exporter = OTLPSpanExporter(
            endpoint=f"{url}/v1/traces",
            headers={"x-mlflow-experiment-id": experiment},
            compression=compression,
        )
        provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop", "1.0")
    with tracer.start_as_current_span(
        "order", attributes={"price": 9.5, "items": ["a", "b"], "paid": True}
    ) as span:
        trace_id = f"tr-{span.get_span_context().trace_id:032x}"
        for n in range(5):
            with tracer.start_as_current_span(f"item {n}", attributes={"n": n}):
                pass
    flushed = provider.force_flush()
    provider.shutdown()
    trace = mlflow.get_trace(trace_id)
    root = next(span for span in trace.data.spans if span.parent_id is None)
    saw["otel"] = {
        "flushed": flushed,
        "spans": sorted(span.name for span in trace.data.spans),
        "attributes": {key: root.attributes[key] for key in ("price", "items", "paid")},
        "state": trace.info.state.value,
        "service": trace.info.tags.get("service.name"),
        "name": trace.info.tags.get("mlflow.traceName"),
        "found": len(
            mlflow.search_traces(
                locations=[experiment], filter_string="span.attributes.n = '3'", return_type="list"
            )
        ),
    }


def main(url: str) -> None:
    mlflow.set_tracking_uri(url)
    client = MlflowClient()
    experiment = mlflow.set_experiment("agents").experiment_id
    ids = tracing(client)
    reading(ids)
    searching(experiment)
    assessing(ids, experiment)
    tagging(ids)
    linking(client, ids, experiment)
    other = client.create_experiment("shops")
    open_telemetry(url, other)
    deleting(client, ids, experiment)
    print("SAW " + json.dumps(saw, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1])
