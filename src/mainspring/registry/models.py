"""Registered models: making, changing, deleting."""

import msgspec

from mainspring.domain.event import ModelRegistered, RegistryDeleted, RegistryTagged
from mainspring.domain.model import RegisteredModel, is_prompt
from mainspring.kernel.errors import Conflict
from mainspring.registry import announce, queries
from mainspring.registry.names import CHAMPION, check_model_name, check_tag, kind_of
from mainspring.registry.read import model_named
from mainspring.registry.requests import CreateModel, DeleteModel, UpdateModel
from mainspring.store.tx import Tx


def create_model(tx: Tx, request: CreateModel) -> RegisteredModel:
    """Make a model without versions; raises `Conflict` (code `model_exists`) if the name is taken."""
    check_model_name(request.model)
    _refuse_taken(tx, request.model, is_prompt(request.tags))
    queries.add_model(tx, request.model, request.description)
    for key in sorted(request.tags):
        check_tag(key, request.tags[key])
        queries.set_model_tag(tx, request.model, key, request.tags[key])
    tx.emit(ModelRegistered(model=request.model))
    model = model_named(tx, request.model)
    announce.model_made(tx, model)
    return model


def update_model(tx: Tx, request: UpdateModel) -> RegisteredModel:
    """Change a model; one that serves can't be renamed, for its service names it."""
    model = model_named(tx, request.model)
    name = model.name
    if request.name is not msgspec.UNSET and request.name != name:
        _rename(tx, model, request.name)
        name = request.name
    if request.description is not msgspec.UNSET:
        queries.change_model(tx, name, {"description": request.description})
    queries.change_model(tx, name, {})
    _change_tags(tx, model_named(tx, name), request)
    return model_named(tx, name)


def delete_model(tx: Tx, request: DeleteModel) -> None:
    """Delete a model with all its versions, unless one of them serves or has served."""
    model = model_named(tx, request.model)
    _refuse_champion(model, "deleted")
    queries.delete_model(tx, model.name)
    tx.emit(RegistryDeleted(model=model.name, why=f"with {model.version_count} versions"))


def _rename(tx: Tx, model: RegisteredModel, name: str) -> None:
    check_model_name(name)
    _refuse_taken(tx, name, is_prompt(model.tags))
    _refuse_champion(model, "renamed")
    queries.change_model(tx, model.name, {"name": name})
    tx.emit(ModelRegistered(model=name, why=f"renamed from {model.name!r}"))


def _change_tags(tx: Tx, model: RegisteredModel, request: UpdateModel) -> None:
    for key, value in sorted(request.tags.items()):
        check_tag(key, value)
        queries.set_model_tag(tx, model.name, key, value)
        tx.emit(RegistryTagged(model=model.name, key=key, value=value))
        announce.model_tagged(tx, model, key, value)
    for key in request.removed_tags:
        if key in model.tags:
            queries.remove_model_tag(tx, model.name, key)
            tx.emit(RegistryTagged(model=model.name, key=key, value=None))
            announce.model_tagged(tx, model, key, None)


def _refuse_taken(tx: Tx, name: str, as_prompt: bool) -> None:
    there = queries.model(tx, name)
    if there is None:
        return
    old, new = kind_of(is_prompt(there.tags)), kind_of(as_prompt)
    if old == new:
        raise Conflict(f"{new} (name={name}) already exists.", code="model_exists")
    raise Conflict(
        f"Tried to create a {new.lower()} with name {name!r}, but the name is already taken by a "
        f"{old.lower()}. A model and a prompt can't have the same name.",
        code="model_exists",
    )


def _refuse_champion(model: RegisteredModel, what: str) -> None:
    if CHAMPION in model.aliases:
        raise Conflict(
            f"version {model.aliases[CHAMPION]} of {model.name} serves, so the model can't be {what}",
            code="version_in_use",
        )
