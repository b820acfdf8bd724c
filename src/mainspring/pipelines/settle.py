"""What of a run needs no process: branches that are not taken, the width of mapped steps, their lists of results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.blobs.port import BlobStore
from mainspring.domain.pipeline import (
    Condition,
    Node,
    PipelineRun,
    StepState,
    StoredValue,
    ValueKind,
)
from mainspring.kernel.codec import decode
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.plan import Progress, can_begin, first_left, parts_of, picked
from mainspring.pipelines.task import Argument, Kept, Plain
from mainspring.pipelines.tracing import is_plain
from mainspring.pipelines.values import items_of, listed, put_json

MAX_ITEMS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a node ends without a process of its own; `why` says it for one that is skipped."""

    node: Node
    state: StepState
    outputs: tuple[StoredValue, ...] = ()
    why: str | None = None


class Settler:
    """Ends nodes of one run as far as that takes no process, and knows the items of mapped ones."""

    def __init__(self, run: PipelineRun, blobs: BlobStore) -> None:
        self._run = run
        self._blobs = blobs
        self._items: dict[str, dict[str, list[Argument]]] = {}

    def next(self, progress: Progress) -> Settled | None:
        """The next node that can end so; None when every other one needs a process, or waits.

        Notes in `progress.widths` how many items mapped steps have. Raises `Invalid` for a condition that is
        neither true nor false, and for what can't be mapped over.
        """
        for node in self._run.graph.nodes:
            if can_begin(node, progress) and (settled := self._settle(node, progress)):
                return settled
        return None

    def items(self, node: Node, index: int) -> dict[str, Argument]:
        """What the mapped parameters of a step are for one of its items."""
        return {name: values[index] for name, values in self._items[node.id].items()}

    def _settle(self, node: Node, progress: Progress) -> Settled | None:
        if why := self._skip(node, progress):
            return Settled(node=node, state=StepState.SKIPPED, why=why)
        if node.choice is not None:
            return self._choose(node, node.choice, progress)
        # What waits ends when what it waits for is there; only the store knows.
        if node.wait is not None or not node.mapped:
            return None
        if node.id not in progress.widths:
            self._items[node.id] = items = self._lists(node, progress)
            progress.widths[node.id] = len(next(iter(items.values())))
        if first_left(node, progress) < progress.widths[node.id]:
            return None
        results = [progress.done[part.id] for part in parts_of(node, progress)]
        outputs = tuple(
            listed([result[number] for result in results], self._blobs)
            for number in range(node.output_count or 1)
        )
        return Settled(node=node, state=StepState.SUCCEEDED, outputs=outputs)

    def _skip(self, node: Node, progress: Progress) -> str | None:
        for condition in node.conditions:
            if condition.output is not None and condition.output.node in progress.skipped:
                return f"{condition.output.node}, which decides on it, was skipped"
            told = self._told(node, condition, progress)
            if told is not condition.wanted:
                return f"{condition.what} is {str(told).lower()}"
        if node.choice is None:
            for name in sorted(node.inputs & progress.skipped):
                return f"{name}, whose result it takes, was skipped"
        return None

    def _choose(self, node: Node, condition: Condition, progress: Progress) -> Settled:
        if condition.output is not None and condition.output.node in progress.skipped:
            why = f"{condition.output.node}, which decides, was skipped"
            return Settled(node=node, state=StepState.SKIPPED, why=why)
        told = self._told(node, condition, progress)
        branches = node.node_lists["of"]
        taken = branches[:1] if told is condition.wanted else branches[1:]
        if not taken:
            why = f"{condition.what} is {str(told).lower()}, for which there is no branch"
            return Settled(node=node, state=StepState.SKIPPED, why=why)
        if taken[0].node in progress.skipped:
            why = f"{taken[0].node}, whose result it is, was skipped"
            return Settled(node=node, state=StepState.SKIPPED, why=why)
        value = picked(progress.done, taken[0].node, taken[0].index)
        return Settled(node=node, state=StepState.SUCCEEDED, outputs=(value,))

    def _told(self, node: Node, condition: Condition, progress: Progress) -> bool:
        if condition.output is not None:
            output = condition.output
            value = self._plain(picked(progress.done, output.node, output.index))
        else:
            value = self._run.params[str(condition.parameter)]
        if not isinstance(value, bool):
            raise Invalid(
                f"{condition.what} decides whether {node.id} is run, but is {value!r}",
                code="bad_condition",
                hint="Give `when` a step that returns True or False, or a parameter that is.",
            )
        return value

    def _plain(self, stored: StoredValue) -> Any:
        if stored.kind is not ValueKind.JSON:
            return f"a {stored.kind.value}"
        return decode(self._blobs.read(stored.digest), object, what="condition")

    def _lists(self, node: Node, progress: Progress) -> dict[str, list[Argument]]:
        lists = {name: self._list(node, name, progress.done) for name in node.mapped}
        widths = {name: len(items) for name, items in lists.items()}
        if len(set(widths.values())) > 1:
            told = ", ".join(f"{name} has {width}" for name, width in widths.items())
            raise Invalid(
                f"{node.id} is mapped over lists of different lengths: {told}",
                code="bad_map",
                hint="Lists that are mapped together are taken item by item, like zip().",
            )
        if max(widths.values()) > MAX_ITEMS:
            raise Invalid(
                f"{node.id} is mapped over {max(widths.values()):,} items; at most {MAX_ITEMS:,} are run",
                code="bad_map",
                hint="Let each item stand for more: a batch, a day, a file.",
            )
        return lists

    def _list(
        self, node: Node, name: str, done: Mapping[str, tuple[StoredValue, ...]]
    ) -> list[Argument]:
        if name in node.node_lists:
            return [Kept(picked(done, o.node, o.index)) for o in node.node_lists[name]]
        if name in node.node_outputs:
            output = node.node_outputs[name]
            given = items_of(picked(done, output.node, output.index), self._blobs)
        elif name in node.parameters:
            value = self._run.params[node.parameters[name].parameter]
            given = value if isinstance(value, list) else None
        else:
            value = node.constants[name].value
            given = value if isinstance(value, list) else None
        if given is None:
            raise Invalid(
                f"{node.id} is mapped over {name}, which is no list",
                code="bad_map",
                hint="Return a list from the step that gives it, or pass one.",
            )
        return [
            Kept(item if isinstance(item, StoredValue) else put_json(item, self._blobs))
            if isinstance(item, StoredValue) or not is_plain(item)
            else Plain(item)
            for item in given
        ]
