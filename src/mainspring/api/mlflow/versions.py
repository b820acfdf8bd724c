"""Versions of registered models."""

import json
from typing import Any

import msgspec

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.locations import uri_of, version_root
from mainspring.api.mlflow.prompts import register_prompt
from mainspring.api.mlflow.sources import register
from mainspring.api.mlflow.wire import Json, Params, compact, milliseconds_of, pairs_json
from mainspring.app import App
from mainspring.domain.model import ModelVersion, is_prompt
from mainspring.kernel.codec import decode
from mainspring.kernel.errors import Invalid
from mainspring.registry.requests import (
    DeleteModelVersion,
    GetModel,
    GetModelVersion,
    SearchModelVersions,
    UpdateModelVersion,
)
from mainspring.tracking.requests import DescribeLoggedModel, GetLoggedModel

STAGE_NONE = "None"
_VERSIONS_TAG = "mlflow.modelVersions"


def create(app: App, params: Params) -> Json:
    """Register the files at a source."""
    # Our own registering makes a model that is new; MLflow's clients make it before, and are told if not.
    app.call(GetModel(model=params.text("name")))
    is_template = is_prompt(dict(params.pairs("tags")))
    version = register_prompt(app, params) if is_template else register(app, params)
    if not is_template and params.optional_text("model_id"):
        _note_on_logged_model(app, version)
    return {"model_version": version_json(version)}


def _note_on_logged_model(app: App, version: ModelVersion) -> None:
    """Tell a logged model which versions were made of it, in a tag, as MLflow does."""
    model = app.call(GetLoggedModel(model=str(version.logged_model)))
    try:
        noted = decode(model.tags.get(_VERSIONS_TAG, "[]"), list[Any], what="tag")
    except Invalid:
        noted = []
    this = {"name": version.model, "version": version.number}
    if this not in noted:
        # Spaced as MLflow spaces it: some compare the text.
        tags = {_VERSIONS_TAG: json.dumps([*noted, this])}
        app.call(DescribeLoggedModel(model=model.id, tags=tags))


def get(app: App, params: Params) -> Json:
    """One version."""
    asked = GetModelVersion(model=params.text("name"), number=params.integer("version"))
    return {"model_version": version_json(app.call(asked))}


def update(app: App, params: Params) -> Json:
    """Describe a version."""
    description = (
        params.optional_text("description") if params.has("description") else msgspec.UNSET
    )
    version = app.call(_change(params, description=description))
    return {"model_version": version_json(version)}


def delete(app: App, params: Params) -> Json:
    """Delete a version."""
    app.call(DeleteModelVersion(model=params.text("name"), number=params.integer("version")))
    return {}


def search(app: App, params: Params) -> Json:
    """A page of versions."""
    page = app.call(
        SearchModelVersions(
            filter=params.optional_text("filter"),
            order_by=params.texts("order_by"),
            limit=params.page(10_000, 200_000),
            page_token=params.optional_text("page_token") or None,
        )
    )
    found = [version_json(each) for each in page.items]
    return compact({"model_versions": found, "next_page_token": page.next_token})


def download_uri(app: App, params: Params) -> Json:
    """Where a version's files can be read: the very bytes that were registered."""
    asked = GetModelVersion(model=params.text("name"), number=params.integer("version"))
    return {"artifact_uri": uri_of(version_root(app.call(asked)))}


def transition(app: App, params: Params) -> Json:
    """Move a version to a stage, which older clients use instead of aliases."""
    version = app.call(
        UpdateModelVersion(
            model=params.text("name"),
            number=params.integer("version"),
            stage=params.text("stage"),
            archive_others=params.flag("archive_existing_versions"),
        )
    )
    return {"model_version": version_json(version)}


def set_tag(app: App, params: Params) -> Json:
    """Set a tag."""
    app.call(_change(params, tags={params.text("key"): params.optional_text("value")}))
    return {}


def delete_tag(app: App, params: Params) -> Json:
    """Remove a tag."""
    app.call(_change(params, removed_tags=(params.text("key"),)))
    return {}


def _change(
    params: Params,
    *,
    description: str | msgspec.UnsetType = msgspec.UNSET,
    tags: dict[str, str] | None = None,
    removed_tags: tuple[str, ...] = (),
) -> UpdateModelVersion:
    return UpdateModelVersion(
        model=params.text("name"),
        number=params.integer("version"),
        description=description,
        tags=tags or {},
        removed_tags=removed_tags,
    )


def version_json(version: ModelVersion) -> Json:
    """A model version as MLflow writes it."""
    return compact(
        {
            "name": version.model,
            "version": str(version.number),
            "creation_timestamp": milliseconds_of(version.created_at),
            "last_updated_timestamp": milliseconds_of(version.updated_at or version.created_at),
            "user_id": version.created_by,
            "current_stage": version.stage,
            "description": version.description,
            "source": version.source or uri_of(version_root(version)),
            "run_id": version.run,
            "status": "READY",
            "tags": pairs_json(version.tags),
            "aliases": list(version.aliases),
            "model_id": version.logged_model,
        }
    )


CALLS = (
    Call(method="POST", path="/model-versions/create", handler=create),
    Call(method="GET", path="/model-versions/get", handler=get),
    Call(method="PATCH", path="/model-versions/update", handler=update),
    Call(method="DELETE", path="/model-versions/delete", handler=delete),
    Call(method="GET", path="/model-versions/search", handler=search),
    Call(method="GET", path="/model-versions/get-download-uri", handler=download_uri),
    Call(method="POST", path="/model-versions/transition-stage", handler=transition),
    Call(method="POST", path="/model-versions/set-tag", handler=set_tag),
    Call(method="DELETE", path="/model-versions/delete-tag", handler=delete_tag),
)
