"""Reading moments as people and programs write them."""

from datetime import UTC, date, datetime

from mainspring.kernel.errors import Invalid

Instant = datetime | date | str
"""A time with its zone, a date (its first moment, in UTC), or either as ISO text (UTC if it names no zone)."""


def parse_instant(given: Instant, *, what: str = "the time") -> datetime:
    """The moment in UTC; raises `Invalid` for a `datetime` without a zone and for what is no time.

    >>> parse_instant("2026-01-31").isoformat(), parse_instant("2026-01-31T12:00+02:00").isoformat()
    ('2026-01-31T00:00:00+00:00', '2026-01-31T10:00:00+00:00')
    """
    match given:
        case datetime():
            if given.tzinfo is None:
                raise Invalid(
                    f"{what} {given.isoformat()} has no time zone",
                    code="naive_time",
                    hint="Say which: datetime(..., tzinfo=UTC). Text without a zone is read as UTC.",
                )
            return given.astimezone(UTC)
        case date():
            return datetime(given.year, given.month, given.day, tzinfo=UTC)
        case str():
            try:
                read = datetime.fromisoformat(given.strip())
                return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
            except (ValueError, OverflowError):
                pass
    raise Invalid(
        f"{what} is {given!r}",
        code="bad_time",
        hint="Write it as 2026-01-31, 2026-01-31T12:00 (UTC) or 2026-01-31T12:00+02:00.",
    )
