"""Going on from an earlier run: with what it had, or with other code from one of its steps on."""

from collections.abc import Collection, Mapping
from pathlib import Path

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.domain.pipeline import Graph, PipelineRun, PipelineRunState, StepAttempt
from mainspring.domain.request import Call
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.pipelines.environment import store_environment
from mainspring.pipelines.graphs import graph_of
from mainspring.pipelines.requests import GetPipelineRun, ListSteps, RequestRun
from mainspring.pipelines.snapshot import take_snapshot


def resume_run(call: Call, run: str) -> PipelineRun:
    """Ask for what is left of a run that failed or was cancelled: on its own code, data and parameters.

    Gives the new run, which takes the results of all steps that had ended, and of the items that had of a mapped
    step that had not. Raises `Conflict` for a run that succeeded, or is under way: that one goes on by itself.
    """
    parent = call(GetPipelineRun(run=run))
    if not parent.state.is_final:
        raise Conflict(
            f"run {run} is under way ({parent.state.value})",
            code="run_under_way",
            hint="It goes on by itself as soon as a worker is there; `mainspring up` runs one.",
        )
    if parent.state is PipelineRunState.SUCCEEDED:
        raise Conflict(
            f"run {run} has all its results",
            code="run_over",
            hint=f"`mainspring fork {run} --from STEP` runs it again from one of its steps on.",
        )
    attempts: tuple[StepAttempt, ...] = call(ListSteps(run=run))
    return call(
        RequestRun(
            pipeline=parent.pipeline,
            graph=parent.graph,
            inputs=dict(parent.inputs),
            project=parent.project,
            environment=parent.environment,
            params=parent.params,
            why=f"resumes run {run}",
            parent=parent.id,
            kept=_ended(attempts, parent.graph),
        )
    )


def fork_run(
    call: Call,
    blobs: BlobStore,
    settings: Settings,
    run: str,
    first: str,
    *,
    project: Path,
    params: Mapping[str, object] | None = None,
) -> PipelineRun:
    """Ask for a run on a project's code as it is now, that begins with the step `first`.

    Steps that don't follow from it keep the results they had in `run`, whatever their code is now; the data
    is that of `run`, and its parameters but for those given. Raises `Invalid` for a step that isn't there.
    """
    parent = call(GetPipelineRun(run=run))
    snapshot = take_snapshot(blobs, project)
    graph = graph_of(blobs, settings, snapshot, parent.pipeline)
    if all(node.id != first for node in graph.nodes):
        raise Invalid(
            f"the pipeline {graph.pipeline} has no step {first!r}",
            code="no_such_step",
            hint=f"Its steps: {', '.join(node.id for node in graph.nodes)}.",
        )
    return call(
        RequestRun(
            pipeline=parent.pipeline,
            graph=graph,
            inputs=dict(parent.inputs),
            project=snapshot,
            environment=store_environment(blobs),
            params={**parent.params, **(params or {})},
            why=f"forked from run {run} at {first}",
            parent=parent.id,
            kept=tuple(sorted(_done(call, run, graph) - following(graph, first))),
        )
    )


def following(graph: Graph, first: str) -> set[str]:
    """A step and all that wait for it, directly or not."""
    found = {first}
    for node in graph.nodes:
        if node.upstream & found:
            found.add(node.id)
    return found


def _ended(attempts: Collection[StepAttempt], graph: Graph) -> tuple[str, ...]:
    """The steps that have their results, then the items that have theirs of those that only lack other items."""
    done = {attempt.node for attempt in attempts if attempt.is_done}
    whole = {node.id for node in graph.nodes if node.id in done}
    mapped = [node for node in graph.nodes if node.mapped and node.id not in whole]
    items = [
        attempt.node
        for attempt in attempts
        # With the same results before it, an item is given the same as it was.
        if attempt.is_done
        and any(node.has_part(attempt.node) and node.upstream <= whole for node in mapped)
    ]
    return (*sorted(whole), *dict.fromkeys(items))


def _done(call: Call, run: str, graph: Graph) -> set[str]:
    done = {attempt.node for attempt in call(ListSteps(run=run)) if attempt.is_done}
    return {node.id for node in graph.nodes if node.id in done}
