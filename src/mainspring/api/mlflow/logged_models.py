"""Logged models."""

from mainspring.api.mlflow.artifacts import files_json
from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.locations import model_root, uri_of
from mainspring.api.mlflow.runs import metric_json
from mainspring.api.mlflow.wire import Json, Params, compact, milliseconds_of, pairs_json
from mainspring.app import App
from mainspring.domain.logged_model import LoggedModel, LoggedModelStatus
from mainspring.domain.run import Lifecycle
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import (
    CreateLoggedModel,
    DescribeLoggedModel,
    GetLoggedModel,
    ListArtifacts,
    MetricDataset,
    ModelOrder,
    SearchLoggedModels,
    UpdateLoggedModel,
)

_MAX_PAGE = 1000
_BAD_SIGNS = ("/", ":", ".", "%", '"', "'")


def create(app: App, params: Params) -> Json:
    """Announce a model whose files will follow."""
    name = params.optional_text("name")
    if any(sign in name for sign in _BAD_SIGNS):
        raise Invalid(
            f"Invalid model name ({name[:100]!r}) provided. Model name must be a non-empty string "
            f"and cannot contain the following characters: {_BAD_SIGNS}"
        )
    model = app.call(
        CreateLoggedModel(
            experiment=params.text("experiment_id"),
            name=name,
            source_run=params.optional_text("source_run_id") or None,
            model_type=params.optional_text("model_type"),
            params=dict(params.pairs("params")),
            tags=dict(params.pairs("tags")),
        )
    )
    return {"model": model_json(model)}


def get(app: App, params: Params) -> Json:
    """One logged model."""
    return {"model": model_json(app.call(GetLoggedModel(model=params.text("model_id"))))}


def finalize(app: App, params: Params) -> Json:
    """Say that its files are all there, or that they will never be."""
    given = params.text("status")
    try:
        status = LoggedModelStatus(given)
    except ValueError as error:
        raise Invalid(f"Invalid value {given[:40]!r} for parameter 'status' supplied.") from error
    model = app.call(UpdateLoggedModel(model=params.text("model_id"), status=status))
    return {"model": model_json(model)}


def delete(app: App, params: Params) -> Json:
    """Mark a logged model as deleted."""
    app.call(UpdateLoggedModel(model=params.text("model_id"), lifecycle=Lifecycle.DELETED))
    return {}


def set_tags(app: App, params: Params) -> Json:
    """Set tags."""
    tags = dict(params.pairs("tags"))
    model = app.call(DescribeLoggedModel(model=params.text("model_id"), tags=tags))
    return {"model": model_json(model)}


def delete_tag(app: App, params: Params) -> Json:
    """Remove a tag."""
    key = params.text("tag_key")
    app.call(DescribeLoggedModel(model=params.text("model_id"), removed_tags=(key,)))
    return {}


def log_params(app: App, params: Params) -> Json:
    """Add parameters."""
    pairs = dict(params.pairs("params"))
    app.call(DescribeLoggedModel(model=params.text("model_id"), params=pairs))
    return {}


def search(app: App, params: Params) -> Json:
    """A page of logged models."""
    page = app.call(
        SearchLoggedModels(
            experiments=params.texts("experiment_ids"),
            filter=params.optional_text("filter"),
            datasets=tuple(
                MetricDataset(
                    dataset_name=each.text("dataset_name"),
                    dataset_digest=each.optional_text("dataset_digest") or None,
                )
                for each in params.items("datasets")
            ),
            order_by=tuple(_order(each) for each in params.items("order_by")),
            # A page here has at most so many, whatever is asked for: its token leads on.
            limit=min(params.page(100, 2**31 - 1), _MAX_PAGE),
            page_token=params.optional_text("page_token") or None,
        )
    )
    found = [model_json(each) for each in page.items]
    return compact({"models": found, "next_page_token": page.next_token})


def list_files(app: App, params: Params) -> Json:
    """Files and folders directly below a folder of a logged model."""
    model = app.call(GetLoggedModel(model=params.text("model_id")))
    folder = params.optional_text("artifact_directory_path").strip("/")
    root = model_root(model)
    found = app.call(ListArtifacts(root=root, prefix=folder))
    return {"root_uri": uri_of(root), "files": files_json(found, folder, is_full_path=True)}


def _order(params: Params) -> ModelOrder:
    return ModelOrder(
        field_name=params.text("field_name"),
        ascending=params.flag("ascending", True),
        dataset_name=params.optional_text("dataset_name") or None,
        dataset_digest=params.optional_text("dataset_digest") or None,
    )


def model_json(model: LoggedModel) -> Json:
    """A logged model as MLflow writes it."""
    info = {
        "model_id": model.id,
        "experiment_id": model.experiment,
        "name": model.name,
        "creation_timestamp_ms": milliseconds_of(model.created_at),
        "last_updated_timestamp_ms": milliseconds_of(model.updated_at),
        "artifact_uri": uri_of(model_root(model)),
        "status": model.status.value,
        "model_type": model.model_type or None,
        "source_run_id": model.source_run,
        "tags": pairs_json(model.tags),
    }
    return {
        "info": compact(info),
        "data": {
            "params": pairs_json(model.params),
            "metrics": [metric_json(each.metric, each.run) for each in model.metrics],
        },
    }


CALLS = (
    Call(method="POST", path="/logged-models", handler=create),
    Call(method="POST", path="/logged-models/search", handler=search),
    Call(method="GET", path="/logged-models/{model_id}", handler=get),
    Call(method="PATCH", path="/logged-models/{model_id}", handler=finalize),
    Call(method="DELETE", path="/logged-models/{model_id}", handler=delete),
    Call(method="PATCH", path="/logged-models/{model_id}/tags", handler=set_tags),
    Call(method="DELETE", path="/logged-models/{model_id}/tags/{tag_key}", handler=delete_tag),
    Call(method="POST", path="/logged-models/{model_id}/params", handler=log_params),
    Call(method="GET", path="/logged-models/{model_id}/artifacts/directories", handler=list_files),
)
