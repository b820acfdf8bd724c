"""Versions after they are registered: describing, staging, deleting."""

import msgspec

from mainspring.domain.event import RegistryDeleted, RegistryTagged, StageMoved
from mainspring.domain.model import ModelVersion
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.registry import announce, queries
from mainspring.registry.names import CHAMPION, check_tag
from mainspring.registry.read import version_of
from mainspring.registry.requests import DeleteModelVersion, UpdateModelVersion
from mainspring.store.tx import Tx

STAGES = ("None", "Staging", "Production", "Archived")


def update_model_version(tx: Tx, request: UpdateModelVersion) -> ModelVersion:
    """Change what is said of a version; its bytes, metrics and gate results never change."""
    version = version_of(tx, request.model, request.number)
    if request.description is not msgspec.UNSET:
        queries.change_version(tx, version.id, description=request.description)
    if request.stage is not msgspec.UNSET:
        _set_stage(tx, version, request.stage, request.archive_others)
    _change_tags(tx, version, request)
    queries.change_version(tx, version.id)
    return version_of(tx, request.model, request.number)


def delete_model_version(tx: Tx, request: DeleteModelVersion) -> None:
    """Delete a version that neither serves nor has served."""
    version = version_of(tx, request.model, request.number)
    if CHAMPION in version.aliases:
        raise Conflict(
            f"version {version.number} of {version.model} serves, so it can't be deleted",
            code="version_in_use",
        )
    queries.delete_version(tx, version.id)
    tx.emit(RegistryDeleted(model=version.model, number=version.number))


def _change_tags(tx: Tx, version: ModelVersion, request: UpdateModelVersion) -> None:
    changes: list[tuple[str, str | None]] = [*sorted(request.tags.items())]
    changes += [(key, None) for key in request.removed_tags if key in version.tags]
    for key, value in changes:
        if value is None:
            queries.remove_version_tag(tx, version.id, key)
        else:
            check_tag(key, value)
            queries.set_version_tag(tx, version.id, key, value)
        tx.emit(RegistryTagged(model=version.model, number=version.number, key=key, value=value))
        announce.version_tagged(tx, version, key, value)


def checked_stage(wanted: str) -> str:
    """A stage as it is spelled; raises `Invalid` for a word that is none."""
    stage = next((each for each in STAGES if each.lower() == wanted.lower()), None)
    if stage is None:
        raise Invalid(
            f"Invalid Model Version stage: {wanted[:40]}. Value must be one of {', '.join(STAGES)}."
        )
    return stage


def _set_stage(tx: Tx, version: ModelVersion, wanted: str, archive_others: bool) -> None:
    stage = checked_stage(wanted)
    if archive_others:
        if stage not in ("Staging", "Production"):
            raise Invalid(
                "Model version transition cannot archive existing model versions because "
                f"'{stage}' is not an Active stage. Valid stages are Staging, Production"
            )
        queries.archive_stage(tx, version.model, stage)
    queries.change_version(tx, version.id, stage=stage)
    queries.change_model(tx, version.model, {})
    tx.emit(StageMoved(model=version.model, number=version.number, stage=stage))
