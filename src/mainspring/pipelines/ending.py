"""How a run ends, whoever ends it: its state, its lease, its event and the tracked run, once."""

import math

from mainspring.domain.event import RunFinished
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, StepState, StoredValue
from mainspring.domain.run import Lifecycle, Metric, RunStatus
from mainspring.pipelines import queries
from mainspring.pipelines.lease_names import lease_name
from mainspring.store import leases
from mainspring.store.tx import Tx
from mainspring.tracking.log import log_batch
from mainspring.tracking.requests import LogBatch, UpdateRun
from mainspring.tracking.runs import run_of as tracked_run_of
from mainspring.tracking.runs import update_run

_STATUS = {
    PipelineRunState.SUCCEEDED: RunStatus.FINISHED,
    PipelineRunState.FAILED: RunStatus.FAILED,
    PipelineRunState.CANCELLED: RunStatus.KILLED,
}


def end_run(
    tx: Tx,
    run: PipelineRun,
    state: PipelineRunState,
    *,
    error: str | None = None,
    outputs: tuple[StoredValue, ...] = (),
    metrics: dict[str, float] | None = None,
) -> None:
    """Bring a run that is not over to its final state."""
    left = StepState.CANCELLED if state is PipelineRunState.CANCELLED else StepState.INTERRUPTED
    queries.end_running_steps(tx, run.id, left)
    queries.end_waits(tx, run.id, left)
    queries.change_run(
        tx, run.id, state=state.value, finished_at=tx.now, error=error, outputs=outputs
    )
    leases.forget(tx, lease_name(run.id))
    queries.forget_step_leases(tx, run.id)
    _log_metrics(tx, run, metrics or {})
    set_status(tx, run, _STATUS[state])
    tx.emit(
        RunFinished(
            service=run.service,
            run=run.id,
            state=state.value,
            error=error,
            why=_in_words(run, state, error, metrics or {}, tx),
        )
    )


def set_status(tx: Tx, run: PipelineRun, status: RunStatus) -> None:
    """Show the run's state on the tracked run, unless somebody deleted that."""
    if tracked_run_of(tx, run.id).lifecycle is Lifecycle.ACTIVE:
        update_run(tx, UpdateRun(run=run.id, status=status))


def _log_metrics(tx: Tx, run: PipelineRun, metrics: dict[str, float]) -> None:
    if not metrics or tracked_run_of(tx, run.id).lifecycle is not Lifecycle.ACTIVE:
        return
    at = int(tx.now.timestamp() * 1000)
    points = tuple(Metric(key=key, value=value, timestamp_ms=at) for key, value in metrics.items())
    log_batch(tx, LogBatch(run=run.id, metrics=points))


def _in_words(
    run: PipelineRun,
    state: PipelineRunState,
    error: str | None,
    metrics: dict[str, float],
    tx: Tx,
) -> str:
    if error:
        return error.splitlines()[0]
    seconds = (tx.now - (run.started_at or run.requested_at)).total_seconds()
    words = f"{state.value} after {seconds:.1f} s"
    numbers = [f"{key} {value:.4g}" for key, value in metrics.items() if math.isfinite(value)]
    return f"{words}: {', '.join(numbers[:4])}" if numbers else words
