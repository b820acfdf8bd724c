"""Which partitions a backfill is about, and which of them it runs. Pure."""

from collections.abc import Iterable, Sequence

from mainspring.backfills.requests import PreviewBackfill
from mainspring.domain.backfill import BackfillPart, PartState, Reprocess
from mainspring.domain.partition import PartitionUnit
from mainspring.domain.pipeline import PipelineRunState
from mainspring.domain.run import RunId
from mainspring.kernel.errors import Invalid

PastRun = tuple[str, RunId, PipelineRunState]


def named(request: PreviewBackfill) -> tuple[str, ...]:
    """The partitions that are named, each once; raises `Invalid` for what is none."""
    partitions = request.graph.partitions
    if partitions is None:
        raise Invalid(
            f"the pipeline {request.graph.pipeline} has no partitions",
            code="no_partitions",
            hint='Say what it is run by: @ms.pipeline(daily="day").',
        )
    if request.span is not None and request.partitions:
        raise Invalid("a backfill is of a span or of named partitions, not of both")
    if request.span is not None:
        found = partitions.between(request.span.first, request.span.last)
    elif request.partitions:
        found = tuple(dict.fromkeys(partitions.check(each) for each in request.partitions))
    elif partitions.unit is PartitionUnit.KEY:
        found = partitions.keys
    else:
        raise Invalid(
            f"the partitions of {request.graph.pipeline} go on without end",
            code="bad_partition",
            hint="Say from when to when.",
        )
    return found[::-1] if request.newest_first else found


def planned(
    partitions: Sequence[str], past: Iterable[PastRun], reprocess: Reprocess
) -> tuple[BackfillPart, ...]:
    """What would become of each; `past` are runs, oldest first.

    >>> past = [("a", RunId("r1"), PipelineRunState.SUCCEEDED), ("b", RunId("r2"), PipelineRunState.FAILED)]
    >>> [part.state.value for part in planned(["a", "b", "c"], past, Reprocess.MISSING)]
    ['skipped', 'waiting', 'waiting']
    >>> [part.state.value for part in planned(["a", "b", "c"], past, Reprocess.FAILED)]
    ['skipped', 'waiting', 'skipped']
    """
    newest: dict[str, tuple[RunId, PipelineRunState]] = {}
    good: dict[str, RunId] = {}
    for partition, run, state in past:
        newest[partition] = (run, state)
        if state is PipelineRunState.SUCCEEDED:
            good[partition] = run
    return tuple(_planned(each, newest.get(each), good.get(each), reprocess) for each in partitions)


def _planned(
    partition: str,
    newest: tuple[RunId, PipelineRunState] | None,
    good: RunId | None,
    reprocess: Reprocess,
) -> BackfillPart:
    # One that is under way is nobody else's to run again.
    if newest is not None and not newest[1].is_final and reprocess is not Reprocess.ALL:
        return BackfillPart(partition=partition, state=PartState.SKIPPED, run=newest[0])
    has_failed = newest is not None and newest[1] in (
        PipelineRunState.FAILED,
        PipelineRunState.CANCELLED,
    )
    wanted = {
        Reprocess.ALL: True,
        Reprocess.MISSING: good is None,
        Reprocess.FAILED: has_failed,
    }[reprocess]
    if wanted:
        return BackfillPart(partition=partition, state=PartState.WAITING)
    return BackfillPart(partition=partition, state=PartState.SKIPPED, run=good)
