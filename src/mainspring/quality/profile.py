"""What a table is like: a small value per column, which can be stored and merged.

A profile is made in one pass in bounded memory (see `measure.py`), takes about 10 KB a column however many
rows there were, and merges with the profiles of other rows of the same table.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Corrupt, Invalid
from mainspring.quality.activity import Activity
from mainspring.quality.odd_rows import Extreme, is_odd, merged
from mainspring.quality.sketches import Distinct, Frequent, Quantiles
from mainspring.quality.texts import Texts
from mainspring.quality.together import Together

FORMAT = 1
"""Grows when an older Mainspring could no longer read what is written."""

_ARRAY_TYPES = ("<f8", "<u8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Count, mean and sum of squared deviations of finite numbers; merged as in Chan et al. 1979."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    @property
    def variance(self) -> float | None:
        """Of the sample; None for fewer than two values."""
        return self.squares / (self.count - 1) if self.count > 1 else None

    @property
    def deviation(self) -> float | None:
        """The sample's standard deviation; None for fewer than two values."""
        return None if self.variance is None else math.sqrt(self.variance)

    def merge(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        if not count:
            return self
        apart = other.mean - self.mean
        share = other.count / count
        return Moments(
            count=count,
            mean=self.mean + apart * share,
            squares=self.squares + other.squares + apart * apart * self.count * share,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """What one column is like.

    `minimum`, `maximum`, `moments` and `quantiles` are of finite numbers, of a date's days since 1970, or of
    a time's seconds since 1970 (UTC); None for other types. `frequent` is None for dates and times, and with
    `distinct` None for types that can't be compared. NaN and infinity are counted apart from nulls. `texts` is of
    strings, `activity` of dates and times; profiles made before there were any have neither.
    """

    name: str
    type: DataType
    row_count: int = 0
    null_count: int = 0
    nan_count: int = 0
    infinite_count: int = 0
    minimum: int | float | None = None
    maximum: int | float | None = None
    moments: Moments | None = None
    quantiles: Quantiles | None = None
    distinct: Distinct | None = None
    frequent: Frequent | None = None
    texts: Texts | None = None
    activity: Activity | None = None

    @property
    def missing_share(self) -> float:
        """The share of rows that are null or NaN."""
        return (self.null_count + self.nan_count) / self.row_count if self.row_count else 0.0

    @property
    def distinct_count(self) -> int | None:
        """How many different values there are, exactly or by estimate; None for types without equality."""
        if self.frequent is not None and self.frequent.is_exact:
            return len(self.frequent.counts)
        return None if self.distinct is None else self.distinct.estimate

    def merge(self, other: "ColumnProfile") -> "ColumnProfile":
        """The profile of the rows of both; raises `Invalid` for columns that are not the same."""
        if self.name != other.name:
            raise Invalid(f"column {self.name!r} can't be merged with {other.name!r}")
        return ColumnProfile(
            name=self.name,
            type=_common_type(self, other),
            row_count=self.row_count + other.row_count,
            null_count=self.null_count + other.null_count,
            nan_count=self.nan_count + other.nan_count,
            infinite_count=self.infinite_count + other.infinite_count,
            minimum=_either(self.minimum, other.minimum, min),
            maximum=_either(self.maximum, other.maximum, max),
            moments=_either(self.moments, other.moments, Moments.merge),
            quantiles=_either(self.quantiles, other.quantiles, Quantiles.merge),
            distinct=_either(self.distinct, other.distinct, Distinct.merge),
            frequent=_either(self.frequent, other.frequent, Frequent.merge),
            texts=_either(self.texts, other.texts, Texts.merge),
            activity=_either(self.activity, other.activity, Activity.merge),
        )

    def without_values(self) -> "ColumnProfile":
        """With nothing in it that shows a value: for columns that are private."""
        return replace(
            self,
            minimum=None,
            maximum=None,
            moments=None,
            quantiles=None,
            frequent=None,
            texts=None
            if self.texts is None
            else replace(self.texts, shapes=Frequent.empty(), shaped_row_count=0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a table is like, column by column in the table's order."""

    row_count: int
    columns: tuple[ColumnProfile, ...]
    together: Together | None = None
    extremes: tuple[Extreme, ...] = ()

    @property
    def odd_rows(self) -> tuple[Extreme, ...]:
        """Rows with a number far outside of what is usual in its column."""
        return tuple(
            extreme
            for extreme in self.extremes
            if (column := self.column(extreme.column)) is not None
            and is_odd(extreme, column.quantiles)
        )

    def column(self, name: str) -> ColumnProfile | None:
        return next((column for column in self.columns if column.name == name), None)

    def merge(self, other: "Profile") -> "Profile":
        """The profile of the rows of both; raises `Invalid` unless both have the same columns."""
        if [c.name for c in self.columns] != [c.name for c in other.columns]:
            raise Invalid("profiles of tables with different columns can't be merged")
        return Profile(
            row_count=self.row_count + other.row_count,
            columns=tuple(
                mine.merge(theirs) for mine, theirs in zip(self.columns, other.columns, strict=True)
            ),
            together=_either(self.together, other.together, Together.merge),
            extremes=merged(self.extremes, other.extremes),
        )


def histogram(column: ColumnProfile, bins: int = 24) -> tuple[list[float], list[int]]:
    """Edges and approximate row counts of bins of equal width between the column's extremes.

    Empty for columns without numbers. A column of one value gives one bin.
    """
    if column.quantiles is None or column.minimum is None or column.maximum is None:
        return [], []
    low, high = float(column.minimum), float(column.maximum)
    if not high > low:
        return [low, high], [column.quantiles.count]
    edges = np.linspace(low, high, bins + 1)
    shares = column.quantiles.shares_up_to(edges)
    shares[0], shares[-1] = 0.0, 1.0
    cumulative = np.round(shares * column.quantiles.count).astype(np.int64)
    return edges.tolist(), np.diff(cumulative).tolist()


def encode_profile(profile: Profile) -> bytes:
    """A profile as MessagePack, for a blob; equal profiles give equal bytes."""
    return _encoder.encode(
        {
            "mainspring_profile": FORMAT,
            "profile": replace(profile, columns=tuple(map(_ordered, profile.columns))),
        }
    )


def decode_profile(data: bytes) -> Profile:
    """Read a stored profile; raises `Invalid` for one of a newer version, `Corrupt` for anything else."""
    try:
        head = msgspec.msgpack.decode(data, type=_Head)
        if head.mainspring_profile > FORMAT:
            raise Invalid(
                f"this profile was written in format {head.mainspring_profile}; "
                f"this Mainspring reads up to {FORMAT}",
                code="profile_too_new",
                hint="Upgrade Mainspring.",
            )
        return _decoder.decode(head.profile)
    except (msgspec.MsgspecError, ValueError, KeyError) as error:
        raise Corrupt(f"this is not a stored profile: {error}") from error


class _Head(msgspec.Struct):
    mainspring_profile: int
    profile: msgspec.Raw


def _common_type(one: ColumnProfile, other: ColumnProfile) -> DataType:
    if one.type is other.type or other.null_count == other.row_count:
        return one.type
    if one.null_count == one.row_count:
        return other.type
    if one.type.is_numeric and other.type.is_numeric:
        return DataType.FLOAT
    raise Invalid(f"column {one.name!r} is {one.type.value} here and {other.type.value} there")


def _either(one: Any, other: Any, merge: Callable[[Any, Any], Any]) -> Any:
    """Merge what both have; what only one has stands for itself. `Any`: the parts share no type."""
    if one is None or other is None:
        return other if one is None else one
    return merge(one, other)


def _ordered(column: ColumnProfile) -> ColumnProfile:
    """With its frequent values in an order that doesn't tell in which order they came."""
    if column.frequent is None:
        return column
    counts = dict(column.frequent.top(len(column.frequent.counts)))
    return replace(column, frequent=replace(column.frequent, counts=counts))


def _bytes_of(value: Any) -> Any:
    """Arrays as their type and bytes in the order of most machines."""
    if isinstance(value, np.ndarray):
        kind = "<f8" if value.dtype.kind == "f" else "<u8"
        return {"type": kind, "bytes": value.astype(kind).tobytes()}
    raise TypeError(f"a profile holds no {type(value).__name__}")


def _array_of(type_: type, value: Any) -> Any:
    if value["type"] not in _ARRAY_TYPES:
        raise ValueError(f"no array of {value['type']!r}")
    return np.frombuffer(value["bytes"], np.dtype(value["type"]))


_encoder = msgspec.msgpack.Encoder(enc_hook=_bytes_of)
_decoder = msgspec.msgpack.Decoder(Profile, dec_hook=_array_of)
