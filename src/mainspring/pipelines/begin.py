"""Asking for a run once by a key, and handing its steps on to another scheduler."""

from datetime import timedelta

from mainspring.domain.pipeline import Graph, PipelineRun, PipelineRunState, StepState
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.pipelines import queries
from mainspring.pipelines.lease import PATIENCE, begin
from mainspring.pipelines.lease_names import (
    holder_for,
    is_scheduler,
    lease_name,
    step_lease_name,
)
from mainspring.pipelines.read import run_of
from mainspring.pipelines.request_run import request_run
from mainspring.pipelines.requests import BeginRun, RequestRun, RunLease, TakeStep
from mainspring.pipelines.waiting import check_no_wait
from mainspring.store import leases
from mainspring.store.tx import Tx
from mainspring.tracking.log import log_batch
from mainspring.tracking.requests import LogBatch

# On the tracked run, where they are seen and searched for.
KEY_TAG = "mainspring.key"
SCHEDULER_TAG = "mainspring.scheduler"


def begin_run(tx: Tx, request: BeginRun) -> PipelineRun:
    """The run of that key: the one there is, or a new one if there is none, or it failed or was cancelled."""
    if request.scheduler:
        check_no_wait(request.asked.graph)
    before = queries.run_with_key(tx, request.asked.pipeline, KEY_TAG, request.key)
    if before is not None and before.state not in (
        PipelineRunState.FAILED,
        PipelineRunState.CANCELLED,
    ):
        return before
    asked = request.asked if before is None else _what_is_left(tx, before)
    run = request_run(tx, asked)
    tags = {KEY_TAG: request.key}
    if request.scheduler:
        tags[SCHEDULER_TAG] = request.scheduler
        holder = holder_for(request.scheduler)
        leases.acquire(tx, lease_name(run.id), holder, PATIENCE)
        begin(tx, run, holder)
    log_batch(tx, LogBatch(run=run.id, tags=tags))
    return run_of(tx, run.id)


def take_step(tx: Tx, request: TakeStep) -> RunLease | None:
    """Take a step whose last process ended, died or let its lease run out."""
    run = run_of(tx, request.run, locked=True)
    if run.state.is_final:
        raise Conflict(
            f"the run {run.id} is over ({run.state.value})",
            code="run_over",
            hint="Begin it again with the same key: what had ended is kept.",
        )
    _check_step(run.graph, request.step)
    fence = _fence(tx, run)
    if fence is None:
        return None
    name = step_lease_name(run.id, request.step)
    lease = leases.acquire(tx, name, request.holder, timedelta(seconds=request.lease_seconds))
    if lease is None:
        return None
    taken = RunLease(
        run=run.id,
        holder=request.holder,
        fence=fence,
        step=request.step,
        step_fence=lease.fence,
    )
    left = [node for node in queries.running_nodes(tx, run.id) if taken.covers(node)]
    queries.end_running_steps(tx, run.id, StepState.INTERRUPTED, only=left)
    return taken


def _fence(tx: Tx, run: PipelineRun) -> int | None:
    """The fence under which the scheduler has the run; None while a worker has it."""
    scheduler = queries.tag_of(tx, run.id, SCHEDULER_TAG)
    if scheduler is None:
        raise Conflict(
            f"the run {run.id} was not handed on: workers carry it out",
            code="not_handed_on",
            hint="`mainspring run begin PIPELINE --key KEY` begins one whose steps are run one by one.",
        )
    had = queries.lease_on(tx, run.id)
    if had is not None and is_scheduler(had[0]):
        fence = had[1]
        held = leases.Lease(name=lease_name(run.id), holder=had[0], fence=fence, expires_at=tx.now)
        leases.renew(tx, held, PATIENCE)
        return fence
    lease = leases.acquire(tx, lease_name(run.id), holder_for(scheduler), PATIENCE)
    return lease.fence if lease else None


def _check_step(graph: Graph, step: str) -> None:
    if not any(node.has_part(step) and node.choice is None for node in graph.nodes):
        names = [node.id for node in graph.nodes if node.choice is None]
        raise NotFound(
            f"the pipeline {graph.pipeline} has no step {step!r}",
            code="no_such_step",
            hint=f"Its steps: {', '.join(names)}.",
        )


def _what_is_left(tx: Tx, before: PipelineRun) -> RequestRun:
    done = {attempt.node for attempt in queries.steps_of(tx, before.id) if attempt.is_done}
    return RequestRun(
        pipeline=before.pipeline,
        graph=before.graph,
        inputs=dict(before.inputs),
        project=before.project,
        environment=before.environment,
        params=before.params,
        service=before.service,
        why=f"resumes run {before.id}",
        parent=before.id,
        kept=tuple(node.id for node in before.graph.nodes if node.id in done),
        verify_cache=before.verify_cache,
    )
