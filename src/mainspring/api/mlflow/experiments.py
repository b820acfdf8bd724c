"""Experiments."""

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.wire import Json, Params, compact, milliseconds_of, pairs_json
from mainspring.app import App
from mainspring.domain.run import Experiment, Lifecycle
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import (
    CreateExperiment,
    GetExperiment,
    SearchExperiments,
    TagExperiment,
    UpdateExperiment,
)

_WISHED_LOCATION = "mainspring.artifact_location"
_VIEWS = {"ACTIVE_ONLY": Lifecycle.ACTIVE, "DELETED_ONLY": Lifecycle.DELETED, "ALL": None}


def create(app: App, params: Params) -> Json:
    """Make an experiment.

    A location that the client wishes for is kept as a tag and never followed: files go where all files go.
    """
    tags = dict(params.pairs("tags"))
    if wished := params.optional_text("artifact_location"):
        tags.setdefault(_WISHED_LOCATION, wished)
    made = app.call(CreateExperiment(name=params.text("name"), tags=tags))
    return {"experiment_id": made.id}


def get(app: App, params: Params) -> Json:
    """One experiment by id."""
    found = app.call(GetExperiment(id=params.text("experiment_id")))
    return {"experiment": experiment_json(found)}


def get_by_name(app: App, params: Params) -> Json:
    """One experiment by name."""
    found = app.call(GetExperiment(name=params.text("experiment_name")))
    return {"experiment": experiment_json(found)}


def search(app: App, params: Params) -> Json:
    """A page of experiments."""
    page = app.call(
        SearchExperiments(
            filter=params.optional_text("filter"),
            order_by=params.texts("order_by"),
            lifecycle=view_of(params, "view_type"),
            limit=params.page(1000, 50_000),
            page_token=params.optional_text("page_token") or None,
        )
    )
    found = [experiment_json(each) for each in page.items]
    return compact({"experiments": found, "next_page_token": page.next_token})


def update(app: App, params: Params) -> Json:
    """Rename an experiment."""
    name = params.optional_text("new_name")
    if name:
        app.call(UpdateExperiment(id=params.text("experiment_id"), name=name))
    return {}


def delete(app: App, params: Params) -> Json:
    """Delete an experiment with its runs."""
    app.call(UpdateExperiment(id=params.text("experiment_id"), lifecycle=Lifecycle.DELETED))
    return {}


def restore(app: App, params: Params) -> Json:
    """Bring a deleted experiment back with its runs."""
    app.call(UpdateExperiment(id=params.text("experiment_id"), lifecycle=Lifecycle.ACTIVE))
    return {}


def set_tag(app: App, params: Params) -> Json:
    """Set a tag."""
    tags = {params.text("key"): params.optional_text("value")}
    app.call(TagExperiment(id=params.text("experiment_id"), tags=tags))
    return {}


def delete_tag(app: App, params: Params) -> Json:
    """Remove a tag."""
    app.call(TagExperiment(id=params.text("experiment_id"), removed=(params.text("key"),)))
    return {}


def view_of(params: Params, name: str) -> Lifecycle | None:
    """Which of active and deleted things are asked for."""
    given = params.optional_text(name) or "ACTIVE_ONLY"
    if given not in _VIEWS:
        raise Invalid(f"Invalid value {given[:40]!r} for parameter '{name}' supplied.")
    return _VIEWS[given]


def experiment_json(experiment: Experiment) -> Json:
    """An experiment as MLflow writes it."""
    return {
        "experiment_id": experiment.id,
        "name": experiment.name,
        "artifact_location": f"mlflow-artifacts:/{experiment.id}",
        "lifecycle_stage": experiment.lifecycle.value,
        "creation_time": milliseconds_of(experiment.created_at),
        "last_update_time": milliseconds_of(experiment.updated_at),
        "tags": pairs_json(experiment.tags),
    }


CALLS = (
    Call(method="POST", path="/experiments/create", handler=create),
    Call(method="GET", path="/experiments/get", handler=get),
    Call(method="GET", path="/experiments/get-by-name", handler=get_by_name),
    Call(method="POST", path="/experiments/search", handler=search),
    Call(method="GET", path="/experiments/search", handler=search),
    Call(method="POST", path="/experiments/update", handler=update),
    Call(method="POST", path="/experiments/delete", handler=delete),
    Call(method="POST", path="/experiments/restore", handler=restore),
    Call(method="POST", path="/experiments/set-experiment-tag", handler=set_tag),
    Call(method="POST", path="/experiments/delete-experiment-tag", handler=delete_tag),
)
