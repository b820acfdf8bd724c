"""Keeping registered models and their versions from elsewhere."""

from dataclasses import replace

from mainspring.domain.event import ModelRegistered, ModelVersionRegistered
from mainspring.domain.model import ModelVersionId
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.registry.names import check_model_name, check_tag, refuse_other_kind
from mainspring.registry.queries import has_model, version_by_number
from mainspring.registry.read import model_named
from mainspring.registry.versions import STAGES
from mainspring.store.tx import Tx
from mainspring.takeover.queries import registry as queries
from mainspring.takeover.requests import TakenOver, TakeOverModel, TakeOverVersion


def take_over_model(tx: Tx, request: TakeOverModel) -> TakenOver:
    """Keep a model; one of the same name here gets the tags that it lacks."""
    model = request.model
    check_model_name(model.name)
    for key, value in model.tags.items():
        check_tag(key, value)
    is_new = not has_model(tx, model.name)
    if not is_new:
        refuse_other_kind(model_named(tx, model.name), model.tags)
    queries.add_model(tx, model)
    queries.add_model_tags(tx, model)
    if is_new:
        tx.emit(ModelRegistered(model=model.name, why="taken over"))
    return TakenOver(id=model.name, is_new=is_new)


def take_over_version(tx: Tx, request: TakeOverVersion) -> TakenOver:
    """Keep a version under its number; what is said of it here stays, tags that it lacks are added."""
    given = request.version
    model_named(tx, given.model)
    if given.number < 1 or given.stage not in STAGES:
        raise Invalid(f"version {given.number} in stage {given.stage[:40]!r} can't be kept")
    for key, value in given.tags.items():
        check_tag(key, value)
    if not tx.blobs.exists(given.manifest):
        raise NotFound(f"there are no bytes {given.manifest}", code="blob_missing")
    here = version_by_number(tx, given.model, given.number)
    if here is not None:
        if here.manifest != given.manifest:
            raise Conflict(
                f"version {given.number} of {given.model} has other bytes here",
                code="number_taken",
                hint="Rename the model there or here, and take it over again.",
            )
        queries.add_version_tags(tx, here.id, given)
        return TakenOver(id=here.id, is_new=False)
    version = replace(
        given,
        id=ModelVersionId(tx.new_id("mv")),
        created_by=given.created_by or str(tx.actor),
        aliases=(),
        # What gates said elsewhere is no verdict of ours, and only a pipeline of ours makes these.
        gate_results=None,
        reference=None,
        evaluation=None,
        project=None,
        environment=None,
    )
    queries.add_version(tx, version)
    tx.emit(
        ModelVersionRegistered(
            model=version.model,
            number=version.number,
            version=version.id,
            run=version.run,
            manifest=version.manifest,
            why=f"taken over from {version.source}",
        )
    )
    return TakenOver(id=version.id, is_new=True)
