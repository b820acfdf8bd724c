"""Logged models: announcing, finishing, describing, reading."""

import msgspec

from mainspring.domain.event import TrackingChanged
from mainspring.domain.logged_model import LoggedModel, LoggedModelId, LoggedModelStatus
from mainspring.domain.run import Direction, Lifecycle, ModelLink, RunId
from mainspring.kernel.errors import NotFound
from mainspring.store.tx import Tx
from mainspring.tracking import rules
from mainspring.tracking.experiments import active_experiment
from mainspring.tracking.queries import artifacts, inputs, runs
from mainspring.tracking.queries import logged_models as queries
from mainspring.tracking.requests import (
    CreateLoggedModel,
    DescribeLoggedModel,
    GetLoggedModel,
    UpdateLoggedModel,
)
from mainspring.tracking.runs import require_active_run


def create_logged_model(tx: Tx, request: CreateLoggedModel) -> LoggedModel:
    """Announce a model; a source run that is here must be active, one that isn't is only remembered."""
    experiment = active_experiment(tx, request.experiment)
    is_run_here = bool(request.source_run) and runs.run_exists(tx, str(request.source_run))
    if request.source_run and is_run_here:
        require_active_run(tx, request.source_run)
    if request.name:
        rules.check_length("name", request.name, rules.MAX_NAME)
    if request.model_type:
        rules.check_length("model_type", request.model_type, 100)
    # MLflow's clients tell a logged model from a registered one by these two characters.
    id_ = LoggedModelId("m-" + tx.new_id("m").removeprefix("m_"))
    model = LoggedModel(
        id=id_,
        experiment=experiment.id,
        name=request.name or f"model-{id_[-6:]}",
        source_run=RunId(request.source_run) if request.source_run else None,
        status=LoggedModelStatus.PENDING,
        model_type=request.model_type,
        lifecycle=Lifecycle.ACTIVE,
        created_at=tx.now,
        updated_at=tx.now,
        params=rules.checked_params(request.params),
        tags=rules.checked_tags(request.tags),
    )
    queries.add_logged_model(tx, model)
    queries.add_logged_model_params(tx, id_, model.params)
    queries.set_logged_model_tags(tx, id_, model.tags)
    if model.source_run and is_run_here:
        made = ModelLink(model=id_, direction=Direction.OUTPUT)
        inputs.add_model_links(tx, model.source_run, [made])
    tx.emit(TrackingChanged(id=id_, what="logged model created", why=f"named {model.name!r}"))
    return model


def update_logged_model(tx: Tx, request: UpdateLoggedModel) -> LoggedModel:
    """Say that a model's files are all there, or not, or delete it."""
    before = logged_model_of(tx, request.model)
    if request.status is not msgspec.UNSET and request.status is not before.status:
        queries.change_logged_model(tx, before.id, status=request.status.value)
        what = request.status.value.removeprefix("LOGGED_MODEL_").lower().replace("_", " ")
        tx.emit(TrackingChanged(id=before.id, what=f"logged model {what}"))
    if request.lifecycle is not msgspec.UNSET:
        queries.change_logged_model(tx, before.id, lifecycle=request.lifecycle.value)
        if request.lifecycle is Lifecycle.DELETED:
            # A deleted logged model can't come back, so neither can its files; versions name their own.
            artifacts.forget_roots(tx, [f"{before.experiment}/models/{before.id}/artifacts"])
        tx.emit(TrackingChanged(id=before.id, what=f"logged model {request.lifecycle.value}"))
    return queries.logged_model(tx, before.id) or before


def describe_logged_model(tx: Tx, request: DescribeLoggedModel) -> LoggedModel:
    """Add parameters and tags, remove tags; raises `NotFound` for a tag that isn't there."""
    model = logged_model_of(tx, request.model)
    params = rules.checked_params(request.params)
    kept = queries.add_logged_model_params(tx, model.id, params)
    rules.refuse_changes(f"logged model {model.id}", kept, params)
    queries.set_logged_model_tags(tx, model.id, rules.checked_tags(request.tags))
    for key in request.removed_tags:
        if not queries.remove_logged_model_tag(tx, model.id, key):
            raise NotFound(f"No tag with key {key!r} found for model with ID {model.id!r}.")
    return logged_model_of(tx, request.model)


def get_logged_model(tx: Tx, request: GetLoggedModel) -> LoggedModel:
    """One logged model; raises `NotFound`, also for a deleted one."""
    return logged_model_of(tx, request.model)


def logged_model_of(tx: Tx, id_: str) -> LoggedModel:
    """The logged model of that id, for other use cases; raises `NotFound`, also for a deleted one."""
    found = queries.logged_model(tx, id_)
    if found is None or found.lifecycle is Lifecycle.DELETED:
        raise NotFound(f"Logged model with ID '{id_}' not found.", code="no_such_logged_model")
    return found
