"""Times of day as cron writes them, in a time zone: `0 3 * * 1`, `30 2 * * * Europe/Berlin`, `@daily`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mainspring.kernel.errors import Invalid

_FIELDS = 5
_NAMED = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}
# A leap day, the rarest date there is, comes round within this.
_FIRST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Instants that come round: a cron expression of five fields, read on the clocks of a time zone.

    Where clocks are put forward, an instant that they jump over counts right after the jump; where they are
    put back, a fixed time of day counts once, an hourly one every hour.
    """

    cron: str
    zone: str = "UTC"

    def __str__(self) -> str:
        return self.cron if self.zone == "UTC" else f"{self.cron} {self.zone}"

    def next_after(self, instant: datetime) -> datetime:
        """The first time it comes round after an instant, in UTC."""
        from zoneinfo import ZoneInfo

        from cronsim import CronSim

        times = CronSim(self.cron, instant.astimezone(ZoneInfo(self.zone)))
        # Asked in the hour that comes twice, it begins with times of that hour's first round.
        return next(found for each in times if (found := each.astimezone(UTC)) > instant)

    def day_of(self, instant: datetime) -> str:
        """The day that the clocks of its time zone show then."""
        from zoneinfo import ZoneInfo

        return f"{instant.astimezone(ZoneInfo(self.zone)):%Y-%m-%d}"

    def times_between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The times it comes round after an instant, up to and with another."""
        instant = after
        while (instant := self.next_after(instant)) <= until:
            yield instant

    def last_between(self, after: datetime, until: datetime) -> datetime | None:
        """The last of those times, found without going through all; None if there is none."""
        span = timedelta(hours=1)
        while True:
            begin = max(after, until - span)
            last = max(self.times_between(begin, until), default=None)
            if last is not None or begin == after:
                return last
            span *= 8


def parse_schedule(text: str) -> Schedule:
    """Read `cron expression [time zone]`; raises `Invalid` for what is no schedule, or never comes round.

    >>> str(parse_schedule("@daily Europe/Berlin"))
    '0 0 * * * Europe/Berlin'
    >>> parse_schedule("0 3 * * 1").next_after(datetime(2026, 1, 1, tzinfo=UTC)).isoformat()
    '2026-01-05T03:00:00+00:00'
    """
    words = text.split()
    if words and words[0] in _NAMED:
        words[:1] = _NAMED[words[0]].split()
    if len(words) not in (_FIELDS, _FIELDS + 1):
        raise Invalid(
            f"{text!r} is no schedule",
            code="bad_schedule",
            hint="Write minute, hour, day of month, month and day of week, then a time zone if it isn't "
            "UTC: 0 3 * * 1 Europe/Berlin. Or @hourly, @daily, @weekly, @monthly, @yearly.",
        )
    schedule = Schedule(
        cron=" ".join(words[:_FIELDS]), zone=words[_FIELDS] if len(words) > _FIELDS else "UTC"
    )
    _check(schedule, text)
    return schedule


def _check(schedule: Schedule, text: str) -> None:
    from zoneinfo import ZoneInfoNotFoundError

    from cronsim import CronSimError

    try:
        schedule.next_after(_FIRST)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid(
            f"{text!r} names no time zone: {schedule.zone!r}",
            code="bad_schedule",
            hint="Zones are called like Europe/Berlin or UTC.",
        ) from error
    except StopIteration as error:
        raise Invalid(f"{text!r} never comes round", code="bad_schedule") from error
    except CronSimError as error:
        raise Invalid(
            f"{text!r} is no schedule: {str(error).lower()}",
            code="bad_schedule",
            hint="Fields are minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-7 (0 and 7 are Sunday).",
        ) from error
