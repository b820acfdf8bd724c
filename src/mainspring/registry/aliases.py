"""Aliases: names that point at a version."""

from mainspring.domain.event import AliasMoved
from mainspring.domain.model import ModelVersionId, RegisteredModel
from mainspring.kernel.errors import Invalid
from mainspring.registry import announce, queries
from mainspring.registry.names import check_alias
from mainspring.registry.read import get_model_version_by_id, model_named, version_of
from mainspring.registry.requests import DeleteAlias, GetModelVersionById, SetAlias
from mainspring.store.tx import Tx


def set_alias(tx: Tx, request: SetAlias) -> RegisteredModel:
    """Point an alias at a version; raises `Rejected` (code `alias_reserved`) for `champion`."""
    model_named(tx, request.model)
    check_alias(request.alias)
    version = version_of(tx, request.model, request.number)
    move_alias(tx, request.model, request.alias, version.id)
    return model_named(tx, request.model)


def delete_alias(tx: Tx, request: DeleteAlias) -> RegisteredModel:
    """Remove an alias, if it is there; raises `Rejected` for `champion`."""
    model = model_named(tx, request.model)
    check_alias(request.alias)
    if queries.remove_alias(tx, request.model, request.alias):
        previous = model.aliases[request.alias]
        tx.emit(AliasMoved(model=model.name, alias=request.alias, to=None, previous=previous))
        announce.alias_moved(tx, model, request.alias, None)
    return model_named(tx, request.model)


def move_alias(tx: Tx, model: str, alias: str, version_id: ModelVersionId) -> None:
    """Point any alias at a version of the model, also `champion`: the caller knows that it may."""
    found = model_named(tx, model)
    before = found.aliases.get(alias)
    version = get_model_version_by_id(tx, GetModelVersionById(id=version_id))
    if version.model != model:
        raise Invalid(f"{version_id} is a version of {version.model}, not of {model}")
    if before == version.number:
        return
    queries.set_alias(tx, model, alias, version_id)
    tx.emit(AliasMoved(model=model, alias=alias, to=version.number, previous=before))
    announce.alias_moved(tx, found, alias, version.number)
