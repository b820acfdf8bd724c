"""Small summaries of very many values that merge: distinct values, frequent values, quantiles.

Each is an immutable value; `add` and `merge` give a new one. Merging chunks in any order and grouping gives
the same answer within the error that each class states, so a column can be summarised over batches of a
file, over processes and over time. Hashes are our own, not a library's: a stored sketch still merges after
an upgrade and on another kind of machine.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]
Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[Any]
"""Float64, Int64 or UInt64."""

Value = str | int | float | bool

DISTINCT_SIZE = 1024
FREQUENT_SIZE = 1000
QUANTILE_SIZE = 512

_EXACT_IN_FLOAT = 1 << 53


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distinct:
    """How many different values there are: the `DISTINCT_SIZE` smallest of their hashes.

    Exact below that size; beyond, the estimate has a relative standard error of 1 / sqrt(size - 2), 3.1 %
    (Bar-Yossef et al. 2002; Beyer et al. 2007). Merging is exactly associative and commutative.
    """

    hashes: Hashes

    @staticmethod
    def empty() -> "Distinct":
        return Distinct(hashes=np.empty(0, np.uint64))

    @property
    def is_exact(self) -> bool:
        return self.hashes.size < DISTINCT_SIZE

    @property
    def estimate(self) -> int:
        if self.is_exact:
            return int(self.hashes.size)
        return round((DISTINCT_SIZE - 1) / (float(self.hashes[-1]) / 2.0**64))

    def add(self, hashes: Hashes) -> "Distinct":
        """With the hashes of values that all differ from each other, in any order."""
        smallest = _smallest(hashes if self.is_exact else hashes[hashes < self.hashes[-1]])
        both = np.sort(np.concatenate((self.hashes, smallest)))
        if both.size:
            both = both[np.concatenate(([True], both[1:] != both[:-1]))]
        return Distinct(hashes=both[:DISTINCT_SIZE])

    def add_repeated(self, hashes: Hashes) -> "Distinct":
        """With hashes of which many may be alike."""
        if hashes.size > 4 * DISTINCT_SIZE:
            likely = np.unique(
                hashes[hashes < np.uint64(2 * DISTINCT_SIZE / hashes.size * 2.0**64)]
            )
            if likely.size >= DISTINCT_SIZE:
                return self.add(likely)
        return self.add(np.unique(hashes))

    def merge(self, other: "Distinct") -> "Distinct":
        return self.add(other.hashes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequent:
    """The most frequent values with their counts, up to `FREQUENT_SIZE` of them.

    While `error` is 0 these are all the values and the counts are exact. Beyond, each true count is between
    the count here and that plus `error`, and `error` is at most rows / FREQUENT_SIZE (Misra and Gries 1982;
    merged as in Agarwal et al. 2012).
    """

    counts: dict[Value, int]
    error: int = 0

    @staticmethod
    def empty() -> "Frequent":
        return Frequent(counts={})

    @property
    def is_exact(self) -> bool:
        return self.error == 0

    def top(self, limit: int) -> list[tuple[Value, int]]:
        """The most frequent values, the most frequent first, ties in the order of their text."""
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], str(item[0])))
        return ordered[:limit]

    def add(self, values: "pl.Series | Numbers", counts: Counts) -> "Frequent":
        """With different values and how often each occurs."""
        threshold = 0
        if counts.size > FREQUENT_SIZE:
            threshold = _next_count(counts)
            kept = np.flatnonzero(counts > threshold)
            values, counts = values[kept], counts[kept] - threshold
        listed = values.tolist() if isinstance(values, np.ndarray) else values.to_list()
        return self.merge(
            Frequent(counts=dict(zip(listed, counts.tolist(), strict=True)), error=threshold)
        )

    def missed(self, at_most: int) -> "Frequent":
        """With rows that were not counted, none of whose values occurred more often than `at_most`."""
        return Frequent(counts=self.counts, error=self.error + at_most)

    def merge(self, other: "Frequent", size: int = FREQUENT_SIZE) -> "Frequent":
        """Both together; `size` is how many values are kept."""
        counts = dict(self.counts)
        for value, number in other.counts.items():
            counts[value] = counts.get(value, 0) + number
        error = self.error + other.error
        if len(counts) > size:
            threshold = sorted(counts.values(), reverse=True)[size]
            counts = {v: number - threshold for v, number in counts.items() if number > threshold}
            error += threshold
        return Frequent(counts=counts, error=error)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantiles:
    """Approximate order statistics of numbers, after KLL (Karnin, Lang, Liberty 2016).

    Items at level h stand for 2^h values each. Ranks are wrong by less than 0.5 % of the rows
    (99 % of the time; 0.1 % more where numbers were counted in buckets instead of sorted); up to `QUANTILE_SIZE` values there is no error. Coins are tossed by a hash of
    what was seen, so the same rows in the same batches give the same bytes.
    """

    count: int
    levels: tuple[Floats, ...]

    @staticmethod
    def empty() -> "Quantiles":
        return Quantiles(count=0, levels=())

    def add(self, ordered: Floats) -> "Quantiles":
        """With some finite values in ascending order."""
        return self.add_ranked(ordered.size, lambda ranks: ordered[ranks])

    def add_ranked(self, count: int, at: Callable[[slice], Floats]) -> "Quantiles":
        """With so many finite values, of which `at` gives those of some ranks."""
        levels = list(self.levels)
        begin = 0
        while begin < count:
            # Every 2^h-th of sorted values is as good as h compactions of them, and better than each.
            left = count - begin
            level = (left // QUANTILE_SIZE).bit_length()
            taken = left >> level << level
            offset = _coin(self.count, left, level) % (1 << level)
            levels += [np.empty(0)] * (level + 1 - len(levels))
            picked = at(slice(begin + offset, begin + taken, 1 << level))
            levels[level] = np.concatenate((levels[level], picked))
            begin += taken
        return _compact(self.count + count, levels)

    def merge(self, other: "Quantiles") -> "Quantiles":
        short, long = sorted((self.levels, other.levels), key=len)
        levels = [np.concatenate(pair) for pair in zip(short, long[: len(short)], strict=True)]
        return _compact(self.count + other.count, [*levels, *long[len(short) :]])

    def quantile(self, share: float) -> float:
        """The value that a share of the values does not exceed; NaN if there are none."""
        if not self.count:
            return math.nan
        items, cumulative = self._weighted()
        at = int(np.searchsorted(cumulative, share * cumulative[-1], side="left"))
        return float(items[min(at, items.size - 1)])

    def shares_up_to(self, points: Floats) -> Floats:
        """For each point, the share of values that are at most that."""
        if not self.count:
            return np.zeros(len(points))
        items, cumulative = self._weighted()
        padded = np.concatenate(([0], cumulative))
        return np.asarray(
            padded[np.searchsorted(items, points, side="right")] / cumulative[-1], np.float64
        )

    def _weighted(self) -> tuple[Floats, npt.NDArray[np.int64]]:
        items = np.concatenate(self.levels)
        weights = np.repeat(1 << np.arange(len(self.levels)), [level.size for level in self.levels])
        order = np.argsort(items, kind="stable")
        return items[order], np.cumsum(weights[order])


def hash_numbers(values: Numbers) -> Hashes:
    """A hash for each number; whole numbers hash alike whether they are kept as integers or floats."""
    if values.dtype.kind == "f":
        floats = values + 0.0  # so that -0.0 is 0.0
        return _mix(floats.view(np.uint64))
    bits = values.astype(np.float64).view(np.uint64)
    large = (values > _EXACT_IN_FLOAT) | (values < -_EXACT_IN_FLOAT)
    if large.any():
        # Neighbours beyond 2^53 are one and the same float.
        bits = np.where(large, values.view(np.uint64) ^ np.uint64(0x9E3779B97F4A7C15), bits)
    return _mix(bits)


def hash_strings(values: "pl.Series") -> Hashes:
    """A hash for each string (none may be null): bytes times random odd numbers by position, then mixed."""
    lengths = values.str.len_bytes().to_numpy().astype(np.int64)
    # In pieces that stay in the processor's cache, which is three times as fast as all at once.
    piece = np.cumsum(lengths + 1) // _HASHED_AT_ONCE
    cuts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist(), lengths.size]
    hashes = [_hash_piece(values[start:end], lengths[start:end]) for start, end in pairwise(cuts)]
    return np.concatenate(hashes)


def _hash_piece(values: "pl.Series", lengths: npt.NDArray[np.int64]) -> Hashes:
    sums = np.zeros(lengths.size, np.uint64)
    text = np.frombuffer(values.str.join("").item().encode(), np.uint8)
    if lengths.size and 0 < (length := int(lengths[0])) <= _ALIGNED and (lengths == length).all():
        # Ids mostly have one length; by position they are hashed many times as fast, to the same hashes.
        by_position = np.ascontiguousarray(text.reshape(-1, length).T)
        for position, column in enumerate(by_position):
            sums += (column.astype(np.uint64) + np.uint64(1)) * _BY_POSITION[position]
    elif text.size:
        filled = np.flatnonzero(lengths)
        starts = np.concatenate(([0], np.cumsum(lengths[filled])[:-1]))
        position = np.arange(text.size) - np.repeat(starts, lengths[filled])
        products = (text.astype(np.uint64) + np.uint64(1)) * _BY_POSITION[position % _POSITIONS]
        sums[filled] = np.add.reduceat(products, starts)
    return _mix(sums + lengths.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93))


def _mix(bits: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    mixed = bits + np.uint64(0x9E3779B97F4A7C15)
    shifted = np.empty(min(mixed.size, _MIXED_AT_ONCE), np.uint64)
    # In pieces that stay in the processor's cache.
    for begin in range(0, mixed.size, _MIXED_AT_ONCE):
        z = mixed[begin : begin + _MIXED_AT_ONCE]
        aside = shifted[: z.size]
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            np.right_shift(z, np.uint64(shift), out=aside)
            np.bitwise_xor(z, aside, out=z)
            np.multiply(z, np.uint64(factor), out=z)
        np.right_shift(z, np.uint64(31), out=aside)
        np.bitwise_xor(z, aside, out=z)
    return mixed


_MIXED_AT_ONCE = 1 << 14
_POSITIONS = 1024
_HASHED_AT_ONCE = 1 << 18
_ALIGNED = 64
_BY_POSITION = _mix(np.arange(_POSITIONS, dtype=np.uint64)) | np.uint64(1)


def _smallest(hashes: Hashes) -> Hashes:
    """The `DISTINCT_SIZE` smallest hashes, and perhaps some more, in any order."""
    if hashes.size <= 2 * DISTINCT_SIZE:
        return hashes
    # Hashes are spread evenly, so about this many lie below; a comparison is cheaper than a partition.
    likely = hashes[hashes < np.uint64(1.25 * DISTINCT_SIZE / hashes.size * 2.0**64)]
    return likely if likely.size >= DISTINCT_SIZE else np.sort(hashes)[:DISTINCT_SIZE]


def _next_count(counts: Counts) -> int:
    """The largest count that is not among the `FREQUENT_SIZE` largest."""
    if np.count_nonzero(counts > 1) <= FREQUENT_SIZE:
        return 1
    at = counts.size - FREQUENT_SIZE - 1
    return int(np.partition(counts, at)[at])


def _coin(*seen: int) -> int:
    state = 0
    for number in seen:
        state = int(_mix(np.array([(state + number) & 0xFFFFFFFFFFFFFFFF], np.uint64))[0])
    return state


def _compact(count: int, levels: list[Floats]) -> Quantiles:
    """Halve the lowest level that is too full, until all of them fit."""
    while True:
        height = len(levels)
        capacity = [
            max(8, math.ceil(QUANTILE_SIZE * (2 / 3) ** (height - 1 - h))) for h in range(height)
        ]
        if sum(level.size for level in levels) <= sum(capacity):
            return Quantiles(count=count, levels=tuple(levels))
        full = next(h for h in range(height) if levels[h].size > capacity[h])
        if full + 1 == height:
            levels.append(np.empty(0))
        items = np.sort(levels[full])
        kept, halved = items[: items.size % 2], items[items.size % 2 :]
        offset = _coin(count, full, items.size) % 2
        levels[full] = kept
        levels[full + 1] = np.concatenate((levels[full + 1], halved[offset::2]))
