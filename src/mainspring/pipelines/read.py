"""Reading runs and their steps."""

from mainspring.domain.pipeline import PipelineRun, StepAttempt
from mainspring.kernel.errors import NotFound
from mainspring.pipelines import queries
from mainspring.pipelines.requests import GetPipelineRun, ListPipelineRuns, ListSteps
from mainspring.store.tx import Tx


def get_pipeline_run(tx: Tx, request: GetPipelineRun) -> PipelineRun:
    """One run; raises `NotFound`."""
    return run_of(tx, request.run)


def list_pipeline_runs(tx: Tx, request: ListPipelineRuns) -> tuple[PipelineRun, ...]:
    """Runs, newest first."""
    found = queries.runs(tx, service=request.service, state=request.state, limit=request.limit)
    return tuple(found)


def list_steps(tx: Tx, request: ListSteps) -> tuple[StepAttempt, ...]:
    """Every attempt at every step, in the order they began; raises `NotFound` for an unknown run."""
    run_of(tx, request.run)
    return tuple(queries.steps_of(tx, request.run))


def run_of(tx: Tx, id_: str, *, locked: bool = False) -> PipelineRun:
    """The run of that id, for other use cases; raises `NotFound`."""
    found = queries.run(tx, id_, locked=locked)
    if found is None:
        raise NotFound(
            f"there is no pipeline run {id_!r}",
            code="no_such_run",
            hint="`mainspring run list` shows them.",
        )
    return found
