"""Partitions: the pieces of time, or keys, for each of which a pipeline is run by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from mainspring.kernel.errors import Invalid

MAX_PARTITIONS = 100_000
_MONTHS = 12


class PartitionUnit(StrEnum):
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    """By its Monday."""
    MONTH = "month"
    KEY = "key"


_FORMATS = {
    PartitionUnit.HOUR: "%Y-%m-%dT%H",
    PartitionUnit.DAY: "%Y-%m-%d",
    PartitionUnit.WEEK: "%Y-%m-%d",
    PartitionUnit.MONTH: "%Y-%m",
}
_LIKE = {
    PartitionUnit.HOUR: "2026-01-31T09",
    PartitionUnit.DAY: "2026-01-31",
    PartitionUnit.WEEK: "2026-01-26, a Monday",
    PartitionUnit.MONTH: "2026-01",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partitions:
    """Which parameter of a pipeline names the partition, and which there are: a unit of time, or keys."""

    parameter: str
    unit: PartitionUnit
    keys: tuple[str, ...] = ()

    def check(self, value: object) -> str:
        """The partition that a parameter names; raises `Invalid` for a value that names none.

        >>> Partitions(parameter="day", unit=PartitionUnit.DAY).check("2026-01-31")
        '2026-01-31'
        """
        if self.unit is PartitionUnit.KEY:
            if value not in self.keys:
                raise self._wrong(value, f"The partitions are: {', '.join(self.keys[:20])}.")
            return str(value)
        self._start(value)
        return str(value)

    def between(self, first: str, last: str) -> tuple[str, ...]:
        """The partitions of a span of time, both ends with it; raises `Invalid` for none or too many.

        >>> Partitions(parameter="month", unit=PartitionUnit.MONTH).between("2025-12", "2026-02")
        ('2025-12', '2026-01', '2026-02')
        """
        if self.unit is PartitionUnit.KEY:
            raise Invalid(
                f"the pipeline is run by {self.parameter}, which is no time",
                code="bad_partition",
                hint="Name keys instead of a span.",
            )
        found = []
        for start in self._starts(self._start(first), self._start(last)):
            found.append(start.strftime(_FORMATS[self.unit]))
            if len(found) > MAX_PARTITIONS:
                raise Invalid(
                    f"from {first} to {last} there are more than {MAX_PARTITIONS} partitions",
                    code="bad_partition",
                )
        if not found:
            raise Invalid(f"{last} comes before {first}", code="bad_partition")
        return tuple(found)

    def _starts(self, first: datetime, last: datetime) -> Iterator[datetime]:
        steps = {
            PartitionUnit.HOUR: timedelta(hours=1),
            PartitionUnit.DAY: timedelta(days=1),
            PartitionUnit.WEEK: timedelta(weeks=1),
        }
        start = first
        while start <= last:
            yield start
            try:
                if self.unit is PartitionUnit.MONTH:
                    months = start.year * _MONTHS + start.month
                    start = start.replace(year=months // _MONTHS, month=months % _MONTHS + 1)
                else:
                    start += steps[self.unit]
            except (ValueError, OverflowError):
                # The calendar ends with the year 9999.
                return

    def _start(self, value: object) -> datetime:
        form = _FORMATS[self.unit]
        try:
            start = datetime.strptime(str(value), form)
        except ValueError as error:
            raise self._wrong(value, f"Write it like {_LIKE[self.unit]}.") from error
        # strptime also takes 2026-1-5, which would be another name for the same day.
        is_monday = (
            self.unit is not PartitionUnit.WEEK
            or date(start.year, start.month, start.day).isoweekday() == 1
        )
        if start.strftime(form) != value or not is_monday:
            raise self._wrong(value, f"Write it like {_LIKE[self.unit]}.")
        return start

    def _wrong(self, value: object, hint: str) -> Invalid:
        return Invalid(
            f"{self.parameter} is {value!r}, which names no {self.unit.value}"
            if self.unit is not PartitionUnit.KEY
            else f"{self.parameter} is {value!r}, which is no partition",
            code="bad_partition",
            hint=hint,
        )
