"""Carrying backfills on: looking at their runs, asking for the next, stopping."""

from typing import Any

from mainspring.backfills import queries
from mainspring.backfills.read import backfill_of, row_of
from mainspring.backfills.requests import (
    AdvanceBackfill,
    CancelBackfill,
    DueBackfills,
    PauseBackfill,
    ResumeBackfill,
)
from mainspring.domain.backfill import Backfill, BackfillState, PartState
from mainspring.domain.event import BackfillChanged
from mainspring.domain.pipeline import PipelineRunState
from mainspring.kernel.errors import Conflict, Invalid, NotFound, Rejected
from mainspring.pipelines.cancel import cancel_run
from mainspring.pipelines.request_run import ask_for_run, bound_datasets
from mainspring.pipelines.requests import CancelRun, RequestRun
from mainspring.store.tx import Tx

# More in one transaction would keep others from writing for too long.
_AT_ONCE = 20
_MANY = 1000
_PRIORITY = -10
_ENDS = {
    PipelineRunState.SUCCEEDED: PartState.SUCCEEDED,
    PipelineRunState.FAILED: PartState.FAILED,
    PipelineRunState.CANCELLED: PartState.CANCELLED,
}


def due_backfills(tx: Tx, request: DueBackfills) -> tuple[str, ...]:
    """Those with a run that ended, room for another, or nothing left."""
    return tuple(row.id for row in queries.not_over(tx) if _is_due(tx, row))


def advance_backfill(tx: Tx, request: AdvanceBackfill) -> Backfill:
    """Asking twice asks for no run twice: what is asked for is recorded with the run."""
    row = row_of(tx, request.backfill, locked=True)
    for number, ended in queries.ended_runs(tx, row.id):
        queries.change_part(tx, row.id, number, state=_ENDS[ended].value)
    if row.state == BackfillState.RUNNING:
        if why_not := _unreadable(tx, row):
            # For people to see, and to resume or cancel: trying again would fail for every partition, for ever.
            _change(tx, row, BackfillState.PAUSED, f"paused: {why_not}")
        else:
            _ask(tx, row)
    counts = queries.counts(tx, row.id)
    is_left = counts.get(PartState.WAITING) or counts.get(PartState.ASKED)
    if not is_left and not BackfillState(row.state).is_over:
        _change(tx, row, BackfillState.FINISHED, "finished", finished_at=tx.now)
    return backfill_of(tx, row.id)


def pause_backfill(tx: Tx, request: PauseBackfill) -> Backfill:
    """Pausing one that is paused changes nothing; raises `Conflict` for one that is over."""
    return _switch(tx, request.backfill, BackfillState.PAUSED, "paused")


def resume_backfill(tx: Tx, request: ResumeBackfill) -> Backfill:
    """Resuming one that is not paused changes nothing; raises `Conflict` for one that is over."""
    return _switch(tx, request.backfill, BackfillState.RUNNING, "resumed")


def cancel_backfill(tx: Tx, request: CancelBackfill) -> Backfill:
    """Its runs end as cancelled, at once or when their workers hear of it."""
    row = row_of(tx, request.backfill, locked=True)
    if row.state == BackfillState.CANCELLED:
        return backfill_of(tx, row.id)
    _check_not_over(row)
    queries.cancel_waiting(tx, row.id)
    for number, ended in queries.ended_runs(tx, row.id):
        queries.change_part(tx, row.id, number, state=_ENDS[ended].value)
    for number, part in queries.parts_of(tx, row.id, state=PartState.ASKED, limit=_MANY):
        cancel_run(tx, CancelRun(run=str(part.run)))
        queries.change_part(tx, row.id, number, state=PartState.CANCELLED.value)
    _change(tx, row, BackfillState.CANCELLED, "cancelled", finished_at=tx.now)
    return backfill_of(tx, row.id)


def _is_due(tx: Tx, row: Any) -> bool:
    counts = queries.counts(tx, row.id)
    waiting, asked = counts.get(PartState.WAITING, 0), counts.get(PartState.ASKED, 0)
    if asked and queries.ended_runs(tx, row.id):
        return True
    if row.state == BackfillState.PAUSED:
        return not waiting and not asked
    return (waiting > 0 and asked < row.concurrency) or not (waiting or asked)


def _unreadable(tx: Tx, row: Any) -> str | None:
    """Why no run can read the data any more that all of them are to read; None if they can."""
    if not queries.counts(tx, row.id).get(PartState.WAITING):
        return None
    try:
        bound_datasets(tx, row.graph, row.inputs)
    except (NotFound, Invalid, Rejected) as error:
        return error.message
    return None


def _ask(tx: Tx, row: Any) -> None:
    room = row.concurrency - queries.counts(tx, row.id).get(PartState.ASKED, 0)
    if room <= 0:
        return
    limit = min(room, _AT_ONCE)
    for number, part in queries.parts_of(tx, row.id, state=PartState.WAITING, limit=limit):
        run = ask_for_run(
            tx,
            RequestRun(
                pipeline=row.pipeline,
                graph=row.graph,
                inputs=row.inputs,
                # What is due today goes before what lies behind.
                priority=_PRIORITY,
                params={**row.params, row.graph.partitions.parameter: part.partition},
                project=row.project,
                environment=row.environment,
                why=f"backfill {row.id}: {row.graph.partitions.parameter} {part.partition}"
                + (f" ({row.why})" if row.why else ""),
            ),
        )
        queries.change_part(tx, row.id, number, state=PartState.ASKED.value, run=run.id)


def _switch(tx: Tx, id_: str, state: BackfillState, what: str) -> Backfill:
    row = row_of(tx, id_, locked=True)
    _check_not_over(row)
    if row.state != state:
        _change(tx, row, state, what)
    return backfill_of(tx, id_)


def _check_not_over(row: Any) -> None:
    if BackfillState(row.state).is_over:
        raise Conflict(f"the backfill {row.id} is {row.state} already", code="backfill_over")


def _change(tx: Tx, row: Any, state: BackfillState, what: str, **values: Any) -> None:
    queries.change(tx, row.id, state=state.value, **values)
    tx.emit(BackfillChanged(backfill=row.id, pipeline=row.pipeline, what=what))
