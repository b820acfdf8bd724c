"""Which steps of a run can begin now. Pure."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from mainspring.domain.pipeline import Graph, Node, StepAttempt, StepState, StoredValue


@dataclass(frozen=True, slots=True)
class Part:
    """What is begun by itself: a step, or one item of a mapped step."""

    node: Node
    index: int | None = None

    @property
    def id(self) -> str:
        """What its attempts are called."""
        return self.node.id if self.index is None else self.node.item(self.index)


@dataclass(slots=True)
class Progress:
    """How far a run is; steps and items of mapped ones go by the names of their attempts.

    `last` holds the number of each one's newest attempt, `not_before` the instant from which one that failed
    may be tried again. `widths` holds how many items the mapped steps have whose lists are known.
    """

    done: dict[str, tuple[StoredValue, ...]] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    active: dict[str, Node] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
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
        elif attempt.state is StepState.SKIPPED:
            progress.skipped.add(attempt.node)
        elif attempt.state is StepState.FAILED:
            _add(progress.failures, attempt.node)
        elif attempt.state is StepState.INTERRUPTED:
            _add(progress.interruptions, attempt.node)
    return progress


def ready(graph: Graph, progress: Progress, *, now: float, cpus: int) -> list[Part]:
    """What to begin now, in the order of the graph.

    Steps run side by side while their `cpus` fit; one that asks for more than there are runs alone.
    """
    free = cpus - sum(node.cpus for node in progress.active.values())
    idle = not progress.active
    chosen: list[Part] = []
    for node in graph.nodes:
        if not (node.takes_process and can_begin(node, progress)):
            continue
        for part in parts_of(node, progress):
            if free <= 0 and not (idle and not chosen):
                return chosen
            if not _is_waiting(part, progress, now):
                continue
            if node.cpus <= free or (idle and not chosen):
                chosen.append(part)
                free -= node.cpus
    return chosen


def can_begin(node: Node, progress: Progress) -> bool:
    """Whether a node has not ended, and all that it waits for has."""
    return not has_ended(node.id, progress) and all(
        has_ended(other, progress) for other in node.upstream
    )


def has_ended(node: str, progress: Progress) -> bool:
    """Whether a node has its result, or never will have one."""
    return node in progress.done or node in progress.skipped


def parts_of(node: Node, progress: Progress) -> Iterator[Part]:
    """A step by itself; of a mapped one its items, as soon as their number is known."""
    if not node.mapped:
        yield Part(node)
        return
    for index in range(progress.widths.get(node.id, 0)):
        yield Part(node, index)


def next_instant(progress: Progress, now: float) -> float | None:
    """The next instant after `now` at which a step that waits to be tried again may begin."""
    waiting = [at for part, at in progress.not_before.items() if at > now]
    return min(waiting, default=None)


def _is_waiting(part: Part, progress: Progress, now: float) -> bool:
    return (
        part.id not in progress.done
        and part.id not in progress.active
        and progress.not_before.get(part.id, now) <= now
    )


def _add(counts: dict[str, int], node: str) -> None:
    counts[node] = counts.get(node, 0) + 1


def picked(
    done: Mapping[str, tuple[StoredValue, ...]], node: str, index: int | None
) -> StoredValue:
    """The result of a node that another one asks for."""
    return done[node][index or 0]


def sampled(run: str, part: str, share: float) -> bool:
    """Whether a step is among the share that is run again although its result is known; always the same for one run."""
    drawn = int.from_bytes(hashlib.sha256(f"{run} {part}".encode()).digest()[:8])
    return drawn < share * 2**64
