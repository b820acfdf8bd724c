"""What runs log: metrics, parameters, tags, inputs and outputs."""

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.runs import metric_json, run_id_of
from mainspring.api.mlflow.wire import Json, Params, compact
from mainspring.app import App
from mainspring.domain.run import DatasetInput, Direction, Metric, ModelLink
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import GetMetricHistory, LogBatch, LogInputs, RemoveRunTag
from mainspring.tracking.rules import one_by_one

# MLflow's own limits, which its clients split their batches by.
_MAX_METRICS = 1000
_MAX_PARAMS = 100
_MAX_TAGS = 100
_MAX_ALL = 1000


def log_metric(app: App, params: Params) -> Json:
    """Add one point."""
    app.call(LogBatch(run=run_id_of(params), metrics=(_metric(params),)))
    return {}


def log_param(app: App, params: Params) -> Json:
    """Set one parameter."""
    pair = {params.text("key"): params.stringified("value")}
    app.call(LogBatch(run=run_id_of(params), params=pair))
    return {}


def set_tag(app: App, params: Params) -> Json:
    """Set one tag."""
    pair = {params.text("key"): params.stringified("value")}
    app.call(LogBatch(run=run_id_of(params), tags=pair))
    return {}


def delete_tag(app: App, params: Params) -> Json:
    """Remove one tag."""
    app.call(RemoveRunTag(run=run_id_of(params), key=params.text("key")))
    return {}


def log_batch(app: App, params: Params) -> Json:
    """Add many of each, all or none."""
    run = run_id_of(params)
    metrics, pairs, tags = params.items("metrics"), params.pairs("params"), params.pairs("tags")
    _check_size("metrics", len(metrics), _MAX_METRICS)
    _check_size("params", len(pairs), _MAX_PARAMS)
    _check_size("tags", len(tags), _MAX_TAGS)
    _check_size("metrics, params, and tags", len(metrics) + len(pairs) + len(tags), _MAX_ALL)
    app.call(
        LogBatch(
            run=run,
            metrics=tuple(_metric(each) for each in metrics),
            params=one_by_one(pairs, f"run ID='{run}'"),
            tags=dict(tags),
        )
    )
    return {}


def log_inputs(app: App, params: Params) -> Json:
    """Say which datasets and logged models a run read."""
    app.call(
        LogInputs(
            run=run_id_of(params),
            datasets=tuple(_dataset(each) for each in params.items("datasets")),
            models=tuple(_link(each, Direction.INPUT) for each in params.items("models")),
        )
    )
    return {}


def log_outputs(app: App, params: Params) -> Json:
    """Say which logged models a run made."""
    links = tuple(_link(each, Direction.OUTPUT) for each in params.items("models"))
    app.call(LogInputs(run=run_id_of(params), models=links))
    return {}


def log_model(app: App, params: Params) -> Json:
    """Keep what clients before 3.0 say of a saved model: as a tag, as MLflow does."""
    tags = {"mlflow.log-model.history": params.text("model_json")}
    app.call(LogBatch(run=run_id_of(params), tags=tags))
    return {}


def get_history(app: App, params: Params) -> Json:
    """Points of one metric. Without `max_results` all of them, which is what older clients expect."""
    run, key = run_id_of(params), params.text("metric_key")
    token = params.optional_text("page_token") or None
    limit = params.page(25_000, 25_000)
    points = []
    while True:
        page = app.call(GetMetricHistory(run=run, key=key, limit=limit, page_token=token))
        points += [metric_json(each) for each in page.items]
        token = page.next_token
        if token is None or params.has("max_results"):
            return compact({"metrics": points, "next_page_token": token})


def _metric(params: Params) -> Metric:
    return Metric(
        key=params.text("key"),
        value=params.number("value"),
        timestamp_ms=params.integer("timestamp"),
        step=params.integer("step", 0),
        model=params.optional_text("model_id") or None,
        dataset_name=params.optional_text("dataset_name") or None,
        dataset_digest=params.optional_text("dataset_digest") or None,
    )


def _dataset(params: Params) -> DatasetInput:
    dataset = params.item("dataset")
    return DatasetInput(
        name=dataset.text("name"),
        digest=dataset.text("digest"),
        source_type=dataset.text("source_type"),
        source=dataset.text("source"),
        schema=dataset.optional_text("schema") or None,
        profile=dataset.optional_text("profile") or None,
        tags=tuple(params.pairs("tags")),
    )


def _link(params: Params, direction: Direction) -> ModelLink:
    return ModelLink(
        model=params.text("model_id"), direction=direction, step=params.integer("step", 0)
    )


def _check_size(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise Invalid(
            f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
            f"Please split up {what} across multiple requests and try again."
        )


CALLS = (
    Call(method="POST", path="/runs/log-metric", handler=log_metric),
    Call(method="POST", path="/runs/log-parameter", handler=log_param),
    Call(method="POST", path="/runs/set-tag", handler=set_tag),
    Call(method="POST", path="/runs/delete-tag", handler=delete_tag),
    Call(method="POST", path="/runs/log-batch", handler=log_batch),
    Call(method="POST", path="/runs/log-inputs", handler=log_inputs),
    Call(method="POST", path="/runs/outputs", handler=log_outputs),
    Call(method="POST", path="/runs/log-model", handler=log_model),
    Call(method="GET", path="/metrics/get-history", handler=get_history),
)
