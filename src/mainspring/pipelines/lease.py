"""Who works on a run: taking it, keeping it, giving it up."""

from dataclasses import replace
from datetime import timedelta

from mainspring.domain.event import RunStarted
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, StepState
from mainspring.domain.run import RunStatus
from mainspring.kernel.errors import Conflict
from mainspring.pipelines import queries
from mainspring.pipelines.ending import set_status
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import FindWork, ReleaseRun, RenewRunLease, RunLease, TakeRun
from mainspring.store import leases
from mainspring.store.tx import Tx

_CANDIDATES = 20


def lease_name(run: str) -> str:
    """The name of the lease on a run."""
    return f"run:{run}"


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
        if run.state.is_final:
            continue
        _free_from_namesake(tx, lease_name(id_), request.holder)
        lease = leases.acquire(tx, lease_name(id_), request.holder, duration)
        if lease is not None:
            _begin(tx, run, request.holder)
            return RunLease(run=id_, holder=lease.holder, fence=lease.fence)
    return None


def renew_run_lease(tx: Tx, request: RenewRunLease) -> PipelineRun:
    """Keep a run; raises `Conflict` (`lease_lost`) if another worker has it or it is over."""
    run = held_run(tx, request.lease)
    lease = leases.Lease(
        name=lease_name(run.id),
        holder=request.lease.holder,
        fence=request.lease.fence,
        expires_at=tx.now,
    )
    leases.renew(tx, lease, timedelta(seconds=request.lease_seconds))
    return run


def release_run(tx: Tx, request: ReleaseRun) -> None:
    """Give a run up for others to take at once; one that was lost meanwhile is left alone."""
    leases.release(
        tx,
        leases.Lease(
            name=lease_name(request.lease.run),
            holder=request.lease.holder,
            fence=request.lease.fence,
            expires_at=tx.now,
        ),
    )


def held_run(tx: Tx, lease: RunLease) -> PipelineRun:
    """The run that a worker reports on; raises `Conflict` (`lease_lost`) unless it is still the worker's."""
    run = run_of(tx, lease.run, locked=True)
    if run.state.is_final:
        raise Conflict(
            f"the run {run.id} is over ({run.state.value})",
            code="lease_lost",
            hint="It was cancelled, or another worker finished it; stop.",
        )
    leases.check(tx, lease_name(run.id), lease.fence)
    return run


def _free_from_namesake(tx: Tx, name: str, holder: str) -> None:
    fence = queries.fence_of(tx, name, holder)
    if fence is not None:
        leases.release(tx, leases.Lease(name=name, holder=holder, fence=fence, expires_at=tx.now))


def _begin(tx: Tx, run: PipelineRun, holder: str) -> None:
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
            why="its worker's lease ran out" if resumed else run.why,
        )
    )
