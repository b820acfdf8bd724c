"""Reading models and versions."""

from mainspring.domain.model import ModelVersion, RegisteredModel
from mainspring.domain.search import FieldType, Grammar, parse_filter, parse_order
from mainspring.kernel.errors import NotFound
from mainspring.kernel.paging import Page
from mainspring.registry import queries
from mainspring.registry.requests import (
    GetModel,
    GetModelVersion,
    GetModelVersionById,
    ListModels,
    ListModelVersions,
    SearchModels,
    SearchModelVersions,
)
from mainspring.store.tx import Tx

MODELS = Grammar(
    what="registered model",
    attributes={
        "name": FieldType.ID,
        "creation_timestamp": FieldType.NUMBER,
        "last_updated_timestamp": FieldType.NUMBER,
    },
    entities=frozenset({"tag"}),
    aliases={"timestamp": "last_updated_timestamp"},
)

VERSIONS = Grammar(
    what="model version",
    attributes={
        "name": FieldType.ID,
        "run_id": FieldType.ID,
        "source_path": FieldType.TEXT,
        "version_number": FieldType.NUMBER,
        "creation_timestamp": FieldType.NUMBER,
        "last_updated_timestamp": FieldType.NUMBER,
    },
    entities=frozenset({"tag"}),
    aliases={"source": "source_path"},
)


def list_models(tx: Tx, request: ListModels) -> tuple[RegisteredModel, ...]:
    """Every registered model, by name."""
    return tuple(queries.all_models(tx))


def get_model(tx: Tx, request: GetModel) -> RegisteredModel:
    """One registered model; raises `NotFound`."""
    return model_named(tx, request.model)


def search_models(tx: Tx, request: SearchModels) -> Page[RegisteredModel]:
    """One page of the models that match."""
    items, token = queries.search_models(
        tx,
        clauses=parse_filter(request.filter, MODELS),
        order=parse_order(request.order_by, MODELS),
        limit=request.limit,
        page_token=request.page_token,
    )
    return Page(items=items, next_token=token)


def list_model_versions(tx: Tx, request: ListModelVersions) -> tuple[ModelVersion, ...]:
    """Versions of a model, newest first; raises `NotFound` for an unknown model."""
    model_named(tx, request.model)
    return tuple(queries.newest_versions(tx, request.model, request.limit))


def search_model_versions(tx: Tx, request: SearchModelVersions) -> Page[ModelVersion]:
    """One page of the versions that match."""
    items, token = queries.search_versions(
        tx,
        clauses=parse_filter(request.filter, VERSIONS),
        order=parse_order(request.order_by or ("last_updated_timestamp DESC",), VERSIONS),
        limit=request.limit,
        page_token=request.page_token,
    )
    return Page(items=items, next_token=token)


def get_model_version(tx: Tx, request: GetModelVersion) -> ModelVersion:
    """One version by number or alias, or the newest; raises `NotFound`."""
    if request.number is not None:
        return version_of(tx, request.model, request.number)
    model_named(tx, request.model)
    if request.alias is not None:
        found = queries.version_by_alias(tx, request.model, request.alias)
        if found is None:
            raise NotFound(
                f"Registered model alias {request.alias} not found.", code="no_such_alias"
            )
        return found
    newest = queries.newest_versions(tx, request.model, 1)
    if not newest:
        raise NotFound(f"{request.model} has no versions yet", code="no_such_version")
    return newest[0]


def get_model_version_by_id(tx: Tx, request: GetModelVersionById) -> ModelVersion:
    """One version by its id; raises `NotFound`."""
    found = queries.version_by_id(tx, request.id)
    if found is None:
        raise NotFound(f"there is no model version {request.id!r}", code="no_such_version")
    return found


def model_named(tx: Tx, name: str) -> RegisteredModel:
    """The model of that name, for other use cases; raises `NotFound`."""
    found = queries.model(tx, name)
    if found is None:
        raise NotFound(
            f"Registered Model with name={name} not found",
            code="no_such_model",
            hint="`mainspring model list` shows them.",
        )
    return found


def version_of(tx: Tx, model: str, number: int) -> ModelVersion:
    """The version of that number, for other use cases; raises `NotFound`."""
    found = queries.version_by_number(tx, model, number)
    if found is None:
        raise NotFound(
            f"Model Version (name={model}, version={number}) not found",
            code="no_such_version",
            hint=f"`mainspring model versions {model}` shows them.",
        )
    return found
