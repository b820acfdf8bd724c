"""MLflow's JSON, as its server answers, in our words."""

import math
from typing import Any

from mainspring.domain.logged_model import (
    LoggedModel,
    LoggedModelId,
    LoggedModelStatus,
    ModelMetric,
)
from mainspring.domain.model import ModelVersion, ModelVersionId, RegisteredModel
from mainspring.domain.run import (
    DatasetInput,
    Direction,
    Experiment,
    ExperimentId,
    Lifecycle,
    Metric,
    MetricPoints,
    ModelLink,
    Run,
    RunId,
    RunStatus,
)
from mainspring.takeover.mlflow.source import (
    UNSTORED,
    SourceLoggedModel,
    instant,
    instant_or_start,
)

Json = dict[str, Any]  # whatever the server answers


def experiment_of(each: Json) -> Experiment:
    """An experiment of `experiments/search`."""
    return Experiment(
        id=ExperimentId(each["experiment_id"]),
        name=each["name"],
        lifecycle=Lifecycle(each.get("lifecycle_stage", "active")),
        created_at=instant_or_start(_number(each.get("creation_time"))),
        updated_at=instant_or_start(_number(each.get("last_update_time"))),
        tags=_pairs(each.get("tags")),
    )


def points_of(run: str, key: str, page: list[Json]) -> MetricPoints:
    """A page of `metrics/get-history` as columns."""
    return MetricPoints(
        run=run,
        key=key,
        steps=tuple([_number(each.get("step")) or 0 for each in page]),
        timestamps_ms=tuple([_number(each.get("timestamp")) or 0 for each in page]),
        values=tuple([_value(each) for each in page]),
    )


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _value(metric: Json) -> float:
    # NaN and infinities come as their names; a value of 0 is left out by some servers.
    return float(metric.get("value", 0.0))


def _pairs(items: Any) -> dict[str, str]:
    return {each["key"]: each.get("value", "") for each in items or ()}


def run_of(each: Json, experiment: str) -> Run:
    """A run of `runs/search` with the names of its metrics."""
    info, data = each["info"], each.get("data", {})
    inputs, outputs = each.get("inputs", {}), each.get("outputs", {})
    links = [(Direction.INPUT, link) for link in inputs.get("model_inputs", ())]
    links += [(Direction.OUTPUT, link) for link in outputs.get("model_outputs", ())]
    return Run(
        id=RunId(info["run_id"]),
        experiment=ExperimentId(experiment),
        name=info.get("run_name", ""),
        status=RunStatus(info["status"]),
        lifecycle=Lifecycle(info.get("lifecycle_stage", "active")),
        user=info.get("user_id", "")[:250],
        started_at=instant(_number(info.get("start_time"))),
        ended_at=instant(_number(info.get("end_time"))),
        metrics=tuple(Metric(key=m["key"], value=_value(m)) for m in data.get("metrics", ())),
        params=_pairs(data.get("params")),
        tags=_pairs(data.get("tags")),
        inputs=tuple(map(_input, inputs.get("dataset_inputs", ()))),
        models=tuple(
            ModelLink(model=link["model_id"], direction=side, step=_number(link.get("step")) or 0)
            for side, link in links
        ),
    )


def _input(each: Json) -> DatasetInput:
    dataset = each["dataset"]
    return DatasetInput(
        name=dataset["name"],
        digest=dataset["digest"],
        source_type=dataset["source_type"],
        source=dataset["source"],
        schema=dataset.get("schema"),
        profile=dataset.get("profile"),
        tags=tuple(sorted(_pairs(each.get("tags")).items())),
    )


def logged_model_of(each: Json, experiment: str) -> SourceLoggedModel:
    """A logged model of `logged-models/search`."""
    info, data = each["info"], each.get("data", {})
    status = info.get("status", "")
    return SourceLoggedModel(
        model=LoggedModel(
            id=LoggedModelId(info["model_id"]),
            experiment=ExperimentId(experiment),
            name=info["name"],
            source_run=RunId(info["source_run_id"]) if info.get("source_run_id") else None,
            status=LoggedModelStatus(status) if status else LoggedModelStatus.PENDING,
            model_type=info.get("model_type", "")[:100],
            lifecycle=Lifecycle.ACTIVE,
            created_at=instant_or_start(_number(info.get("creation_timestamp_ms"))),
            updated_at=instant_or_start(_number(info.get("last_updated_timestamp_ms"))),
            params=_pairs(data.get("params")),
            tags=_pairs(info.get("tags")),
            metrics=tuple(map(_model_metric, data.get("metrics", ()))),
        ),
        location=info.get("artifact_uri", ""),
    )


def _model_metric(each: Json) -> ModelMetric:
    value = _value(each)
    metric = Metric(
        key=each["key"],
        value=math.nan if math.isnan(value) else value,
        step=_number(each.get("step")) or 0,
        timestamp_ms=_number(each.get("timestamp")) or 0,
        model=each.get("model_id"),
        dataset_name=each.get("dataset_name"),
        dataset_digest=each.get("dataset_digest"),
    )
    return ModelMetric(run=RunId(each.get("run_id", "")), metric=metric)


def model_of(each: Json) -> RegisteredModel:
    """A registered model of `registered-models/search`."""
    aliases = {item["alias"]: int(item["version"]) for item in each.get("aliases", ())}
    return RegisteredModel(
        name=each["name"],
        description=each.get("description", ""),
        tags=_pairs(each.get("tags")),
        aliases=aliases,
        version_count=0,
        created_at=instant_or_start(_number(each.get("creation_timestamp"))),
        updated_at=instant_or_start(_number(each.get("last_updated_timestamp"))),
    )


def version_of(each: Json) -> ModelVersion:
    """A version of `model-versions/search`."""
    return ModelVersion(
        id=ModelVersionId(""),
        model=each["name"],
        number=int(each["version"]),
        run=RunId(each["run_id"]) if each.get("run_id") else None,
        manifest=UNSTORED,
        flavor="",
        signature=None,
        metrics={},
        reference=None,
        evaluation=None,
        project=None,
        environment=None,
        description=each.get("description", ""),
        tags=_pairs(each.get("tags")),
        aliases=(),
        gate_results=None,
        created_at=instant_or_start(_number(each.get("creation_timestamp"))),
        created_by=each.get("user_id", ""),
        updated_at=instant_or_start(_number(each.get("last_updated_timestamp"))),
        source=each.get("source", ""),
        logged_model=each.get("model_id") or None,
        stage=each.get("current_stage") or "None",
    )
