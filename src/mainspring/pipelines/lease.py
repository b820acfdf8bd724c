"""Who works on a run: taking it, keeping it, giving it up."""

from dataclasses import replace
from datetime import timedelta

from mainspring.domain.event import RunStarted
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, StepState
from mainspring.domain.run import RunStatus
from mainspring.kernel.errors import Conflict
from mainspring.pipelines import queries
from mainspring.pipelines.ending import set_status
from mainspring.pipelines.lease_names import lease_name, step_lease_name
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import FindWork, ReleaseRun, RenewRunLease, RunLease, TakeRun
from mainspring.store import leases
from mainspring.store.tx import Tx

_CANDIDATES = 20
# How long a run that was handed on waits for a sign of life of the scheduler that has it: long enough for a
# queue before its next task. Then it is any worker's, and the scheduler's later tasks find the results there.
PATIENCE = timedelta(hours=6)


def find_work(tx: Tx, request: FindWork) -> tuple[str, ...]:
    """Ids of runs that nobody works on and that are not over."""
    return tuple(queries.takeable(tx, holder=request.holder, only=request.run, limit=request.limit))


def take_run(tx: Tx, request: TakeRun) -> RunLease | None:
    """Take a run that waits or was left; what its last worker was at counts as interrupted."""
    candidates: list[str]
    if request.run:
        candidates = [request.run]
    else:
        candidates = queries.takeable(tx, holder=request.holder, limit=_CANDIDATES)
    duration = timedelta(seconds=request.lease_seconds)
    for id_ in candidates:
        run = run_of(tx, id_, locked=True)
        if run.state.is_final or (
            run.state is PipelineRunState.WAITING and not queries.is_woken(tx, id_)
        ):
            continue
        _free_from_namesake(tx, lease_name(id_), request.holder)
        lease = leases.acquire(tx, lease_name(id_), request.holder, duration)
        if lease is not None:
            begin(tx, run, request.holder)
            return RunLease(run=id_, holder=lease.holder, fence=lease.fence)
    return None


def renew_run_lease(tx: Tx, request: RenewRunLease) -> PipelineRun:
    """Keep a run; raises `Conflict` (`lease_lost`) if another worker has it or it is over."""
    run = held_run(tx, request.lease)
    duration = timedelta(seconds=request.lease_seconds)
    if request.lease.step is not None:
        leases.renew(tx, _step_lease(tx, request.lease), duration)
        duration = PATIENCE
    leases.renew(tx, _run_lease(tx, request.lease), duration)
    return run


def release_run(tx: Tx, request: ReleaseRun) -> None:
    """Give a run up for others to take at once; one that was lost meanwhile is left alone."""
    lease = request.lease
    leases.release(tx, _run_lease(tx, lease) if lease.step is None else _step_lease(tx, lease))


def held_run(tx: Tx, lease: RunLease) -> PipelineRun:
    """The run that a worker reports on; raises `Conflict` (`lease_lost`) unless it is still the worker's.

    The same for the one step that a process has of a run that was handed on.
    """
    run = run_of(tx, lease.run, locked=True)
    if run.state.is_final:
        raise Conflict(
            f"the run {run.id} is over ({run.state.value})",
            code="lease_lost",
            hint="It was cancelled, or another worker finished it; stop.",
        )
    if run.state is PipelineRunState.WAITING:
        # Its lease was given up, and must not be kept alive by a renewal that was under way.
        raise Conflict(
            f"the run {run.id} waits, and no worker holds it",
            code="lease_lost",
            hint="It is taken again once what it waits for is there.",
        )
    leases.check(tx, lease_name(run.id), lease.fence)
    if lease.step is not None:
        leases.check(tx, step_lease_name(run.id, lease.step), lease.step_fence)
    return run


def _run_lease(tx: Tx, lease: RunLease) -> leases.Lease:
    name = lease_name(lease.run)
    return leases.Lease(name=name, holder=lease.holder, fence=lease.fence, expires_at=tx.now)


def _step_lease(tx: Tx, lease: RunLease) -> leases.Lease:
    name = step_lease_name(lease.run, str(lease.step))
    return leases.Lease(name=name, holder=lease.holder, fence=lease.step_fence, expires_at=tx.now)


def _free_from_namesake(tx: Tx, name: str, holder: str) -> None:
    fence = queries.fence_of(tx, name, holder)
    if fence is not None:
        leases.release(tx, leases.Lease(name=name, holder=holder, fence=fence, expires_at=tx.now))


def begin(tx: Tx, run: PipelineRun, holder: str) -> None:
    """Record that work on a run begins, or goes on under another holder."""
    resumed = run.state is PipelineRunState.RUNNING
    queries.end_running_steps(tx, run.id, StepState.INTERRUPTED)
    if not resumed:
        queries.change_run(
            tx, run.id, state=PipelineRunState.RUNNING.value, started_at=run.started_at or tx.now
        )
        set_status(tx, replace(run, state=PipelineRunState.RUNNING), RunStatus.RUNNING)
    tx.emit(
        RunStarted(
            service=run.service,
            run=run.id,
            holder=holder,
            resumed=resumed,
            why=_why_begun(run),
        )
    )


def _why_begun(run: PipelineRun) -> str:
    if run.state is PipelineRunState.RUNNING:
        return "its worker's lease ran out"
    if run.state is PipelineRunState.WAITING:
        return "what it waited for is there"
    return run.why
