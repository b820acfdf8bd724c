"""Triggers: what makes a pipeline run by itself, and what happened that did."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mainspring.domain.pipeline import Graph
from mainspring.domain.run import RunId
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid
from mainspring.kernel.schedules import Schedule

_VALUE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_.-]*)\}")


class CauseKind(StrEnum):
    """What kind of thing happened; all but the last two can be declared."""

    SCHEDULE = "schedule"
    DATA = "data"
    INCIDENT = "incident"
    FINDING = "finding"
    MODEL = "model"
    CHAMPION = "champion"
    WEBHOOK = "webhook"
    FILE = "file"
    GIT = "git"
    STALE = "stale"
    """Nothing happened for longer than the trigger allows."""
    HAND = "hand"
    """Somebody asked for it."""


class TriggerMode(StrEnum):
    """How many runs things give that happened."""

    EACH = "each"
    """A run of its own for each, in their order."""
    ALL_PENDING = "all_pending"
    """One run for all that wait, with the newest one's values."""
    LATEST = "latest"
    """One run for the newest; what waited before it is recorded as superseded by it."""


class CatchUp(StrEnum):
    """What becomes of scheduled times that passed while nothing was looking."""

    NONE = "none"
    ONE = "one"
    ALL = "all"


class CauseState(StrEnum):
    WAITING = "waiting"
    RAN = "ran"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One thing that a trigger waits for.

    `subject` is the dataset, service, model, pattern of files or repository; `detail` the kind of incident or
    the branch.
    """

    kind: CauseKind
    subject: str = ""
    detail: str = ""
    schedule: Schedule | None = None

    def __str__(self) -> str:
        text = str(self.schedule) if self.schedule else f"{self.subject} {self.detail}".strip()
        return f"{self.kind.value}: {text}" if text else self.kind.value


def event_source(text: str) -> Source:
    """Read what happens in the store itself, such as `data: rides`; raises `Invalid` for anything else.

    >>> str(event_source("incident: demand serving"))
    'incident: demand serving'
    """
    word, _, rest = (part.strip() for part in text.partition(":"))
    subject, _, detail = (part.strip() for part in rest.partition(" "))
    if word not in _IN_STORE or not subject or (detail and word != CauseKind.INCIDENT):
        raise Invalid(
            f"{text!r} is nothing that happens in the store",
            code="bad_event",
            hint=f"It is one of: {', '.join(f'{each.value}: NAME' for each in _IN_STORE)}.",
        )
    return Source(kind=CauseKind(word), subject=subject, detail=detail)


_IN_STORE = (
    CauseKind.DATA,
    CauseKind.INCIDENT,
    CauseKind.FINDING,
    CauseKind.MODEL,
    CauseKind.CHAMPION,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerSpec:
    """When a pipeline runs by itself, and with what.

    `data` maps dataset parameters to datasets: one that is left out reads the dataset of its own name. Text in
    `params` may name a value of what happened, as in `${day}`. No run is asked for while `concurrency` of them
    are under way, within `cooldown_seconds` of the last one's end, or when `budget_runs` were asked for
    within `budget_seconds`; what happens meanwhile waits. `debounce_seconds` is how long it must have been quiet;
    without end it is not waited for. When nothing was run for `max_staleness_seconds`, that is a reason by itself.
    """

    name: str
    pipeline: str
    on: tuple[Source, ...]
    data: dict[str, str] = field(default_factory=dict)
    params: dict[str, object] = field(default_factory=dict)
    mode: TriggerMode = TriggerMode.ALL_PENDING
    catch_up: CatchUp = CatchUp.ONE
    debounce_seconds: float = 0.0
    cooldown_seconds: float = 0.0
    max_staleness_seconds: float | None = None
    budget_runs: int | None = None
    budget_seconds: float = 86400.0
    concurrency: int = 1
    priority: int = 0

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """The schedules among what it waits for."""
        return tuple(source.schedule for source in self.on if source.schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A trigger as it was last applied, and how far it has looked.

    `cursor` is the last event that it has looked at, `looked_at` the instant up to which it has looked at its
    schedules. `since` tells since when each of its sources is declared, `tips` the commit that each branch was
    last seen at. `error` is why no run could be asked for, the last time that one was due.
    """

    spec: TriggerSpec
    graph: Graph
    digest: Digest
    project: Digest
    environment: Digest
    applied_at: datetime
    applied_by: str
    cursor: int
    looked_at: datetime
    paused: bool = False
    since: dict[str, datetime] = field(default_factory=dict)
    tips: dict[str, str] = field(default_factory=dict)
    error: str | None = None
    has_secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Something that happened and gives a reason to run, counted once by its `key`.

    `values` may stand in the parameters of the run; `event` is the number of the event that tells of it. `run` is
    the run that was asked for because of it, or of a newer one if it is superseded; `reason` says why there is none.
    """

    id: int
    trigger: str
    kind: CauseKind
    key: str
    at: datetime
    seen_at: datetime
    what: str
    state: CauseState = CauseState.WAITING
    values: dict[str, str] = field(default_factory=dict)
    event: int | None = None
    run: RunId | None = None
    decided_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerStatus:
    """How a trigger is now.

    `waiting` counts what happened and gave no run yet; `is_due` says that one should be asked for, `why_not` what
    is waited for, `until` up to when if that is known. `has_news` says that there is something it has not
    looked at yet.
    """

    trigger: Trigger
    waiting: int
    is_due: bool
    has_news: bool
    why_not: str | None = None
    until: datetime | None = None
    last_run: RunId | None = None
    next_time: datetime | None = None


def names_in(value: object) -> set[str]:
    """The names that stand as `${name}` anywhere in a parameter.

    >>> sorted(names_in({"a": ["${day}", 1], "b": "${path} of ${day}"}))
    ['day', 'path']
    """
    match value:
        case str():
            return set(_VALUE.findall(value))
        case list():
            return {name for each in value for name in names_in(each)}
        case dict():
            return {name for each in value.values() for name in names_in(each)}
    return set()


def filled(value: object, values: Mapping[str, str]) -> object:
    """A parameter with the values of what happened in place of their names; raises `Invalid` if one isn't there.

    >>> filled(["${day}", 3], {"day": "2026-01-02"})
    ['2026-01-02', 3]
    """
    match value:
        case str():
            return _VALUE.sub(lambda found: _value(found[1], values), value)
        case list():
            return [filled(each, values) for each in value]
        case dict():
            return {key: filled(each, values) for key, each in value.items()}
    return value


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise Invalid(
            f"a parameter asks for ${{{name}}}, which what happened doesn't tell",
            code="no_such_value",
            hint=f"It tells: {', '.join(sorted(values)) or 'nothing'}.",
        )
    return values[name]
