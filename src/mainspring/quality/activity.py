"""When the rows of a column of times were: counts in spans of time, which merge without error."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mainspring.quality.sketches import Hashes

ACTIVITY_SIZE = 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Activity:
    """How many values fell into each of at most `ACTIVITY_SIZE` spans of equal width.

    A span is 2^`width_bits` microseconds, the narrowest with which the spans suffice, and begins at a multiple
    of it; so merging in any order and grouping gives exactly the same. `first` is the number of the first span;
    `hours` counts values by the hour of the day (UTC).
    """

    width_bits: int
    first: int
    counts: Hashes
    hours: tuple[int, ...] = ()

    @staticmethod
    def empty() -> "Activity":
        return Activity(width_bits=0, first=0, counts=np.empty(0, np.uint64))

    @staticmethod
    def of(microseconds: npt.NDArray[Any]) -> "Activity":
        """Of instants as microseconds since 1970, in any order."""
        if not microseconds.size:
            return Activity.empty()
        low, high = int(microseconds.min()), int(microseconds.max())
        bits = _bits(low, high)
        counted = np.bincount((microseconds >> bits) - (low >> bits))
        hours = np.bincount(microseconds // 3_600_000_000 % 24, minlength=24)
        return Activity(
            width_bits=bits,
            first=low >> bits,
            counts=counted.astype(np.uint64),
            hours=tuple(hours.tolist()),
        )

    @property
    def width_seconds(self) -> float:
        return float((1 << self.width_bits) / 1e6)

    def merge(self, other: "Activity") -> "Activity":
        if not self.counts.size or not other.counts.size:
            return other if not self.counts.size else self
        bits = max(self.width_bits, other.width_bits)
        while True:
            firsts = [a.first >> (bits - a.width_bits) for a in (self, other)]
            lasts = [(a.first + a.counts.size - 1) >> (bits - a.width_bits) for a in (self, other)]
            if max(lasts) - min(firsts) < ACTIVITY_SIZE:
                break
            bits += 1
        total = np.zeros(max(lasts) - min(firsts) + 1, np.uint64)
        for each in (self, other):
            numbers = np.arange(each.first, each.first + each.counts.size)
            places = (numbers >> (bits - each.width_bits)) - min(firsts)
            np.add.at(total, places, each.counts.astype(np.uint64))
        hours = tuple(a + b for a, b in zip(self.hours, other.hours, strict=False))
        return Activity(width_bits=bits, first=min(firsts), counts=total, hours=hours)

    def longest_gap(self) -> tuple[float, float]:
        """The longest time without any row, as (from, to) in seconds since 1970, true to one span's width.

        (0, 0) if no whole span between two values is empty.
        """
        filled = np.flatnonzero(self.counts)
        if filled.size < 2:
            return 0.0, 0.0
        steps = np.diff(filled)
        at = int(np.argmax(steps))
        if steps[at] < 2:
            return 0.0, 0.0
        begin, end = self.first + int(filled[at]) + 1, self.first + int(filled[at + 1])
        return begin * self.width_seconds, end * self.width_seconds


def _bits(low: int, high: int) -> int:
    bits = max(0, (high - low).bit_length() - ACTIVITY_SIZE.bit_length())
    while (high >> bits) - (low >> bits) >= ACTIVITY_SIZE:
        bits += 1
    return bits
