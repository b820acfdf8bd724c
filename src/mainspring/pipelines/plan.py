"""Which steps of a run can begin now. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from mainspring.domain.pipeline import Graph, Node, StepAttempt, StepState, StoredValue


@dataclass(slots=True)
class Progress:
    """How far a run is.

    `last` holds the number of each step's newest attempt, `not_before` the instant from which a step that
    failed may be tried again.
    """

    done: dict[str, tuple[StoredValue, ...]] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    failures: dict[str, int] = field(default_factory=dict)
    interruptions: dict[str, int] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)


def progress_of(attempts: Collection[StepAttempt]) -> Progress:
    """What is recorded of a run, for a worker that goes on with it.

    An interrupted attempt is no failure: the step had no chance to end.
    """
    progress = Progress()
    for attempt in attempts:
        progress.last[attempt.node] = max(attempt.attempt, progress.last.get(attempt.node, 0))
        if attempt.is_done:
            progress.done[attempt.node] = attempt.outputs
        elif attempt.state is StepState.FAILED:
            _add(progress.failures, attempt.node)
        elif attempt.state is StepState.INTERRUPTED:
            _add(progress.interruptions, attempt.node)
    return progress


def ready(graph: Graph, progress: Progress, *, now: float, cpus: int) -> list[Node]:
    """The steps to begin now, in the order of the graph.

    Steps run side by side while their `cpus` fit; one that asks for more than there are runs alone.
    """
    free = cpus - sum(node.cpus for node in graph.nodes if node.id in progress.active)
    idle = not progress.active
    chosen: list[Node] = []
    for node in graph.nodes:
        if not _is_waiting(node, progress, now):
            continue
        if node.cpus <= free or (idle and not chosen):
            chosen.append(node)
            free -= node.cpus
    return chosen


def next_instant(progress: Progress) -> float | None:
    """The next instant at which a step that waits to be tried again may begin."""
    waiting = [at for node, at in progress.not_before.items() if node not in progress.active]
    return min(waiting, default=None)


def _is_waiting(node: Node, progress: Progress, now: float) -> bool:
    return (
        node.id not in progress.done
        and node.id not in progress.active
        and node.upstream <= progress.done.keys()
        and progress.not_before.get(node.id, now) <= now
    )


def _add(counts: dict[str, int], node: str) -> None:
    counts[node] = counts.get(node, 0) + 1


def picked(
    done: Mapping[str, tuple[StoredValue, ...]], node: str, index: int | None
) -> StoredValue:
    """The result of a node that another one asks for."""
    return done[node][index or 0]
