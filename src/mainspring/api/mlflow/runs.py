"""Runs: beginning, changing, searching. What they log is in `logging.py`."""

from math import isfinite

import msgspec

from mainspring.api.mlflow.experiments import view_of
from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.locations import run_root, uri_of
from mainspring.api.mlflow.wire import (
    Json,
    Params,
    compact,
    milliseconds_of,
    number_json,
    pairs_json,
)
from mainspring.app import App
from mainspring.domain.run import DatasetInput, Direction, Lifecycle, Metric, Run, RunStatus
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import CreateRun, GetRun, SearchRuns, UpdateRun

_NAME_TAG = "mlflow.runName"


def create(app: App, params: Params) -> Json:
    """Begin a run."""
    name, tags = params.optional_text("run_name"), dict(params.pairs("tags"))
    tagged = tags.get(_NAME_TAG)
    if name and tagged and name != tagged:
        raise Invalid(
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different "
            f"values (run_name={name[:100]!r}, mlflow.runName={tagged[:100]!r})."
        )
    run = app.call(
        CreateRun(
            experiment=params.text("experiment_id"),
            name=name,
            user=params.optional_text("user_id"),
            started_at=params.instant("start_time"),
            tags=tags,
        )
    )
    return {"run": run_json(run)}


def get(app: App, params: Params) -> Json:
    """One run with all that belongs to it."""
    return {"run": run_json(app.call(GetRun(run=run_id_of(params))))}


def update(app: App, params: Params) -> Json:
    """Change a run's name, state or end."""
    run = app.call(
        UpdateRun(
            run=run_id_of(params),
            name=params.optional_text("run_name") or msgspec.UNSET,
            status=_status(params),
            ended_at=params.instant("end_time") or msgspec.UNSET,
        )
    )
    return {"run_info": _info_json(run)}


def delete(app: App, params: Params) -> Json:
    """Mark a run as deleted."""
    app.call(UpdateRun(run=run_id_of(params), lifecycle=Lifecycle.DELETED))
    return {}


def restore(app: App, params: Params) -> Json:
    """Bring a deleted run back."""
    app.call(UpdateRun(run=run_id_of(params), lifecycle=Lifecycle.ACTIVE))
    return {}


def search(app: App, params: Params) -> Json:
    """A page of runs."""
    page = app.call(
        SearchRuns(
            experiments=params.texts("experiment_ids"),
            filter=params.optional_text("filter"),
            order_by=params.texts("order_by"),
            lifecycle=view_of(params, "run_view_type"),
            limit=params.page(1000, 50_000),
            page_token=params.optional_text("page_token") or None,
        )
    )
    found = [run_json(each) for each in page.items]
    return compact({"runs": found, "next_page_token": page.next_token})


def run_id_of(params: Params) -> str:
    """The run that a call is about; older clients say `run_uuid`."""
    return params.text("run_id", "run_uuid")


def _status(params: Params) -> RunStatus | msgspec.UnsetType:
    given = params.optional_text("status")
    if not given:
        return msgspec.UNSET
    try:
        return RunStatus(given)
    except ValueError as error:
        raise Invalid(f"Invalid value {given[:40]!r} for parameter 'status' supplied.") from error


def run_json(run: Run) -> Json:
    """A run as MLflow writes it."""
    made = [link for link in run.models if link.direction is Direction.OUTPUT]
    read = [link for link in run.models if link.direction is Direction.INPUT]
    return {
        "info": _info_json(run),
        "data": {
            "metrics": [_latest_json(each) for each in run.metrics],
            "params": pairs_json(run.params),
            "tags": pairs_json(run.tags),
        },
        "inputs": {
            "dataset_inputs": [_input_json(each) for each in run.inputs],
            "model_inputs": [{"model_id": link.model} for link in read],
        },
        "outputs": {
            "model_outputs": [{"model_id": link.model, "step": link.step} for link in made]
        },
    }


def _latest_json(metric: Metric) -> Json:
    """A run's metric, of which a page may hold a million: written without looking for what it can't have."""
    value = metric.value
    return {
        "key": metric.key,
        "value": value if isfinite(value) else number_json(value),
        "timestamp": metric.timestamp_ms,
        "step": metric.step,
    }


def metric_json(metric: Metric, run: str | None = None) -> Json:
    """A metric as MLflow writes it."""
    return compact(
        {
            "key": metric.key,
            "value": number_json(metric.value),
            "timestamp": metric.timestamp_ms,
            "step": metric.step,
            "model_id": metric.model,
            "dataset_name": metric.dataset_name,
            "dataset_digest": metric.dataset_digest,
            "run_id": run,
        }
    )


def _info_json(run: Run) -> Json:
    return compact(
        {
            "run_id": run.id,
            "run_uuid": run.id,
            "run_name": run.name,
            "experiment_id": run.experiment,
            "user_id": run.user,
            "status": run.status.value,
            "start_time": milliseconds_of(run.started_at),
            "end_time": milliseconds_of(run.ended_at),
            "artifact_uri": uri_of(run_root(run)),
            "lifecycle_stage": run.lifecycle.value,
        }
    )


def _input_json(item: DatasetInput) -> Json:
    dataset = {
        "name": item.name,
        "digest": item.digest,
        "source_type": item.source_type,
        "source": item.source,
        "schema": item.schema,
        "profile": item.profile,
    }
    return {"tags": pairs_json(item.tags), "dataset": compact(dataset)}


CALLS = (
    Call(method="POST", path="/runs/create", handler=create),
    Call(method="GET", path="/runs/get", handler=get),
    Call(method="POST", path="/runs/update", handler=update),
    Call(method="POST", path="/runs/delete", handler=delete),
    Call(method="POST", path="/runs/restore", handler=restore),
    Call(method="POST", path="/runs/search", handler=search),
)
