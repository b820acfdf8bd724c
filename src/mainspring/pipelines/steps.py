"""Recording attempts at steps, and finding results that are known already."""

from dataclasses import replace

from mainspring.domain.event import StepFinished
from mainspring.domain.pipeline import CacheEntry, Node, PipelineRun, StepAttempt, StepState
from mainspring.domain.run import RunId
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.pipelines import queries
from mainspring.pipelines.lease import held_run
from mainspring.pipelines.limits import check_limit
from mainspring.pipelines.requests import FindCached, FinishStep, StartStep
from mainspring.store.tx import Tx


def start_step(tx: Tx, request: StartStep) -> StepAttempt:
    """Record that an attempt begins.

    Raises `Conflict`: `step_under_way` while another run computes what has the same cache key, `limit_reached` while
    no more steps that use the same may begin.
    """
    run = held_run(tx, request.lease)
    node = _check_node(run, request.node)
    if node.uses:
        check_limit(tx, node.uses)
    if request.cache_key and (other := queries.run_computing(tx, request.cache_key)):
        raise Conflict(
            f"run {other} computes the result of {request.node} right now",
            code="step_under_way",
            hint="Ask for the result again in a moment.",
        )
    attempt = StepAttempt(
        run=run.id,
        node=request.node,
        attempt=queries.last_attempt(tx, run.id, request.node) + 1,
        state=StepState.RUNNING,
        started_at=tx.now,
        cache_key=request.cache_key,
        warning=request.warning,
    )
    queries.add_step(tx, attempt, uses=node.uses or None)
    return attempt


def finish_step(tx: Tx, request: FinishStep) -> StepAttempt:
    """Record how an attempt ended, once; recording the same again changes nothing.

    Raises `NotFound` unless the bytes of every output are stored, `Conflict` for an attempt that ended
    differently.
    """
    run = held_run(tx, request.lease)
    for output in request.outputs:
        if not tx.blobs.exists(output.digest):
            raise NotFound(
                f"the bytes of an output of {request.node} are not stored ({output.digest})",
                code="blob_missing",
            )
    before = queries.step(tx, run.id, request.node, request.attempt)
    if before is None:
        ended = _add_whole(tx, run, request)
    elif before.state in (StepState.RUNNING, StepState.WAITING):
        ended = replace(
            before,
            state=request.state,
            finished_at=tx.now,
            outputs=request.outputs,
            error=request.error,
            warning=request.warning or before.warning,
        )
        queries.end_step(tx, ended)
    elif (before.state, before.outputs) == (request.state, request.outputs):
        return before
    else:
        raise Conflict(
            f"attempt {request.attempt} at {request.node} has ended already ({before.state.value})",
            code="step_over",
        )
    _remember(tx, run, ended, request)
    _tell(tx, run, ended)
    return ended


def find_cached(tx: Tx, request: FindCached) -> CacheEntry | None:
    """What is kept under a key, if its bytes are still there."""
    entry = queries.cache_entry(tx, request.key)
    if entry is None or not all(tx.blobs.exists(output.digest) for output in entry.outputs):
        return None
    return entry


def _add_whole(tx: Tx, run: PipelineRun, request: FinishStep) -> StepAttempt:
    node = _check_node(run, request.node)
    next_attempt = queries.last_attempt(tx, run.id, request.node) + 1
    takes_no_process = request.state in (StepState.CACHED, StepState.SKIPPED) or (
        request.state is StepState.SUCCEEDED and _is_put_together(node, request.node)
    )
    if not takes_no_process or request.attempt != next_attempt:
        raise NotFound(f"there is no attempt {request.attempt} at {request.node} in {run.id}")
    attempt = StepAttempt(
        run=run.id,
        node=request.node,
        attempt=request.attempt,
        state=request.state,
        started_at=tx.now,
        finished_at=tx.now,
        cache_key=request.cache_key,
        outputs=request.outputs,
        cached_from=RunId(request.cached_from) if request.cached_from else None,
        warning=request.warning,
    )
    queries.add_step(tx, attempt)
    return attempt


def _remember(tx: Tx, run: PipelineRun, ended: StepAttempt, request: FinishStep) -> None:
    if ended.state is not StepState.SUCCEEDED or request.cache_components is None:
        return
    if ended.cache_key is None:
        raise Invalid(f"{request.node} has parts of a cache key but no key")
    step = next(node.step for node in run.graph.nodes if node.has_part(request.node))
    queries.keep_cache_entry(
        tx,
        CacheEntry(
            key=ended.cache_key,
            step=step,
            run=run.id,
            outputs=ended.outputs,
            components=request.cache_components,
            created_at=tx.now,
        ),
    )


def _tell(tx: Tx, run: PipelineRun, ended: StepAttempt) -> None:
    why = (ended.error or "").splitlines()[:1]
    if ended.state is StepState.CACHED:
        why = [f"the same result as in {ended.cached_from}"]
    tx.emit(
        StepFinished(
            service=run.service,
            run=run.id,
            node=ended.node,
            attempt=ended.attempt,
            state=ended.state.value,
            outputs=tuple(output.digest for output in ended.outputs),
            why="".join(why),
        )
    )


def _is_put_together(node: Node, part: str) -> bool:
    """Whether a result is made of other steps' results, and takes no process."""
    return node.choice is not None or (bool(node.mapped) and part == node.id)


def _check_node(run: PipelineRun, part: str) -> Node:
    for node in run.graph.nodes:
        if node.has_part(part):
            return node
    raise NotFound(f"the pipeline {run.pipeline} has no step {part!r}")
