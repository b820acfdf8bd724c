"""What all schedulers are told: the tasks of a pipeline, what each waits for, and how it is tried again."""

import keyword
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from mainspring.domain.pipeline import LONGEST_DELAY_SECONDS, Condition, Graph, Node
from mainspring.kernel.errors import Invalid
from mainspring.kernel.schedules import Schedule

# A step is stopped for its timeout by Mainspring; the scheduler's own limit is for a process that hangs.
GRACE_SECONDS = 120
# What nodes that run no function of the user's are called: choices and waits.
OURS = "mainspring:"
_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One step as a task: `name` as in the pipeline, `variable` as Python may call it, `slug` as DNS may.

    `upstream` holds the names of the tasks that must have ended before. `when` says in words when it is
    skipped. A mapped task is run once for each of its items.
    """

    name: str
    variable: str
    slug: str
    upstream: tuple[str, ...]
    mapped: bool
    when: str
    retries: int
    delay_seconds: float
    backoff: float
    retry_on: tuple[str, ...]
    timeout_seconds: float | None
    cpus: int
    memory_bytes: int
    gpus: int

    @property
    def memory(self) -> str:
        """The memory it uses as Kubernetes writes it; nothing if it doesn't say."""
        return f"{-(-self.memory_bytes // _MEBIBYTE)}Mi" if self.memory_bytes else ""

    @property
    def limit_seconds(self) -> int | None:
        """After how long the scheduler may take its process for hung."""
        if self.timeout_seconds is None:
            return None
        return int(self.timeout_seconds) + GRACE_SECONDS

    @property
    def longest_delay_seconds(self) -> float:
        """How long the pause before a try may become."""
        return max(self.delay_seconds, LONGEST_DELAY_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A pipeline that is handed on. `code` is the snapshot that every run of it executes.

    `data` binds dataset parameters to `dataset` or `dataset@number`, `params` other ones to values; those in
    `required` have none, so whoever starts a run gives them.
    """

    target: str
    pipeline: str
    name: str
    code: str
    tasks: tuple[Task, ...]
    data: dict[str, str]
    params: dict[str, object]
    required: tuple[str, ...]
    schedule: Schedule | None
    image: str
    command: str

    @property
    def variable(self) -> str:
        return _variable(self.name, set())

    @property
    def slug(self) -> str:
        return _slug(self.name, set())

    @property
    def last(self) -> tuple[Task, ...]:
        """The tasks that no other waits for: the end of the run waits for them."""
        waited = {name for task in self.tasks for name in task.upstream}
        return tuple(task for task in self.tasks if task.name not in waited)

    @property
    def asks_for_more(self) -> bool:
        """Whether a task says how much memory or how many GPUs it uses."""
        return any(task.memory_bytes or task.gpus for task in self.tasks)

    def task(self, name: str) -> Task:
        return next(task for task in self.tasks if task.name == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The source for a scheduler, and what of the pipeline it can't carry."""

    source: str
    left_out: tuple[str, ...] = ()


def plan_of(
    graph: Graph,
    *,
    target: str,
    code: str,
    name: str | None = None,
    data: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
    schedule: Schedule | None = None,
    image: str,
    command: str,
) -> Plan:
    """Put a plan together; raises `Invalid` for data and parameters that the pipeline doesn't take."""
    _check_no_wait(graph)
    datasets = {p.name: p.name for p in graph.parameters if p.is_dataset}
    plain = [p for p in graph.parameters if not p.is_dataset]
    _check_known(graph, "dataset", data or {}, datasets)
    _check_known(graph, "parameter", params or {}, [p.name for p in plain])
    values = {p.name: p.default for p in plain if p.has_default} | dict(params or {})
    required = tuple(p.name for p in plain if p.name not in values)
    if schedule is not None and required:
        raise Invalid(
            f"a schedule gives no value to the parameter {required[0]!r}",
            code="missing_param",
            hint=f"Give it a default in the pipeline, or --param {required[0]}=VALUE here.",
        )
    return Plan(
        target=target,
        pipeline=graph.pipeline,
        name=name or graph.pipeline.rpartition(":")[2].replace(".", "_"),
        code=code,
        tasks=_tasks(graph),
        data=datasets | dict(data or {}),
        params=values,
        required=required,
        schedule=schedule,
        image=image,
        command=command,
    )


def _check_no_wait(graph: Graph) -> None:
    """Only Mainspring knows when what a run waits for is there."""
    for node in graph.nodes:
        if node.choice is None and node.step.startswith(OURS):
            raise Invalid(
                f"{graph.pipeline} waits at {node.id}, and another scheduler can't be told when to go on",
                code="can_not_wait",
                hint="Let a worker run it, or make a pipeline of each part and start the second by a trigger.",
            )


def _tasks(graph: Graph) -> tuple[Task, ...]:
    nodes = {node.id: node for node in graph.nodes}
    variables: set[str] = set(_TAKEN)
    slugs: set[str] = set(_TAKEN)
    return tuple(
        Task(
            name=node.id,
            variable=_variable(node.id, variables),
            slug=_slug(node.id, slugs),
            upstream=tuple(n.id for n in graph.nodes if n.id in _upstream(node, nodes)),
            mapped=bool(node.mapped),
            when=_in_words(node.conditions),
            retries=node.retries,
            delay_seconds=node.retry_delay_seconds,
            backoff=node.retry_backoff,
            retry_on=node.retry_on,
            timeout_seconds=node.timeout_seconds,
            cpus=node.cpus,
            memory_bytes=node.memory_bytes,
            gpus=node.gpus,
        )
        for node in graph.nodes
        if not node.step.startswith(OURS)
    )


# What the sources call their own things.
_TAKEN = frozenset(
    {
        "begin",
        "finish",
        "run",
        "step",
        "items",
        "item",
        "name",
        "task",
        "dag",
        "dsl",
        "json",
        "main",
    }
    | {"mainspring", "subprocess", "datetime", "timedelta", "finished", "context", "words"}
)


def _upstream(node: Node, nodes: Mapping[str, Node]) -> set[str]:
    """The steps that a node waits for; through a choice, which takes no process, those that it waits for."""
    found: set[str] = set()
    for name in node.upstream:
        other = nodes[name]
        found |= {name} if not other.step.startswith(OURS) else _upstream(other, nodes)
    return found


def _in_words(conditions: tuple[Condition, ...]) -> str:
    return " and ".join(f"{c.what} is {str(c.wanted).lower()}" for c in conditions)


def _variable(name: str, taken: set[str]) -> str:
    plain = re.sub(r"\W", "_", name, flags=re.ASCII)
    if not plain.isidentifier():
        plain = f"step_{plain}"
    return _free(plain, "_", lambda text: text not in taken and not keyword.iskeyword(text), taken)


def _slug(name: str, taken: set[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "step"
    plain = plain if plain[0].isalpha() else f"step-{plain}"
    return _free(plain[:50], "-", lambda text: text not in taken, taken)


def _free(plain: str, mark: str, is_free: Callable[[str], bool], taken: set[str]) -> str:
    found, number = plain, 1
    while not is_free(found):
        number += 1
        found = f"{plain}{mark}{number}"
    taken.add(found)
    return found


def _check_known(
    graph: Graph, what: str, given: Mapping[str, object], known: Collection[str]
) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise Invalid(
            f"the pipeline {graph.pipeline} has no {what} {unknown[0]!r}",
            code="unknown_param",
            hint=f"It takes: {', '.join(known) or 'none'}.",
        )
