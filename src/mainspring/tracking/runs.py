"""Runs: beginning, changing, reading, ending."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from mainspring.domain.event import TrackingChanged
from mainspring.domain.run import Lifecycle, Run, RunId, RunPart, RunStatus
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.store.tx import Tx
from mainspring.tracking import rules
from mainspring.tracking.experiments import active_experiment
from mainspring.tracking.queries import runs as queries
from mainspring.tracking.requests import CreateRun, GetRun, UpdateRun

# MLflow keeps a run's name as a tag too, and its clients read either.
NAME_TAG = "mlflow.runName"
_FINAL = (RunStatus.FINISHED, RunStatus.FAILED, RunStatus.KILLED)


def create_run(tx: Tx, request: CreateRun) -> Run:
    """Begin a run in an active experiment; raises `Conflict` if `id` is taken."""
    experiment = active_experiment(tx, request.experiment)
    id_ = RunId(request.id or tx.new_id("run"))
    if request.id and queries.run_exists(tx, id_):
        raise Conflict(f"there is a run {id_} already", code="run_exists")
    tags = rules.checked_tags(request.tags)
    rules.check_length("run_id", id_, 64)
    name = request.name or tags.get(NAME_TAG) or f"run-{id_[-6:]}"
    run = Run(
        id=id_,
        experiment=experiment.id,
        name=name[:500],
        status=request.status,
        lifecycle=Lifecycle.ACTIVE,
        user=(request.user or tags.get("mlflow.user", "") or tx.actor.name)[:250],
        started_at=request.started_at or tx.now,
        ended_at=None,
        metrics=(),
        params={},
        tags={**tags, NAME_TAG: name[:500]},
    )
    queries.add_run(tx, run)
    tx.emit(TrackingChanged(id=id_, what="run created", why=f"named {run.name!r}"))
    return run


def update_run(tx: Tx, request: UpdateRun) -> Run:
    """Change a run; a run that ends without saying when ends now."""
    before = run_of(tx, request.run, parts=())
    if request.lifecycle is msgspec.UNSET:
        _require_active(before.id, before.lifecycle)
    values, what = _changes(before, request, tx.now)
    queries.change_run(tx, before.id, values)
    if "name" in values:
        queries.set_run_tags(tx, before.id, {NAME_TAG: str(values["name"])})
    if what:
        tx.emit(TrackingChanged(id=before.id, what=", ".join(what)))
    return run_of(tx, request.run)


def get_run(tx: Tx, request: GetRun) -> Run:
    """One run, deleted or not; raises `NotFound`."""
    return run_of(tx, request.run, request.parts)


def run_of(tx: Tx, id_: str, parts: Collection[RunPart] = tuple(RunPart)) -> Run:
    """The run of that id, for other use cases; raises `NotFound`."""
    found = queries.run(tx, id_, parts)
    if found is None:
        raise _no_run(id_)
    return found


def require_run(tx: Tx, id_: str) -> None:
    """Raise `NotFound` for an unknown run."""
    if not queries.run_exists(tx, id_):
        raise _no_run(id_)


def require_active_run(tx: Tx, id_: str) -> str:
    """The experiment of a run; raises `NotFound` for an unknown run, `Conflict` (`deleted`) for a deleted one."""
    found = queries.place_of_run(tx, id_)
    if found is None:
        raise _no_run(id_)
    experiment, lifecycle = found
    _require_active(id_, lifecycle)
    return experiment


def _require_active(id_: str, lifecycle: Lifecycle) -> None:
    if lifecycle is not Lifecycle.ACTIVE:
        raise Conflict(
            f"The run {id_} must be in the 'active' state. Current state is {lifecycle.value}.",
            code="deleted",
            hint="Restore it first.",
        )


def _no_run(id_: str) -> NotFound:
    return NotFound(f"Run with id={id_} not found", code="no_such_run")


def _changes(before: Run, request: UpdateRun, now: datetime) -> tuple[dict[str, object], list[str]]:
    values: dict[str, object] = {}
    what = []
    if request.name is not msgspec.UNSET and request.name and request.name != before.name:
        values["name"] = request.name[:500]
        what.append("run renamed")
    if request.status is not msgspec.UNSET and request.status is not before.status:
        values["status"] = request.status.value
        what.append(f"run {request.status.value.lower()}")
        if request.status in _FINAL:
            values["ended_at"] = now
    if request.ended_at is not msgspec.UNSET and request.ended_at is not None:
        values["ended_at"] = request.ended_at
    if request.lifecycle is not msgspec.UNSET and request.lifecycle is not before.lifecycle:
        values["lifecycle"] = request.lifecycle.value
        is_deletion = request.lifecycle is Lifecycle.DELETED
        what.append("run deleted" if is_deletion else "run restored")
    return values, what
