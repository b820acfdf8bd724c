"""Whether a trigger is due to ask for a run, and for what reasons. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.trigger import TriggerMode, TriggerSpec

# Where things keep happening, quiet is not waited for longer than so many times its length.
DEBOUNCES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits: how many, from the first to the last, and when those were seen."""

    count: int
    first: int
    last: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that a trigger's decision is made from.

    `asked` are the instants within the budget's span, and before it at least the newest, at which runs were
    asked for, newest first.
    """

    spec: TriggerSpec
    applied_at: datetime
    paused: bool = False
    waiting: Waiting | None = None
    under_way: tuple[str, ...] = ()
    ended_at: datetime | None = None
    asked: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fire:
    """Ask for a run for what waits from `first` to `last`."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Ask for none; `why` if something waits, `until` when that may change by itself."""

    why: str | None = None
    until: datetime | None = None


def decide(seen: Seen, now: datetime) -> Fire | Hold:
    """What to do now; the same state always gives the same decision.

    An instant that lies in the future, because a clock was put back, holds nothing up.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> spec = TriggerSpec(name="t", pipeline="flow:p", on=(), cooldown_seconds=60)
    >>> one = Waiting(count=1, first=7, last=7, first_seen=noon, last_seen=noon)
    >>> decide(Seen(spec=spec, applied_at=noon, waiting=one), noon)
    Fire(first=7, last=7)
    >>> decide(Seen(spec=spec, applied_at=noon, waiting=one, ended_at=noon), noon).why
    'its cool-down lasts until 2026-01-01 12:01:00Z'
    """
    if seen.paused:
        return Hold(why="it is paused")
    if seen.waiting is None:
        return Hold()
    if len(seen.under_way) >= seen.spec.concurrency:
        return Hold(why=f"run {seen.under_way[0]} is under way")
    for what, until in (
        ("quiet is waited for", _debounced(seen, seen.waiting, now)),
        ("its cool-down lasts", _cooled(seen, now)),
        ("its budget of runs is used up", _within_budget(seen, now)),
    ):
        if until is not None and until > now:
            return Hold(why=f"{what} until {until:%Y-%m-%d %H:%M:%S}Z", until=until)
    waiting = seen.waiting
    is_each = seen.spec.mode is TriggerMode.EACH
    return Fire(first=waiting.first, last=waiting.first if is_each else waiting.last)


def stale_since(seen: Seen, now: datetime) -> datetime | None:
    """The instant at which too long a time without a run was over, if it is; None while a run is under way."""
    if seen.spec.max_staleness_seconds is None or seen.waiting or seen.under_way or seen.paused:
        return None
    since = max((at for at in seen.asked if at <= now), default=None) or seen.applied_at
    due = since + timedelta(seconds=seen.spec.max_staleness_seconds)
    return due if due <= now else None


def _debounced(seen: Seen, waiting: Waiting, now: datetime) -> datetime | None:
    quiet = timedelta(seconds=seen.spec.debounce_seconds)
    # In a mode that keeps things apart, only the first is up for decision.
    last = waiting.first_seen if seen.spec.mode is TriggerMode.EACH else waiting.last_seen
    if last > now:
        return None
    return min(last + quiet, waiting.first_seen + DEBOUNCES * quiet)


def _cooled(seen: Seen, now: datetime) -> datetime | None:
    if seen.ended_at is None or seen.ended_at > now:
        return None
    return seen.ended_at + timedelta(seconds=seen.spec.cooldown_seconds)


def _within_budget(seen: Seen, now: datetime) -> datetime | None:
    if seen.spec.budget_runs is None:
        return None
    span = timedelta(seconds=seen.spec.budget_seconds)
    spent = [at for at in seen.asked if now - span < at <= now]
    if len(spent) < seen.spec.budget_runs:
        return None
    return sorted(spent)[-seen.spec.budget_runs] + span
