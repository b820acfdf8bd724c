"""Experiments: making, reading, renaming, deleting, tagging."""

import msgspec

from mainspring.domain.event import TrackingChanged
from mainspring.domain.run import Experiment, Lifecycle
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.store.tx import Tx
from mainspring.tracking import rules
from mainspring.tracking.queries import experiments as queries
from mainspring.tracking.requests import (
    CreateExperiment,
    GetExperiment,
    ListExperiments,
    TagExperiment,
    UpdateExperiment,
)


def create_experiment(tx: Tx, request: CreateExperiment) -> Experiment:
    """Make an experiment; raises `Conflict` (code `experiment_exists`) if the name is taken."""
    rules.check_length("name", request.name, rules.MAX_NAME)
    _refuse_taken(tx, request.name)
    id_ = tx.new_id("exp")
    queries.add_experiment(tx, id_, request.name)
    queries.set_experiment_tags(tx, id_, rules.checked_tags(request.tags))
    tx.emit(TrackingChanged(id=id_, what="experiment created", why=f"named {request.name!r}"))
    return experiment_of(tx, id_)


def ensure_experiment(tx: Tx, name: str) -> Experiment:
    """The active experiment of that name, made if it is new; raises `Conflict` for a deleted one."""
    found = queries.experiment_named(tx, name)
    if found is None:
        return create_experiment(tx, CreateExperiment(name=name))
    return active_experiment(tx, found.id)


def get_experiment(tx: Tx, request: GetExperiment) -> Experiment:
    """One experiment, deleted or not; raises `NotFound`."""
    if request.id is not None:
        return experiment_of(tx, request.id)
    if request.name is None:
        raise Invalid("an experiment is asked for by neither id nor name")
    found = queries.experiment_named(tx, request.name)
    if found is None:
        raise NotFound(
            f"Could not find experiment with name '{request.name}'",
            code="no_such_experiment",
            hint="`mainspring experiment list` shows them.",
        )
    return found


def list_experiments(tx: Tx, request: ListExperiments) -> tuple[Experiment, ...]:
    """Active experiments, newest first."""
    return tuple(queries.list_experiments(tx, request.limit))


def update_experiment(tx: Tx, request: UpdateExperiment) -> Experiment:
    """Rename, delete or restore; deleting takes the runs along, restoring brings them back."""
    before = experiment_of(tx, request.id)
    queries.ensure_default_experiment(tx)
    if request.name is not msgspec.UNSET and request.name != before.name:
        _rename(tx, before, request.name)
    if request.lifecycle is not msgspec.UNSET and request.lifecycle is not before.lifecycle:
        _set_lifecycle(tx, before, request.lifecycle)
    return experiment_of(tx, request.id)


def tag_experiment(tx: Tx, request: TagExperiment) -> Experiment:
    """Set and remove tags; raises `NotFound` for a tag to remove that isn't there."""
    active_experiment(tx, request.id)
    queries.set_experiment_tags(tx, request.id, rules.checked_tags(request.tags))
    for key in request.removed:
        if not queries.remove_experiment_tag(tx, request.id, key):
            raise NotFound(f"No tag with name: {key} in experiment with ID {request.id}")
    queries.change_experiment(tx, request.id)
    tx.emit(TrackingChanged(id=request.id, what="experiment tagged"))
    return experiment_of(tx, request.id)


def experiment_of(tx: Tx, id_: str) -> Experiment:
    """The experiment of that id, for other use cases; raises `NotFound`."""
    found = queries.experiment(tx, id_)
    if found is None:
        raise NotFound(
            f"No Experiment with id={id_} exists",
            code="no_such_experiment",
            hint="`mainspring experiment list` shows them.",
        )
    return found


def active_experiment(tx: Tx, id_: str) -> Experiment:
    """The experiment, about to be written to; raises `Conflict` (code `deleted`) if it was deleted."""
    if id_ == queries.DEFAULT:
        queries.ensure_default_experiment(tx)
    found = experiment_of(tx, id_)
    if found.lifecycle is not Lifecycle.ACTIVE:
        raise Conflict(
            f"The experiment {id_} must be in the 'active' state. "
            f"Current state is {found.lifecycle.value}.",
            code="deleted",
            hint="Restore it first.",
        )
    return found


def _rename(tx: Tx, before: Experiment, name: str) -> None:
    if before.lifecycle is not Lifecycle.ACTIVE:
        raise Conflict("Cannot rename a non-active experiment.", code="deleted")
    rules.check_length("name", name, rules.MAX_NAME)
    _refuse_taken(tx, name)
    queries.change_experiment(tx, before.id, name=name)
    tx.emit(TrackingChanged(id=before.id, what="experiment renamed", why=f"now {name!r}"))


def _set_lifecycle(tx: Tx, before: Experiment, lifecycle: Lifecycle) -> None:
    is_deletion = lifecycle is Lifecycle.DELETED
    if is_deletion and before.id == queries.DEFAULT:
        raise Invalid(
            f"Cannot delete the default experiment '{before.id}'. "
            "This is an internally reserved experiment."
        )
    queries.change_experiment(tx, before.id, lifecycle=lifecycle.value)
    queries.set_lifecycle_of_runs(tx, before.id, lifecycle)
    what = "experiment deleted" if is_deletion else "experiment restored"
    tx.emit(TrackingChanged(id=before.id, what=what))


def _refuse_taken(tx: Tx, name: str) -> None:
    taken = queries.experiment_named(tx, name)
    if taken is None:
        return
    if taken.lifecycle is Lifecycle.ACTIVE:
        raise Conflict(f"Experiment '{name}' already exists.", code="experiment_exists")
    raise Conflict(
        f"Experiment '{name}' already exists in deleted state. You can restore the experiment, "
        "or permanently delete the experiment to create a new one.",
        code="experiment_exists",
    )
