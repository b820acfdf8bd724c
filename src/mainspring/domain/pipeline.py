"""Pipelines: the static graph that a traced function gives, and the runs of it."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mainspring.domain.dataset import DatasetVersionId
from mainspring.domain.partition import Partitions
from mainspring.domain.run import RunId
from mainspring.kernel.digests import Digest

CHOICE = "mainspring:when"
WAIT = "mainspring:wait"
LONGEST_DELAY_SECONDS = 3600.0
_ITEM = re.compile(r"\[\d+\]")

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOutput:
    """An argument that is another step's result, or one element of its tuple."""

    node: str
    index: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetArgument:
    """An argument that is a dataset, bound when the run is requested."""

    parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterArgument:
    """An argument that is a parameter of the pipeline, bound when the run is requested."""

    parameter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """An argument written in the pipeline itself: anything JSON can hold."""

    value: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A node with it is only run if a step's result, or else a parameter, is `wanted`; it is skipped otherwise."""

    wanted: bool
    output: NodeOutput | None = None
    parameter: str | None = None

    @property
    def what(self) -> str:
        """What decides, in words."""
        if self.output is not None:
            return f"the result of {self.output.node}"
        return f"the parameter {self.parameter}"


class WaitKind(StrEnum):
    """What a pipeline waits for."""

    APPROVAL = "approval"
    TIME = "time"
    EVENT = "event"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor:
    """What a node waits for. `what` is the question to people, or what happens, as a trigger is on it.

    A time is `delay_seconds` after all before the node has ended, or an instant: `until`, or what the
    `parameter` is in the run. Anything else is waited for up to `timeout_seconds`.
    """

    kind: WaitKind
    what: str = ""
    delay_seconds: float | None = None
    until: str | None = None
    parameter: str | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One call of a step. `step` is `module:qualified_name`.

    Each parameter of the step is in one of the maps, which say where its value comes from; `node_lists` holds
    those that take a list of results. A parameter in none of them keeps its default. `output_count` is None
    for a step that returns one value. A node with `mapped` parameters is run once for each item of their
    lists, and its result is the list of results. A node with a `choice` runs nothing: its result is the first
    of its `node_lists["of"]` if the choice's condition holds, else the second. One with a `wait` runs nothing
    either: its result is True once what it waits for is there, False if it was refused or took too long.

    A step that failed is tried again `retries` times, the n-th time after `retry_delay_seconds` times
    `retry_backoff` to the power n - 1; if `retry_on` names types of exceptions (`module.qualified_name`),
    after these only. `files` (patterns of the project's files), the variables `env` and `salt` are in the
    cache key besides what the step's code reaches. `cpus`, `memory_bytes` and `gpus` say what it uses of a
    machine, `uses` what it shares with steps of all runs.
    """

    id: str
    step: str
    node_outputs: dict[str, NodeOutput]
    datasets: dict[str, DatasetArgument]
    parameters: dict[str, ParameterArgument]
    constants: dict[str, Constant]
    output_count: int | None = None
    retries: int = 0
    retry_delay_seconds: float = 1.0
    timeout_seconds: float | None = None
    cpus: int = 1
    cache: bool = True
    node_lists: dict[str, tuple[NodeOutput, ...]] = field(default_factory=dict)
    mapped: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    choice: Condition | None = None
    retry_on: tuple[str, ...] = ()
    retry_backoff: float = 1.0
    files: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    salt: str = ""
    wait: WaitFor | None = None
    memory_bytes: int = 0
    gpus: int = 0
    uses: str = ""

    @property
    def takes_process(self) -> bool:
        """Whether it runs a user's function, and is no choice or wait."""
        return self.choice is None and self.wait is None

    def delay_after(self, failures: int) -> float:
        """Seconds to wait before the next try, after so many failures."""
        delay = self.retry_delay_seconds * self.retry_backoff ** (failures - 1)
        return min(delay, max(self.retry_delay_seconds, LONGEST_DELAY_SECONDS))

    def may_retry(self, failures: int, kinds: tuple[str, ...]) -> bool:
        """Whether to try again after so many failures, the last an exception of the types `kinds`."""
        return failures <= self.retries and (
            not self.retry_on or not set(self.retry_on).isdisjoint(kinds)
        )

    @property
    def inputs(self) -> set[str]:
        """The nodes whose results are arguments of this one."""
        listed = {output.node for outputs in self.node_lists.values() for output in outputs}
        return listed | {output.node for output in self.node_outputs.values()}

    @property
    def upstream(self) -> set[str]:
        """The nodes that must have ended before this one can begin."""
        conditions = [*self.conditions, *([self.choice] if self.choice else [])]
        return self.inputs | {c.output.node for c in conditions if c.output is not None}

    def item(self, index: int) -> str:
        """What one item of a mapped node is called in attempts and logs: `train[3]`."""
        return f"{self.id}[{index}]"

    def has_part(self, part: str) -> bool:
        """Whether attempts called `part` are this node's: its own name, or one of its items'."""
        return part == self.id or bool(self.mapped and _ITEM.fullmatch(part.removeprefix(self.id)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineParameter:
    """A parameter of a pipeline; a dataset parameter has no default."""

    name: str
    is_dataset: bool
    has_default: bool = False
    default: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A pipeline as data: what is stored, shown, diffed and run. `outputs` names what it returns.

    `partitions` says what it is run by, if it is run for each day, say, by itself.
    """

    pipeline: str
    parameters: tuple[PipelineParameter, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[NodeOutput, ...]
    version: int = 1
    partitions: Partitions | None = None


class PipelineRunState(StrEnum):
    REQUESTED = "requested"
    RUNNING = "running"
    WAITING = "waiting"
    """For an approval, a time or an event; no worker holds it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return self in (self.SUCCEEDED, self.FAILED, self.CANCELLED)


class StepState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class ValueKind(StrEnum):
    """How a step's result is kept."""

    TABLE = "table"
    MODEL = "model"
    METRICS = "metrics"
    FILES = "files"
    JSON = "json"
    ARRAY = "array"
    PICKLE = "pickle"
    LIST = "list"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredValue:
    """A step's result by content.

    `digest` names a blob; for a model the manifest of its folder; for a list a blob that holds its items as
    stored values.
    """

    kind: ValueKind
    digest: Digest
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepAttempt:
    """One try at one step of one run. `node` names a node of the graph, or one item of a mapped one."""

    run: RunId
    node: str
    attempt: int
    state: StepState
    started_at: datetime
    finished_at: datetime | None = None
    cache_key: Digest | None = None
    outputs: tuple[StoredValue, ...] = ()
    error: str | None = None
    cached_from: RunId | None = None
    warning: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether its outputs can be used."""
        return self.state in (StepState.SUCCEEDED, StepState.CACHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineRun:
    """A run of a pipeline: what was asked, on which data and code, and how far it is.

    `project` is the manifest of the code snapshot that it runs on; `environment` the blob that lists the
    Python version and installed distributions. `inputs` binds dataset parameters to versions. The nodes
    `kept` have their results from the run `parent`. Of the steps that are found in the cache the share
    `verify_cache` is run all the same, and the results are compared. `trigger` asked for it, because of
    `cause_count` things that happened. `partition` is the one that it is of, if its pipeline has any.
    Of runs that wait for a worker those of the highest `priority` are taken first.
    """

    id: RunId
    service: str | None
    pipeline: str
    graph: Graph
    params: dict[str, object]
    inputs: dict[str, DatasetVersionId]
    project: Digest
    environment: Digest
    state: PipelineRunState
    why: str
    requested_at: datetime
    requested_by: str
    started_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    cancel_requested: bool = False
    outputs: tuple[StoredValue, ...] = ()
    parent: RunId | None = None
    kept: tuple[str, ...] = ()
    verify_cache: float = 0.0
    trigger: str | None = None
    cause_count: int = 0
    partition: str | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many steps that use something by this name may be under way at once, whatever run they are of, and how
    many may begin within any such span. None is no limit."""

    name: str
    at_once: int | None = None
    starts: int | None = None
    per_seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What a run waits, or waited, for.

    It is over by itself at `until`: then a time has come, and anything else took too long. `approved` says how
    it was decided, by whom and with what note; `cursor` is the last event that was looked at for it.
    """

    run: RunId
    node: str
    kind: WaitKind
    what: str
    since: datetime
    until: datetime | None = None
    cursor: int = 0
    approved: bool | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    note: str = ""

    @property
    def is_decided(self) -> bool:
        return self.approved is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line that a step printed, or what it said of its progress.

    `stream` is `out`, `err` or `progress`; `seq` orders lines within an attempt. `id` is given by the store and grows
    with every line of a run: a reader goes on after the last one it saw.
    """

    node: str
    attempt: int
    seq: int
    at: datetime
    stream: str
    text: str
    id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """Results that a step had for one cache key. `components` are what the key was made of."""

    key: Digest
    step: str
    run: RunId
    outputs: tuple[StoredValue, ...]
    components: dict[str, str]
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """A part of a cache key that differs: None where the part was not there, or is no more."""

    part: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReason:
    """Why a step was run, or not.

    `changes` are against the most alike key that the same step had before, in the run `compared_with`; for a
    step that was found in the cache that is the run that made the result. `detail` says it for one that was
    skipped or can't be cached; `is_first` that the step had no result before.
    """

    node: str
    state: StepState
    changes: tuple[KeyChange, ...] = ()
    compared_with: RunId | None = None
    detail: str | None = None
    is_first: bool = False
