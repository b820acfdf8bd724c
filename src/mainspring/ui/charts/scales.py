"""Ticks at round numbers and round times."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_STEPS = tuple(
    timedelta(seconds=s)
    for s in (
        *(1, 5, 15, 30),
        *(60, 300, 900, 1800),
        *(3600, 3 * 3600, 6 * 3600, 12 * 3600),
        *(86400, 2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400, 91 * 86400, 365 * 86400),
    )
)


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers that enclose [low, high].

    >>> nice_ticks(0, 87)
    [0.0, 25.0, 50.0, 75.0, 100.0]
    >>> nice_ticks(3, 3)
    [3.0, 4.0]
    """
    if high <= low:
        return [float(low), float(low) + 1]
    rough = (high - low) / count
    scale = 10.0 ** math.floor(math.log10(rough))
    step = next(m * scale for m in (1, 2, 2.5, 5, 10) if m * scale >= rough * 0.999)
    first = math.floor(low / step)
    last = math.ceil(high / step - 1e-9)
    return [round(n * step, 12) for n in range(first, last + 1)]


def time_ticks(start: datetime, end: datetime, count: int = 7) -> list[tuple[datetime, str]]:
    """At most `count` round instants within [start, end], with their labels in UTC.

    >>> midnight = datetime(2026, 1, 1, tzinfo=UTC)
    >>> [label for _, label in time_ticks(midnight, midnight + timedelta(hours=12))]
    ['00:00', '03:00', '06:00', '09:00', '12:00']
    """
    span = end - start
    step = next((s for s in _STEPS if span / s <= count - 0.5), _STEPS[-1])
    epoch = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday: week steps fall on Mondays
    at = epoch + math.ceil((start - epoch) / step) * step
    ticks = []
    while at <= end:
        ticks.append((at, _label(at, step, span)))
        at += step
    return ticks


def _label(at: datetime, step: timedelta, span: timedelta) -> str:
    if step >= timedelta(days=1):
        return at.strftime("%-d %b") if span < timedelta(days=500) else at.strftime("%b %Y")
    if step < timedelta(minutes=1):
        return at.strftime("%H:%M:%S")
    if at.hour == at.minute == 0 and span > timedelta(hours=24):
        return at.strftime("%-d %b")
    return at.strftime("%H:%M")


def thin(points: Sequence[tuple[float, float]], buckets: int = 500) -> list[tuple[float, float]]:
    """The least and the greatest point of each stretch of x, so that no spike is hidden.

    >>> (4321.0, 100.0) in thin([(float(i), 100.0 if i == 4321 else 0.0) for i in range(10_000)])
    True
    """
    if len(points) <= buckets * 2:
        return list(points)
    low, high = points[0][0], points[-1][0]
    width = (high - low) / buckets or 1.0
    kept: list[tuple[float, float]] = []
    bucket: list[tuple[float, float]] = []
    index = 0
    for point in points:
        here = min(int((point[0] - low) / width), buckets - 1)
        if here != index and bucket:
            kept += _extremes(bucket)
            bucket = []
        index = here
        bucket.append(point)
    return kept + _extremes(bucket)


def _extremes(bucket: list[tuple[float, float]]) -> list[tuple[float, float]]:
    least = min(bucket, key=lambda p: p[1])
    greatest = max(bucket, key=lambda p: p[1])
    return sorted({least, greatest})
