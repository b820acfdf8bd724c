"""Which steps of a run can begin now. Pure."""

import hashlib
import sys
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
    may be tried again. `widths` holds how many items the mapped steps have whose lists are known, `left_from` up
    to which item they are done.
    """

    done: dict[str, tuple[StoredValue, ...]] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    active: dict[str, Node] = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    interruptions: dict[str, int] = field(default_factory=dict)
    not_before: dict[str, float] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    left_from: dict[str, int] = field(default_factory=dict)


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


def ready(
    graph: Graph,
    progress: Progress,
    *,
    now: float,
    cpus: int,
    memory_bytes: int = sys.maxsize,
    gpus: int = sys.maxsize,
) -> list[Part]:
    """What to begin now, in the order of the graph.

    Steps run side by side while what they use fits; one that asks for more cpus or memory than there is runs
    alone. One that asks for more GPUs than there are is among them, to be found in the cache or refused.
    """
    active = progress.active.values()
    free = _Free(
        cpus=cpus - sum(node.cpus for node in active),
        memory_bytes=memory_bytes - sum(node.memory_bytes for node in active),
        gpus=gpus - sum(node.gpus for node in active),
        all_gpus=gpus,
        is_idle=not active,
    )
    chosen: list[Part] = []
    for node in graph.nodes:
        if not (node.takes_process and can_begin(node, progress)):
            continue
        for part in parts_left(node, progress):
            if free.cpus <= 0 and not free.is_idle:
                return chosen
            # All items of a step use the same.
            if not free.has_room(node):
                break
            if _is_waiting(part, progress, now):
                chosen.append(part)
                free.take(node)
    return chosen


@dataclass(slots=True)
class _Free:
    """What of a machine no step uses."""

    cpus: int
    memory_bytes: int
    gpus: int
    all_gpus: int
    is_idle: bool

    def has_room(self, node: Node) -> bool:
        fits = node.cpus <= self.cpus and node.memory_bytes <= self.memory_bytes
        # What can never have its GPUs is not left waiting: its result may be known, or else it is told.
        return (fits or self.is_idle) and (node.gpus <= self.gpus or node.gpus > self.all_gpus)

    def take(self, node: Node) -> None:
        self.cpus -= node.cpus
        self.memory_bytes -= node.memory_bytes
        self.gpus -= node.gpus
        self.is_idle = False


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


def parts_left(node: Node, progress: Progress) -> Iterator[Part]:
    """The same without those at the beginning that are done: gone through again and again, wide steps would cost
    their width squared."""
    if not node.mapped:
        yield Part(node)
        return
    for index in range(first_left(node, progress), progress.widths.get(node.id, 0)):
        yield Part(node, index)


def first_left(node: Node, progress: Progress) -> int:
    """The number of a mapped step's first item that has no result; its width if all have."""
    index, width = progress.left_from.get(node.id, 0), progress.widths.get(node.id, 0)
    while index < width and node.item(index) in progress.done:
        index += 1
    progress.left_from[node.id] = index
    return index


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
