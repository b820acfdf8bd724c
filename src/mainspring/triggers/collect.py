"""Looking at what happened: events and scheduled times become causes, each counted once.

What was looked at and what was found in it are recorded together, so that whoever is killed in between has
looked at nothing. Keys keep anything from counting twice, whatever clocks do.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from mainspring.domain.trigger import CatchUp, Cause, CauseKind, CauseState, Trigger
from mainspring.kernel.schedules import Schedule
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.events import cause_of, types_of, values_at
from mainspring.triggers.plan import stale_since
from mainspring.triggers.requests import CollectCauses
from mainspring.triggers.state import seen_of, trigger_of

EVENTS_AT_ONCE = 5_000
TIMES_AT_ONCE = 1_000
MISSED_AFTER = timedelta(minutes=5)
"""A time that is looked at later than this was missed."""


def collect_causes(tx: Tx, request: CollectCauses) -> int:
    """Look on from where a trigger has looked; a paused one looks at nothing."""
    trigger = trigger_of(tx, request.name, locked=True)
    return 0 if trigger.paused else look_on(tx, trigger)


def look_on(tx: Tx, trigger: Trigger) -> int:
    """Look at the next events and times of a trigger whose row is locked; gives how many causes are new."""
    cursor, found = _events(tx, trigger)
    looked_at, times = _times(trigger, tx.now)
    count = queries.add_causes(tx, [*found, *times])
    count += queries.add_causes(tx, list(_stale(tx, trigger)))
    queries.change(tx, trigger.spec.name, cursor=cursor, looked_at=looked_at)
    return count


def has_news(tx: Tx, trigger: Trigger) -> bool:
    """Whether there is anything that a trigger has not looked at."""
    if trigger.paused:
        return False
    types = types_of(trigger.spec.on)
    if types and queries.has_events_after(tx, types, trigger.cursor):
        return True
    if trigger.spec.schedules and tx.now < trigger.looked_at:
        # The clock was put back: times from now on are to count again.
        return True
    if any(s.next_after(trigger.looked_at) <= tx.now for s in trigger.spec.schedules):
        return True
    return stale_since(seen_of(tx, trigger), tx.now) is not None


def _events(tx: Tx, trigger: Trigger) -> tuple[int, list[Cause]]:
    types = types_of(trigger.spec.on)
    # Read first: what commits between the two statements must not be passed over.
    newest = queries.last_event(tx)
    rows = queries.events_after(tx, types, trigger.cursor, EVENTS_AT_ONCE) if types else []
    made = (cause_of(trigger.spec.name, trigger.spec.on, row, tx.now) for row in rows)
    found = [cause for cause in made if cause is not None]
    if len(rows) == EVENTS_AT_ONCE:
        return rows[-1].seq, found
    return max(newest, rows[-1].seq if rows else 0), found


def _times(trigger: Trigger, now: datetime) -> tuple[datetime, list[Cause]]:
    """The times that came round since a trigger looked, by its policy, and up to when it has looked then."""
    found: list[Cause] = []
    looked_at = now
    for schedule in trigger.spec.schedules:
        if trigger.spec.catch_up is CatchUp.ALL:
            times = list(islice(schedule.times_between(trigger.looked_at, now), TIMES_AT_ONCE))
            if len(times) == TIMES_AT_ONCE:
                looked_at = min(looked_at, times[-1])
            found += [_time(trigger, schedule, at, now) for at in times]
        else:
            found += _not_all(trigger, schedule, now)
    return looked_at, found


def _not_all(trigger: Trigger, schedule: Schedule, now: datetime) -> Iterator[Cause]:
    """The times that were not missed, the last of the missed if it is wanted, and one record of the rest."""
    begin = max(trigger.looked_at, now - MISSED_AFTER)
    timely = list(schedule.times_between(begin, now))
    last = schedule.last_between(trigger.looked_at, begin) if begin > trigger.looked_at else None
    if last is not None:
        wanted = trigger.spec.catch_up is CatchUp.ONE and not timely
        until = last - timedelta(seconds=1) if wanted else last
        yield from _missed(trigger, schedule, until, now)
        if wanted:
            yield _time(trigger, schedule, last, now)
    for at in timely:
        yield _time(trigger, schedule, at, now)


def _missed(
    trigger: Trigger, schedule: Schedule, until: datetime, now: datetime
) -> Iterator[Cause]:
    times = list(islice(schedule.times_between(trigger.looked_at, until), TIMES_AT_ONCE + 1))
    if not times:
        return
    last = schedule.last_between(trigger.looked_at, until) or times[-1]
    count = f"more than {TIMES_AT_ONCE}" if len(times) > TIMES_AT_ONCE else str(len(times))
    span = f"{times[0]:%Y-%m-%d %H:%M}Z" + (
        f" to {last:%Y-%m-%d %H:%M}Z" if last > times[0] else ""
    )
    yield Cause(
        id=0,
        trigger=trigger.spec.name,
        kind=CauseKind.SCHEDULE,
        key=f"missed:{schedule}:{times[0]:%Y%m%dT%H%M%S}:{last:%Y%m%dT%H%M%S}",
        at=last,
        seen_at=now,
        what=f"schedule {schedule} came round {count} time{'' if count == '1' else 's'}, {span}",
        values=values_at(last),
        state=CauseState.SKIPPED,
        decided_at=now,
        reason=f"missed while nothing was looking, and catch_up is {trigger.spec.catch_up.value}",
    )


def _time(trigger: Trigger, schedule: Schedule, at: datetime, now: datetime) -> Cause:
    return Cause(
        id=0,
        trigger=trigger.spec.name,
        kind=CauseKind.SCHEDULE,
        key=f"time:{schedule}:{at.astimezone(UTC):%Y%m%dT%H%M%S}",
        at=at,
        seen_at=now,
        what=f"schedule {schedule} came round at {at:%Y-%m-%d %H:%M}Z",
        # The day that the schedule's own clocks showed.
        values={"time": at.isoformat(), "day": schedule.day_of(at)},
    )


def _stale(tx: Tx, trigger: Trigger) -> Iterator[Cause]:
    due = stale_since(seen_of(tx, trigger), tx.now)
    if due is not None:
        yield Cause(
            id=0,
            trigger=trigger.spec.name,
            kind=CauseKind.STALE,
            key=f"stale:{due:%Y%m%dT%H%M%S.%f}",
            at=due,
            seen_at=tx.now,
            what=f"nothing had run for so long as is allowed, up to {due:%Y-%m-%d %H:%M}Z",
            values=values_at(due),
        )
