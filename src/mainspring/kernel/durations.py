"""Durations as people write them: `90s`, `10m`, `1h30m`, `7d`, `2w`."""

import re
from datetime import timedelta

from mainspring.kernel.errors import Invalid

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_duration(text: str) -> timedelta:
    """Read a duration; raises `Invalid` for anything else.

    >>> parse_duration("1h30m").total_seconds()
    5400.0
    """
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Invalid(
            f"{text!r} is not a duration", hint="Write it like 30s, 10m, 1h30m, 7d or 2w."
        )
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def format_duration(duration: timedelta) -> str:
    """The shortest exact spelling, as `parse_duration` reads it.

    >>> format_duration(timedelta(minutes=90))
    '1h30m'
    """
    left = round(duration.total_seconds() * 1000)
    if left == 0:
        return "0s"
    parts = []
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count, left = divmod(left, round(_UNITS[unit] * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)
