"""Registering a version."""

import math

from mainspring.domain.event import ModelVersionRegistered
from mainspring.domain.model import (
    PROMPT_TAG,
    ModelVersion,
    ModelVersionId,
    RegisteredModel,
    is_prompt,
)
from mainspring.domain.run import RunId
from mainspring.kernel.errors import NotFound
from mainspring.registry import announce, queries
from mainspring.registry.models import create_model
from mainspring.registry.names import check_tag, refuse_other_kind
from mainspring.registry.read import model_named
from mainspring.registry.requests import CreateModel, RegisterModelVersion
from mainspring.store.tx import Tx
from mainspring.tracking.logged_models import logged_model_of
from mainspring.tracking.runs import run_of


def register_model_version(tx: Tx, request: RegisterModelVersion) -> ModelVersion:
    """Add a version; the same bytes from the same run give the version that is there.

    Raises `NotFound` (code `blob_missing`) unless every digest's bytes are stored. Metrics that are not
    finite numbers are left out.
    """
    _check_bytes(tx, request)
    if request.run is not None:
        run_of(tx, request.run)
    if request.logged_model is not None:
        logged_model_of(tx, request.logged_model)
    for key, value in request.tags.items():
        check_tag(key, value)
    model = _model(tx, request)
    refuse_other_kind(model, request.tags)
    if not request.anew:
        before = queries.same_version(tx, request.model, request.run, request.manifest)
        if before is not None:
            return before
    version = _version(tx, request)
    queries.add_version(tx, version)
    tx.emit(
        ModelVersionRegistered(
            service=request.service,
            model=version.model,
            number=version.number,
            version=version.id,
            run=version.run,
            manifest=version.manifest,
            why=request.description or (f"from {request.source}" if request.source else ""),
        )
    )
    announce.version_made(tx, version)
    return version


def _model(tx: Tx, request: RegisterModelVersion) -> RegisteredModel:
    """The model to add to, made if it is new."""
    if queries.has_model(tx, request.model):
        return model_named(tx, request.model)
    tags = {PROMPT_TAG: "true"} if is_prompt(request.tags) else {}
    return create_model(tx, CreateModel(model=request.model, tags=tags))


def _check_bytes(tx: Tx, request: RegisterModelVersion) -> None:
    named = (
        request.manifest,
        request.reference,
        request.evaluation,
        request.project,
        request.environment,
    )
    for digest in named:
        if digest is not None and not tx.blobs.exists(digest):
            raise NotFound(
                f"there are no bytes {digest}",
                code="blob_missing",
                hint="Store them, then register.",
            )


def _version(tx: Tx, request: RegisterModelVersion) -> ModelVersion:
    return ModelVersion(
        id=ModelVersionId(tx.new_id("mv")),
        model=request.model,
        number=queries.next_number(tx, request.model),
        run=RunId(request.run) if request.run else None,
        manifest=request.manifest,
        flavor=request.flavor,
        signature=request.signature,
        metrics={key: value for key, value in request.metrics.items() if math.isfinite(value)},
        reference=request.reference,
        evaluation=request.evaluation,
        project=request.project,
        environment=request.environment,
        description=request.description,
        tags=request.tags,
        aliases=(),
        gate_results=None,
        created_at=tx.now,
        created_by=str(tx.actor),
        updated_at=tx.now,
        source=request.source,
        logged_model=request.logged_model,
    )
