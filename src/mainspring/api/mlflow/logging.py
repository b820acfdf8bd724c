"""What runs log: metrics, parameters, tags, inputs and outputs."""

from typing import Any

import msgspec

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.runs import run_id_of
from mainspring.api.mlflow.wire import Json, Params, compact
from mainspring.app import App
from mainspring.domain.run import (
    DatasetInput,
    Direction,
    Metric,
    ModelLink,
    RunPart,
)
from mainspring.kernel.codec import encode_text
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import (
    GetRun,
    ListInputDatasets,
    LogBatch,
    LogInputs,
    RemoveRunTag,
)
from mainspring.tracking.rules import MAX_TAG_VALUE, one_by_one

# MLflow's own limits, which its clients split their batches by.
_MAX_METRICS = 1000
_MAX_PARAMS = 100
_MAX_TAGS = 100
_MAX_ALL = 1000
_MAX_EXPERIMENTS = 20
_HISTORY = "mlflow.log-model.history"
_MODEL_FIELDS = ("run_id", "artifact_path", "utc_time_created", "flavors")


class _Point(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    value: float
    timestamp: int
    step: int = 0
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


class _Pair(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    value: str


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    run_id: str
    metrics: list[_Point] = []
    params: list[_Pair] = []
    tags: list[_Pair] = []


_batch = msgspec.json.Decoder(_Batch)


def log_metric(params: Params) -> LogBatch:
    """Add one point."""
    return LogBatch(run=run_id_of(params), metrics=(_metric(params),))


def log_param(params: Params) -> LogBatch:
    """Set one parameter."""
    pair = {params.text("key"): params.optional_text("value")}
    return LogBatch(run=run_id_of(params), params=pair)


def set_tag(params: Params) -> LogBatch:
    """Set one tag."""
    pair = {params.text("key"): params.optional_text("value")}
    return LogBatch(run=run_id_of(params), tags=pair)


def delete_tag(params: Params) -> RemoveRunTag:
    """Remove one tag."""
    return RemoveRunTag(run=run_id_of(params), key=params.text("key"))


def log_batch(params: Params) -> LogBatch:
    """Add many of each, all or none."""
    run = run_id_of(params)
    metrics, pairs, tags = params.items("metrics"), params.pairs("params"), params.pairs("tags")
    _check_sizes(len(metrics), len(pairs), len(tags))
    return LogBatch(
        run=run,
        metrics=tuple(_metric(each) for each in metrics),
        params=one_by_one(pairs, f"run ID='{run}'"),
        tags=dict(tags),
    )


def read_batch(body: bytes) -> LogBatch | None:
    """What `log_batch` gives for the usual body, in a twentieth of the time; None for any other body.

    `log_batch` then reads it again, with words for whatever is wrong and patience for what is odd.
    """
    try:
        batch = _batch.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    _check_sizes(len(batch.metrics), len(batch.params), len(batch.tags))
    if not batch.run_id or b"\\u0000" in body:
        return None
    if not all(pair.key for pair in (*batch.params, *batch.tags)):
        return None
    if any(point.timestamp < 0 for point in batch.metrics):
        return None
    pairs = [(pair.key, pair.value) for pair in batch.params]
    return LogBatch(
        run=batch.run_id,
        metrics=tuple(
            Metric(
                key=each.key,
                value=each.value,
                step=each.step,
                timestamp_ms=each.timestamp,
                model=each.model_id or None,
                dataset_name=each.dataset_name or None,
                dataset_digest=each.dataset_digest or None,
            )
            for each in batch.metrics
        ),
        params=one_by_one(pairs, f"run ID='{batch.run_id}'") if pairs else {},
        tags={pair.key: pair.value for pair in batch.tags},
    )


def log_inputs(params: Params) -> LogInputs:
    """Say which datasets and logged models a run read."""
    return LogInputs(
        run=run_id_of(params),
        datasets=tuple(_dataset(each) for each in params.items("datasets")),
        models=tuple(_link(each, Direction.INPUT) for each in params.items("models")),
    )


def log_outputs(params: Params) -> LogInputs:
    """Say which logged models a run made."""
    links = tuple(_link(each, Direction.OUTPUT) for each in params.items("models"))
    return LogInputs(run=run_id_of(params), models=links)


def log_model(app: App, params: Params) -> Json:
    """Add what clients before 3.0 say of a saved model to a list in a tag, as MLflow does."""
    run, model = run_id_of(params), _model_info(params.text("model_json"))
    tags = app.call(GetRun(run=run, parts=(RunPart.TAGS,))).tags
    history = _listed(tags.get(_HISTORY, ""))
    history.append(model)
    # A tag is cut where it is too long, and half a list is none: the latest models count.
    while len(history) > 1 and len(encode_text(history)) > MAX_TAG_VALUE:
        del history[0]
    if len(encode_text(history)) > MAX_TAG_VALUE:
        history = [{name: model[name] for name in _MODEL_FIELDS}]
    app.call(LogBatch(run=run, tags={_HISTORY: encode_text(history)}))
    return {}


def _model_info(text: str) -> Json:
    try:
        found = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Invalid(f"Malformed model info. \n {text[:200]} \n is not a valid JSON.") from error
    missing = [name for name in _MODEL_FIELDS if name not in found]
    if missing:
        raise Invalid(f"Model json is missing mandatory fields: {', '.join(missing)}")
    return found


def _listed(text: str) -> list[Any]:
    """A list in a tag; whatever else anybody wrote there is no list to go on with."""
    try:
        return msgspec.json.decode(text, type=list[Any]) if text else []
    except (msgspec.MsgspecError, RecursionError):
        return []


def search_datasets(app: App, params: Params) -> Json:
    """Which datasets the runs of some experiments read: what pages offer to filter by."""
    experiments = params.texts("experiment_ids")
    if not experiments:
        raise Invalid("SearchDatasets request must specify at least one experiment_id.")
    if len(experiments) > _MAX_EXPERIMENTS:
        raise Invalid(
            f"SearchDatasets request cannot specify more than {_MAX_EXPERIMENTS} experiment_ids. "
            f"Received {len(experiments)} experiment_ids."
        )
    found = [
        compact(
            {
                "experiment_id": each.experiment,
                "name": each.name,
                "digest": each.digest,
                "context": each.context or None,
            }
        )
        for each in app.call(ListInputDatasets(experiments=experiments))
    ]
    return {"dataset_summaries": found} if found else {}


def _metric(params: Params) -> Metric:
    if params.integer("timestamp") < 0:
        raise Invalid(
            f"Invalid value {params.integer('timestamp')} for parameter 'timestamp' supplied: "
            "Timestamp must be a nonnegative long (64-bit integer)."
        )
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


def _check_sizes(metrics: int, params: int, tags: int) -> None:
    _check_size("metrics", metrics, _MAX_METRICS)
    _check_size("params", params, _MAX_PARAMS)
    _check_size("tags", tags, _MAX_TAGS)
    _check_size("metrics, params, and tags", metrics + params + tags, _MAX_ALL)


def _check_size(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise Invalid(
            f"A batch logging request can contain at most {limit} {what}. Got {count} {what}. "
            f"Please split up {what} across multiple requests and try again."
        )


CALLS = (
    Call(method="POST", path="/runs/log-metric", report=log_metric),
    Call(method="POST", path="/runs/log-parameter", report=log_param),
    Call(method="POST", path="/runs/set-tag", report=set_tag),
    Call(method="POST", path="/runs/delete-tag", report=delete_tag),
    Call(method="POST", path="/runs/log-batch", report=log_batch, read=read_batch),
    Call(method="POST", path="/runs/log-inputs", report=log_inputs),
    Call(method="POST", path="/runs/outputs", report=log_outputs),
    Call(method="POST", path="/runs/log-model", handler=log_model),
    Call(method="POST", path="/experiments/search-datasets", handler=search_datasets),
)
