"""Doing a run again from its code, data and parameters, without the cache, and comparing what came out."""

import math
from dataclasses import dataclass

from mainspring.blobs.port import BlobStore
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, ValueKind
from mainspring.domain.request import Call
from mainspring.kernel.errors import Conflict
from mainspring.pipelines.environment import (
    Environment,
    current_environment,
    read_environment,
    store_environment,
)
from mainspring.pipelines.requests import GetPipelineRun, ListSteps, RequestRun
from mainspring.pipelines.values import read_evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPair:
    """A metric in the run before and in the one that did it again; None where it has none."""

    name: str
    before: float | None
    after: float | None
    is_close: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came out when a run was done again.

    `differing` names the steps whose results have other digests than before. `metrics` are all that either
    run has; `environment` says how the environments differ. `succeeded` is true if every result is the same
    byte for byte, or else every metric is close.
    """

    before: str
    after: str
    differing: tuple[str, ...]
    metrics: tuple[MetricPair, ...]
    environment: tuple[str, ...]
    succeeded: bool

    @property
    def is_exact(self) -> bool:
        """Whether every step's result is the same byte for byte."""
        return not self.differing and self.succeeded


def request_again(call: Call, blobs: BlobStore, run: str) -> PipelineRun:
    """Ask for a run on the code, data and parameters of another, every step run anew.

    Raises `Conflict` for a run that didn't succeed.
    """
    before = call(GetPipelineRun(run=run))
    if before.state is not PipelineRunState.SUCCEEDED:
        raise Conflict(
            f"run {run} {before.state.value}: there is no result to reproduce", code="run_not_over"
        )
    return call(
        RequestRun(
            pipeline=before.pipeline,
            graph=before.graph,
            inputs=dict(before.inputs),
            project=before.project,
            environment=store_environment(blobs),
            params=before.params,
            why=f"reproduces run {run}",
            verify_cache=1.0,
        )
    )


def compared(
    call: Call, blobs: BlobStore, before: str, after: PipelineRun, *, tolerance: float
) -> Reproduction:
    """Compare a run with the one that it reproduces; metrics within a relative `tolerance` are close."""
    old = call(GetPipelineRun(run=before))
    results = [_results(call, run) for run in (old, after)]
    differing = tuple(
        name for name, digests in results[0].items() if results[1].get(name) != digests
    )
    metrics = _pairs(_metrics(blobs, old), _metrics(blobs, after), tolerance)
    over = after.state is PipelineRunState.SUCCEEDED
    close = bool(metrics) and all(pair.is_close for pair in metrics)
    return Reproduction(
        before=before,
        after=after.id,
        differing=differing,
        metrics=metrics,
        environment=environment_changes(
            read_environment(blobs, old.environment), current_environment()
        ),
        succeeded=over and (not differing or close),
    )


def environment_changes(before: Environment, after: Environment) -> tuple[str, ...]:
    """How two environments differ, one distribution a line."""
    found = []
    if before.python != after.python:
        found.append(f"python {before.python} -> {after.python}")
    if before.platform != after.platform:
        found.append(f"platform {before.platform} -> {after.platform}")
    old, new = before.distributions, after.distributions
    found += [
        f"{name} {old.get(name, '(absent)')} -> {new.get(name, '(absent)')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return tuple(found)


def _results(call: Call, run: PipelineRun) -> dict[str, tuple[str, ...]]:
    return {
        attempt.node: tuple(output.digest for output in attempt.outputs)
        for attempt in call(ListSteps(run=run.id))
        if attempt.is_done
    }


def _metrics(blobs: BlobStore, run: PipelineRun) -> dict[str, float]:
    found: dict[str, float] = {}
    for output in run.outputs:
        if output.kind is ValueKind.METRICS:
            found |= read_evaluation(blobs, output).values
    return found


def _pairs(
    before: dict[str, float], after: dict[str, float], tolerance: float
) -> tuple[MetricPair, ...]:
    pairs = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        close = one is not None and other is not None and _is_close(one, other, tolerance)
        pairs.append(MetricPair(name=name, before=one, after=other, is_close=close))
    return tuple(pairs)


def _is_close(one: float, other: float, tolerance: float) -> bool:
    both_nan = math.isnan(one) and math.isnan(other)
    return both_nan or math.isclose(one, other, rel_tol=tolerance)
