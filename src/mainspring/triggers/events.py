"""Which events are a reason to run, and what they tell. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from mainspring.domain.trigger import Cause, CauseKind, Source

# What tells of each kind of thing, and the field of the event that the source's subject is compared with.
_EVENTS: dict[CauseKind, tuple[str, str]] = {
    CauseKind.DATA: ("DatasetVersionAdded", "dataset"),
    CauseKind.INCIDENT: ("IncidentOpened", "service"),
    CauseKind.FINDING: ("WindowJudged", "service"),
    CauseKind.MODEL: ("ModelVersionRegistered", "model"),
    CauseKind.CHAMPION: ("ChampionChanged", "model"),
}


class EventRow(Protocol):
    """What is looked at of a recorded event."""

    @property
    def seq(self) -> int: ...
    @property
    def at(self) -> datetime: ...
    @property
    def type(self) -> str: ...
    @property
    def service(self) -> str | None: ...
    @property
    def why(self) -> str: ...
    @property
    def payload(self) -> dict[str, Any]: ...


def types_of(sources: tuple[Source, ...]) -> tuple[str, ...]:
    """The types of events that may concern these sources."""
    return tuple(sorted({_EVENTS[source.kind][0] for source in sources if source.kind in _EVENTS}))


def cause_of(
    trigger: str, sources: tuple[Source, ...], event: EventRow, now: datetime
) -> Cause | None:
    """What an event means to a trigger; None if it does not concern it."""
    source = next((each for each in sources if _concerns(each, event)), None)
    if source is None:
        return None
    what, values = _told(source, event)
    return Cause(
        id=0,
        trigger=trigger,
        kind=source.kind,
        key=f"event:{event.seq}",
        at=event.at,
        seen_at=now,
        what=what,
        values=values | values_at(event.at),
        event=event.seq,
    )


def values_at(at: datetime) -> dict[str, str]:
    """What every cause tells: when it was."""
    return {"time": at.isoformat(), "day": f"{at:%Y-%m-%d}"}


def _concerns(source: Source, event: EventRow) -> bool:
    if source.kind not in _EVENTS:
        return False
    type_, field = _EVENTS[source.kind]
    about = event.service if field == "service" else event.payload.get(field)
    if event.type != type_ or about != source.subject:
        return False
    if source.kind is CauseKind.INCIDENT and source.detail:
        return bool(event.payload.get("kind") == source.detail)
    # A window that is as it should be was judged too.
    return source.kind is not CauseKind.FINDING or bool(event.payload.get("findings"))


def _told(source: Source, event: EventRow) -> tuple[str, dict[str, str]]:
    told: Mapping[str, Any] = event.payload
    subject = source.subject
    match source.kind:
        case CauseKind.DATA:
            number, version = str(told["number"]), str(told["version"])
            values = {"dataset": subject, "number": number, "version": version}
            return f"{subject} has version {number}", values
        case CauseKind.INCIDENT:
            values = {"service": subject, "incident": str(told["incident"])}
            return f"incident {told['kind']} of {subject}: {event.why}", values
        case CauseKind.FINDING:
            values = {"service": subject, "window": str(told["window"])}
            return f"{subject}, window from {told['start']}: {told['findings'][0]}", values
        case CauseKind.MODEL:
            values = {
                "model": subject,
                "number": str(told["number"]),
                "version": str(told["version"]),
            }
            return f"model {subject} has version {told['number']}", values
        case _:
            values = {"model": subject, "version": str(told["version"])}
            return f"{subject} has another champion: {told['version']}", values


VALUES: dict[CauseKind, frozenset[str]] = {
    CauseKind.SCHEDULE: frozenset(),
    CauseKind.DATA: frozenset({"dataset", "number", "version"}),
    CauseKind.INCIDENT: frozenset({"service", "incident"}),
    CauseKind.FINDING: frozenset({"service", "window"}),
    CauseKind.MODEL: frozenset({"model", "number", "version"}),
    CauseKind.CHAMPION: frozenset({"model", "version"}),
    CauseKind.WEBHOOK: frozenset({"delivery"}),
    CauseKind.FILE: frozenset({"path", "name"}),
    CauseKind.GIT: frozenset({"repository", "branch", "commit"}),
    CauseKind.STALE: frozenset(),
}
"""What each kind of cause tells besides `time` and `day`; a webhook also `body.<field>`."""
