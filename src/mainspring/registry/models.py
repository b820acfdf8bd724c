"""Registered models: making, changing, deleting."""

import msgspec

from mainspring.domain.event import ModelRegistered, RegistryDeleted
from mainspring.domain.model import RegisteredModel
from mainspring.kernel.errors import Conflict
from mainspring.registry import queries
from mainspring.registry.names import CHAMPION, check_model_name, check_tag
from mainspring.registry.read import model_named
from mainspring.registry.requests import CreateModel, DeleteModel, UpdateModel
from mainspring.store.tx import Tx


def create_model(tx: Tx, request: CreateModel) -> RegisteredModel:
    """Make a model without versions; raises `Conflict` (code `model_exists`) if the name is taken."""
    check_model_name(request.model)
    _refuse_taken(tx, request.model)
    queries.add_model(tx, request.model, request.description)
    _set_tags(tx, request.model, request.tags)
    tx.emit(ModelRegistered(model=request.model))
    return model_named(tx, request.model)


def update_model(tx: Tx, request: UpdateModel) -> RegisteredModel:
    """Change a model; one that serves can't be renamed, for its service names it."""
    model = model_named(tx, request.model)
    name = model.name
    if request.name is not msgspec.UNSET and request.name != name:
        _rename(tx, model, request.name)
        name = request.name
    if request.description is not msgspec.UNSET:
        queries.change_model(tx, name, {"description": request.description})
    _set_tags(tx, name, request.tags)
    for key in request.removed_tags:
        queries.remove_model_tag(tx, name, key)
    queries.change_model(tx, name, {})
    return model_named(tx, name)


def delete_model(tx: Tx, request: DeleteModel) -> None:
    """Delete a model with all its versions, unless one of them serves or has served."""
    model = model_named(tx, request.model)
    _refuse_champion(model, "deleted")
    queries.delete_model(tx, model.name)
    tx.emit(RegistryDeleted(model=model.name, why=f"with {model.version_count} versions"))


def _rename(tx: Tx, model: RegisteredModel, name: str) -> None:
    check_model_name(name)
    _refuse_taken(tx, name)
    _refuse_champion(model, "renamed")
    queries.change_model(tx, model.name, {"name": name})
    tx.emit(ModelRegistered(model=name, why=f"renamed from {model.name!r}"))


def _set_tags(tx: Tx, name: str, tags: dict[str, str]) -> None:
    for key in sorted(tags):
        check_tag(key, tags[key])
        queries.set_model_tag(tx, name, key, tags[key])


def _refuse_taken(tx: Tx, name: str) -> None:
    if queries.has_model(tx, name):
        raise Conflict(f"Registered Model (name={name}) already exists.", code="model_exists")


def _refuse_champion(model: RegisteredModel, what: str) -> None:
    if CHAMPION in model.aliases:
        raise Conflict(
            f"version {model.aliases[CHAMPION]} of {model.name} serves, so the model can't be {what}",
            code="version_in_use",
        )
