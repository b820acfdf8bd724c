"""Runs that wait for an approval, a time or an event: no worker holds them meanwhile, whatever restarts."""

from datetime import datetime, timedelta

from mainspring.domain.event import RunParked, WaitDecided
from mainspring.domain.pipeline import (
    Node,
    PipelineRun,
    PipelineRunState,
    StepAttempt,
    StepState,
    Wait,
    WaitFor,
    WaitKind,
)
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.pipelines import queries
from mainspring.pipelines.lease import held_run
from mainspring.pipelines.lease_names import lease_name
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import DecideWait, ListWaits, LookAtWait, ParkRun
from mainspring.pipelines.waiting import instant_of
from mainspring.store import leases
from mainspring.store.tx import Tx

_MANY = 1000


def look_at_wait(tx: Tx, request: LookAtWait) -> Wait:
    """The first look begins to wait; the one that finds it decided ends the waiting."""
    run = held_run(tx, request.lease)
    node = next((each for each in run.graph.nodes if each.id == request.node), None)
    if node is None or node.wait is None:
        raise NotFound(f"the run {run.id} waits for nothing at {request.node}", code="no_such_wait")
    wait = queries.wait(tx, run.id, node.id) or _begun(tx, run, node, node.wait)
    if not wait.is_decided and wait.until is not None and wait.until <= tx.now:
        has_come = wait.kind is WaitKind.TIME
        note = "" if has_come else "it took too long"
        wait = _decide(tx, wait, approved=has_come, by="time", note=note)
    if wait.is_decided:
        queries.change_wait(tx, run.id, node.id, settled=True)
    return wait


def list_waits(tx: Tx, request: ListWaits) -> tuple[Wait, ...]:
    """What is not decided yet, or all that one run waits and waited for."""
    if request.run is not None:
        run_of(tx, request.run)
    return tuple(queries.waits_of(tx, run=request.run, limit=request.limit))


def decide_wait(tx: Tx, request: DecideWait) -> Wait:
    """Record an answer; the run goes on at once if it was parked."""
    run = run_of(tx, request.run, locked=True)
    wait = _asked(tx, run, request.step)
    if wait.is_decided and wait.approved is request.approved:
        return wait
    if wait.is_decided or run.state.is_final:
        told = (
            "was decided already" if wait.is_decided else f"is of a run that has {run.state.value}"
        )
        raise Conflict(f"{wait.node} of {run.id} {told}", code="already_decided")
    decided = _decide(tx, wait, approved=request.approved, by=str(tx.actor), note=request.note)
    tx.emit(
        WaitDecided(
            service=run.service,
            run=run.id,
            node=wait.node,
            approved=request.approved,
            why=request.note or wait.what,
        )
    )
    return decided


def event_came(tx: Tx, wait: Wait, what: str) -> Wait:
    """Record that the event that a run waits for has happened, for other use cases.

    What was decided otherwise since it was looked at, or belongs to a run that is over, stays as it is.
    """
    run = run_of(tx, wait.run, locked=True)
    now = queries.wait(tx, wait.run, wait.node)
    if now is None or now.is_decided or run.state.is_final:
        return now or wait
    return _decide(tx, now, approved=True, by="event", note=what)


def park_run(tx: Tx, request: ParkRun) -> bool:
    """Give a run up until what it waits for is there; decided in one transaction with giving it up."""
    run = held_run(tx, request.lease)
    if run.cancel_requested:
        # Its worker is to end it, and a run that nobody holds would never hear of it.
        return False
    left = [w for w in queries.waits_of(tx, run=run.id, limit=_MANY) if not w.is_decided]
    if queries.is_woken(tx, run.id) or not left:
        return False
    queries.change_run(tx, run.id, state=PipelineRunState.WAITING.value)
    leases.release(
        tx,
        leases.Lease(
            name=lease_name(run.id),
            holder=request.lease.holder,
            fence=request.lease.fence,
            expires_at=tx.now,
        ),
    )
    why = "; ".join(in_words(wait) for wait in left)
    tx.emit(RunParked(service=run.service, run=run.id, why=why))
    return True


def in_words(wait: Wait) -> str:
    """What is waited for, in one line."""
    if wait.kind is WaitKind.APPROVAL:
        return f"waits for approval: {wait.what}"
    if wait.kind is WaitKind.EVENT:
        return f"waits for {wait.what}"
    return f"waits until {wait.until:%Y-%m-%d %H:%M:%S}Z"


def _asked(tx: Tx, run: PipelineRun, step: str | None) -> Wait:
    """The approval that is meant; raises `NotFound`, or `Conflict` if it can't be told which."""
    found = [
        wait
        for wait in queries.waits_of(tx, run=run.id, kind=WaitKind.APPROVAL, limit=_MANY)
        if step in (None, wait.node)
    ]
    if step is None:
        found = [wait for wait in found if not wait.is_decided] or found
    if not found:
        raise NotFound(
            f"the run {run.id} waits for no approval" + (f" at {step}" if step else ""),
            code="no_such_wait",
            hint="`mainspring approve` shows what waits for one.",
        )
    if len(found) > 1:
        raise Conflict(
            f"the run {run.id} waits for {len(found)} approvals",
            code="ambiguous",
            hint=f"Say which: {', '.join(f'{run.id}/{wait.node}' for wait in found)}.",
        )
    return found[0]


def _begun(tx: Tx, run: PipelineRun, node: Node, what: WaitFor) -> Wait:
    wait = Wait(
        run=run.id,
        node=node.id,
        kind=what.kind,
        what=what.what,
        since=tx.now,
        until=_until(run, what, tx.now),
        cursor=queries.last_event(tx) if what.kind is WaitKind.EVENT else 0,
    )
    queries.add_wait(tx, wait)
    attempt = StepAttempt(
        run=run.id,
        node=node.id,
        attempt=queries.last_attempt(tx, run.id, node.id) + 1,
        state=StepState.WAITING,
        started_at=tx.now,
        warning=in_words(wait),
    )
    queries.add_step(tx, attempt)
    return wait


def _decide(tx: Tx, wait: Wait, *, approved: bool, by: str, note: str) -> Wait:
    queries.change_wait(
        tx, wait.run, wait.node, approved=approved, decided_at=tx.now, decided_by=by, note=note
    )
    decided = queries.wait(tx, wait.run, wait.node)
    assert decided is not None
    return decided


def _until(run: PipelineRun, what: WaitFor, now: datetime) -> datetime | None:
    if what.kind is not WaitKind.TIME:
        seconds = what.timeout_seconds
        return None if seconds is None else now + timedelta(seconds=seconds)
    if what.delay_seconds is not None:
        return now + timedelta(seconds=what.delay_seconds)
    given = run.params[what.parameter] if what.parameter else what.until
    return instant_of(given)
