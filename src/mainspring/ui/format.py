"""Numbers, sizes and times as people read them."""

import json
import math
from datetime import UTC, datetime

_SECOND_STEPS = ((60.0, "s"), (3600.0, "min"), (86400.0, "h"))


def number(value: float | int | None, digits: int = 4) -> str:
    """A number to some significant digits, with thousands apart; an en dash for none.

    >>> number(1234567), number(0.000123456), number(61.23456), number(None)
    ('1,234,567', '0.0001235', '61.23', '–')
    """
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if size and (size < 1e-4 or size >= 1e15):
        return f"{value:.{digits - 1}e}".replace("-", "−")
    decimals = max(0, digits - 1 - math.floor(math.log10(size))) if size else 0
    text = f"{value:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def cell(value: str | int | float | bool | None) -> str:
    """A value of a table's row as it is, but for the noise behind a float's last meaningful digit.

    >>> cell(47.480000000000004), cell(True), cell(None), cell(1234567)
    ('47.48', 'true', 'missing', '1234567')
    """
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def brief(request: str) -> str:
    """A request's JSON as a few words: its fields, without quotes and what is not given.

    >>> brief('{"name":"churn","why":null,"steps":[]}'), brief("not JSON")
    ('name churn', 'not JSON')
    """
    try:
        fields = json.loads(request)
    except ValueError:
        return request
    if not isinstance(fields, dict):
        return request
    kept = {k: v for k, v in fields.items() if v not in (None, "", [], {})}
    plain = {k: v for k, v in kept.items() if isinstance(v, str | int | float)}
    return ", ".join(f"{k} {v}" for k, v in (plain or kept).items())[:300]


def compact(value: float | int) -> str:
    """A number short enough for an axis.

    >>> compact(12500), compact(0.25), compact(3_000_000), compact(-4)
    ('12.5k', '0.25', '3M', '−4')
    """
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            divisor = 1e3 if unit == "k" else limit
            return number(float(value) / divisor, 3) + unit
    return number(float(value), 3)


def share(value: float | None) -> str:
    """A share between 0 and 1 as a percentage.

    >>> share(0.05), share(1.0), share(0.1234), share(0.0004)
    ('5%', '100%', '12.3%', '0.04%')
    """
    return "–" if value is None else number(value * 100, 3) + "%"


def signed(value: float | None) -> str:
    """A change, with its sign.

    >>> signed(12.5), signed(-3.0), signed(0.0)
    ('+12.5', '−3', '0')
    """
    if value is None:
        return "–"
    return ("+" if value > 0 else "") + number(value, 3)


def size(size_bytes: int) -> str:
    """A size in bytes, in decimal units.

    >>> size(512), size(1_234_567)
    ('512 B', '1.2 MB')
    """
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units.

    >>> duration(0.0123), duration(4.2), duration(75), duration(7260), duration(200_000)
    ('12 ms', '4.2 s', '1 min 15 s', '2 h 1 min', '2 d 7 h')
    """
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10:
        return number(round(seconds, 1)) + " s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    for step, smaller, large, small in (
        (3600, 60, "min", "s"),
        (86400, 3600, "h", "min"),
        (10**12, 86400, "d", "h"),
    ):
        if whole < step:
            unit = {"min": 1, "h": 60, "d": 3600}[large]
            rest = whole % smaller // unit
            return f"{whole // smaller} {large}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from one instant to another, if both are known."""
    return (end - start).total_seconds() if start and end else None


def ago(at: datetime, now: datetime) -> str:
    """How long ago something was, roughly.

    >>> from datetime import timedelta
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> ago(now - timedelta(seconds=200), now), ago(now + timedelta(hours=5), now)
    ('3 min ago', 'in 5 h')
    """
    seconds = (now - at).total_seconds()
    size_ = abs(seconds)
    if size_ < 5:
        return "just now"
    for limit, unit in _SECOND_STEPS:
        if size_ < limit:
            text = f"{int(size_ // (limit / 60 if unit != 'h' else 3600))} {unit}"
            break
    else:
        text = f"{int(size_ // 86400)} d"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def moment(at: datetime) -> str:
    """An instant in UTC to the second.

    >>> moment(datetime(2026, 1, 31, 5, 6, 7, tzinfo=UTC))
    '2026-01-31 05:06:07 UTC'
    """
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def short_moment(at: datetime) -> str:
    """An instant in UTC to the minute, without the year.

    >>> short_moment(datetime(2026, 1, 31, 5, 6, 7, tzinfo=UTC))
    '31 Jan 05:06'
    """
    return at.astimezone(UTC).strftime("%-d %b %H:%M")


def short_id(id_: str) -> str:
    """An id or digest cut to what tells it from its neighbours.

    >>> short_id("run_01kdvnhh00abcdefghjkmnpqrs"), short_id("sha256:" + "ab" * 32)
    ('run_…mnpqrs', 'abababababab')
    """
    if id_.startswith("sha256:"):
        return id_[7:19]
    prefix, underscore, rest = id_.rpartition("_")
    return f"{prefix}_…{rest[-6:]}" if underscore and len(rest) > 12 else id_
