"""Registered models: names, tags, aliases."""

import msgspec

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.versions import STAGE_NONE, version_json
from mainspring.api.mlflow.wire import Json, Params, compact, milliseconds_of, pairs_json
from mainspring.app import App
from mainspring.domain.model import ModelVersion, RegisteredModel
from mainspring.registry.requests import (
    CreateModel,
    DeleteAlias,
    DeleteModel,
    GetModel,
    GetModelVersion,
    SearchModels,
    SearchModelVersions,
    SetAlias,
    UpdateModel,
)
from mainspring.registry.versions import checked_stage


def create(app: App, params: Params) -> Json:
    """Make a model without versions."""
    model = app.call(
        CreateModel(
            model=params.text("name"),
            description=params.optional_text("description"),
            tags=dict(params.pairs("tags")),
        )
    )
    return {"registered_model": model_json(model, [])}


def get(app: App, params: Params) -> Json:
    """One model with the latest version of each stage."""
    return {
        "registered_model": _with_latest(app, [app.call(GetModel(model=params.text("name")))])[0]
    }


def update(app: App, params: Params) -> Json:
    """Describe a model."""
    description = (
        params.optional_text("description") if params.has("description") else msgspec.UNSET
    )
    model = app.call(UpdateModel(model=params.text("name"), description=description))
    return {"registered_model": _with_latest(app, [model])[0]}


def rename(app: App, params: Params) -> Json:
    """Give a model another name."""
    model = app.call(UpdateModel(model=params.text("name"), name=params.text("new_name")))
    return {"registered_model": _with_latest(app, [model])[0]}


def delete(app: App, params: Params) -> Json:
    """Delete a model with its versions."""
    app.call(DeleteModel(model=params.text("name")))
    return {}


def search(app: App, params: Params) -> Json:
    """A page of models."""
    page = app.call(
        SearchModels(
            filter=params.optional_text("filter"),
            order_by=params.texts("order_by"),
            limit=params.page(100, 1000),
            page_token=params.optional_text("page_token") or None,
        )
    )
    found = _with_latest(app, list(page.items))
    return compact({"registered_models": found, "next_page_token": page.next_token})


def latest_versions(app: App, params: Params) -> Json:
    """The latest version of each stage, or of those asked for."""
    model = app.call(GetModel(model=params.text("name")))
    wanted = {checked_stage(stage).lower() for stage in params.texts("stages")}
    latest = _latest(app, [model])[model.name]
    found = [each for each in latest if not wanted or each.stage.lower() in wanted]
    return {"model_versions": [version_json(each) for each in found]}


def set_tag(app: App, params: Params) -> Json:
    """Set a tag."""
    tags = {params.text("key"): params.optional_text("value")}
    app.call(UpdateModel(model=params.text("name"), tags=tags))
    return {}


def delete_tag(app: App, params: Params) -> Json:
    """Remove a tag."""
    app.call(UpdateModel(model=params.text("name"), removed_tags=(params.text("key"),)))
    return {}


def set_alias(app: App, params: Params) -> Json:
    """Point an alias at a version."""
    app.call(
        SetAlias(
            model=params.text("name"),
            alias=params.text("alias"),
            number=params.integer("version"),
        )
    )
    return {}


def get_by_alias(app: App, params: Params) -> Json:
    """The version that an alias points at."""
    alias = params.text("alias")
    # `latest` is no alias that can be set: it is the newest version, as clients write it in URIs.
    asked = GetModelVersion(
        model=params.text("name"), alias=None if alias.lower() == "latest" else alias
    )
    return {"model_version": version_json(app.call(asked))}


def delete_alias(app: App, params: Params) -> Json:
    """Remove an alias."""
    app.call(DeleteAlias(model=params.text("name"), alias=params.text("alias")))
    return {}


def _with_latest(app: App, models: list[RegisteredModel]) -> list[Json]:
    latest = _latest(app, models)
    return [model_json(model, latest[model.name]) for model in models]


def _latest(app: App, models: list[RegisteredModel]) -> dict[str, list[ModelVersion]]:
    """The latest version of each stage of each model; one search for all of them."""
    latest: dict[str, dict[str, ModelVersion]] = {model.name: {} for model in models}
    if not models:
        return {}
    names = ", ".join("'" + model.name.replace("'", "''") + "'" for model in models)
    asked = SearchModelVersions(
        filter=f"name IN ({names})", order_by=("version_number ASC",), limit=200_000
    )
    for version in app.call(asked).items:
        latest[version.model][version.stage or STAGE_NONE] = version
    return {name: list(by_stage.values()) for name, by_stage in latest.items()}


def model_json(model: RegisteredModel, latest: list[ModelVersion]) -> Json:
    """A registered model as MLflow writes it."""
    return {
        "name": model.name,
        "creation_timestamp": milliseconds_of(model.created_at),
        "last_updated_timestamp": milliseconds_of(model.updated_at),
        "description": model.description,
        "latest_versions": [version_json(each) for each in latest],
        "tags": pairs_json(model.tags),
        "aliases": [
            {"alias": alias, "version": str(number)} for alias, number in model.aliases.items()
        ],
    }


CALLS = (
    Call(method="POST", path="/registered-models/create", handler=create),
    Call(method="GET", path="/registered-models/get", handler=get),
    Call(method="PATCH", path="/registered-models/update", handler=update),
    Call(method="POST", path="/registered-models/rename", handler=rename),
    Call(method="DELETE", path="/registered-models/delete", handler=delete),
    Call(method="GET", path="/registered-models/search", handler=search),
    Call(method="POST", path="/registered-models/search", handler=search),
    Call(method="POST", path="/registered-models/get-latest-versions", handler=latest_versions),
    Call(method="GET", path="/registered-models/get-latest-versions", handler=latest_versions),
    Call(method="POST", path="/registered-models/set-tag", handler=set_tag),
    Call(method="DELETE", path="/registered-models/delete-tag", handler=delete_tag),
    Call(method="POST", path="/registered-models/alias", handler=set_alias),
    Call(method="GET", path="/registered-models/alias", handler=get_by_alias),
    Call(method="DELETE", path="/registered-models/alias", handler=delete_alias),
)
