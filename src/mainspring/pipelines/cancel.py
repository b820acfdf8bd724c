"""Stopping a run."""

from mainspring.domain.pipeline import PipelineRun, PipelineRunState
from mainspring.kernel.errors import Conflict
from mainspring.pipelines import queries
from mainspring.pipelines.ending import end_run
from mainspring.pipelines.lease_names import is_scheduler, lease_name
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import CancelRun
from mainspring.store import leases
from mainspring.store.tx import Tx


def cancel_run(tx: Tx, request: CancelRun) -> PipelineRun:
    """End a run at once if nobody works on it, else ask its worker to; asking again changes nothing.

    Raises `Conflict` for a run that is over in another way.
    """
    run = run_of(tx, request.run, locked=True)
    if run.state is PipelineRunState.CANCELLED:
        return run
    if run.state.is_final:
        raise Conflict(f"the run {run.id} has {run.state.value} already", code="run_over")
    queries.change_run(tx, run.id, cancel_requested=True)
    holder = leases.holder_of(tx, lease_name(run.id))
    # Another scheduler can't be asked; the processes of its steps hear of it as of a lost lease, and stop.
    if holder is None or is_scheduler(holder):
        end_run(tx, run, PipelineRunState.CANCELLED, error=f"cancelled by {tx.actor}")
    return run_of(tx, run.id)
