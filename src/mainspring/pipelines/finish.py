"""Recording how a run ended."""

from mainspring.domain.pipeline import PipelineRun
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.ending import end_run
from mainspring.pipelines.lease import held_run
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import FinishRun
from mainspring.store.tx import Tx


def finish_run(tx: Tx, request: FinishRun) -> PipelineRun:
    """End a run, once; raises `Conflict` (`lease_lost`) if another worker has it or it is over."""
    if not request.state.is_final:
        raise Invalid(f"a run can't end as {request.state.value!r}")
    run = held_run(tx, request.lease)
    end_run(
        tx,
        run,
        request.state,
        error=request.error,
        outputs=request.outputs,
        metrics=request.metrics,
    )
    return run_of(tx, run.id)
