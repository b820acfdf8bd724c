"""Making the profile of one batch of one column."""

from typing import TYPE_CHECKING

import numpy as np

from mainspring.datasets.tables import data_type
from mainspring.domain.data_type import DataType
from mainspring.quality.activity import Activity
from mainspring.quality.profile import ColumnProfile, Moments
from mainspring.quality.sketches import (
    FREQUENT_SIZE,
    Counts,
    Distinct,
    Floats,
    Frequent,
    Numbers,
    Quantiles,
    hash_numbers,
    hash_strings,
)
from mainspring.quality.texts import Texts

if TYPE_CHECKING:
    import polars as pl

_LONGEST_SHOWN = 200
_BUCKETS = 1 << 16


def profile_column(column: "pl.Series", *, is_private: bool = False) -> ColumnProfile:
    """The profile of one batch; of a private column it holds no value and no text."""
    type_ = data_type(column.dtype)
    nulls = column.null_count()
    values = column.drop_nulls() if nulls else column
    match type_:
        case DataType.INTEGER | DataType.FLOAT:
            found = _numeric(column.name, type_, _numbers(values), len(column), nulls)
        case DataType.DATE | DataType.DATETIME:
            found = _temporal(column.name, type_, values, len(column), nulls)
        case DataType.STRING | DataType.BOOLEAN:
            found = _categorical(column.name, type_, values, len(column), nulls)
        case _:
            found = ColumnProfile(
                name=column.name, type=type_, row_count=len(column), null_count=nulls
            )
    return found.without_values() if is_private else found


def _numeric(
    name: str, type_: DataType, values: Numbers, row_count: int, null_count: int
) -> ColumnProfile:
    nan_count = infinite_count = 0
    if values.dtype.kind == "f":
        is_finite = np.isfinite(values)
        if not is_finite.all():
            nan_count = int(np.count_nonzero(np.isnan(values)))
            infinite_count = int(np.count_nonzero(~is_finite)) - nan_count
            values = values[is_finite]
    summary = _spread_out(values) or _counted(values)
    least, most, quantiles, distinct, frequent = summary
    return ColumnProfile(
        name=name,
        type=type_,
        row_count=row_count,
        null_count=null_count,
        nan_count=nan_count,
        infinite_count=infinite_count,
        minimum=least,
        maximum=most,
        moments=_moments(values.astype(np.float64, copy=False)),
        quantiles=quantiles,
        distinct=distinct,
        frequent=frequent,
    )


Summary = tuple[int | float | None, int | float | None, Quantiles, Distinct, Frequent]


def _counted(values: Numbers) -> Summary:
    """Of numbers that are sorted, so that alike ones stand together."""
    ordered, different, counts = _sorted(values)
    return (
        ordered[0].item() if ordered.size else None,
        ordered[-1].item() if ordered.size else None,
        Quantiles.empty().add(ordered.astype(np.float64, copy=False)),
        Distinct.empty().add(hash_numbers(different)),
        Frequent.empty().add(different, counts),
    )


def _spread_out(values: Numbers) -> Summary | None:
    """Of fractions that hardly repeat, without sorting them; None for others.

    They are counted in many narrow buckets. If no bucket holds more than one value in `FREQUENT_SIZE`, then no
    value is frequent, and a value out of the right bucket has the right rank within a thousandth.
    """
    if values.dtype.kind != "f" or values.size < 4 * FREQUENT_SIZE:
        return None
    low, high = float(values.min()), float(values.max())
    scale = (_BUCKETS - 1) / (high - low) if high > low else 0.0
    if not (np.isfinite(scale) and scale > 0):
        return None
    buckets = ((values - low) * scale).astype(np.int32)
    counts = np.bincount(buckets, minlength=_BUCKETS)
    densest = int(counts.max())
    if densest > values.size // FREQUENT_SIZE:
        return None
    one_of = np.empty(_BUCKETS)
    one_of[buckets] = values
    one_of[0], one_of[buckets.max()] = low, high
    up_to = np.cumsum(counts)

    def at(ranks: slice) -> Floats:
        numbers = np.arange(ranks.start, ranks.stop, ranks.step)
        return one_of[np.searchsorted(up_to, numbers, side="right")]

    return (
        low,
        high,
        Quantiles.empty().add_ranked(values.size, at),
        Distinct.empty().add_repeated(hash_numbers(values)),
        Frequent.empty().missed(densest),
    )


def _temporal(
    name: str, type_: DataType, values: "pl.Series", row_count: int, null_count: int
) -> ColumnProfile:
    import polars as pl

    micros = values.cast(pl.Datetime("us")).to_physical().to_numpy()
    if type_ is DataType.DATE:
        numbers = values.to_physical().cast(pl.Int64).to_numpy()
    else:
        numbers = values.dt.timestamp("us").to_numpy() / 1e6
    ordered, different, _ = _sorted(numbers)
    return ColumnProfile(
        name=name,
        type=type_,
        row_count=row_count,
        null_count=null_count,
        minimum=ordered[0].item() if ordered.size else None,
        maximum=ordered[-1].item() if ordered.size else None,
        moments=_moments(ordered.astype(np.float64, copy=False)),
        quantiles=Quantiles.empty().add(ordered.astype(np.float64, copy=False)),
        distinct=Distinct.empty().add(hash_numbers(different)),
        activity=Activity.of(micros),
    )


def _categorical(
    name: str, type_: DataType, values: "pl.Series", row_count: int, null_count: int
) -> ColumnProfile:
    import polars as pl

    texts = None
    if type_ is DataType.BOOLEAN:
        counted = values.alias("value").value_counts(name="count")
        hashes = hash_numbers(counted["value"].cast(pl.Int64).to_numpy())
    else:
        counted = values.cast(pl.String).alias("value").value_counts(name="count")
        hashes = hash_strings(counted["value"])
        texts = Texts.of(counted["value"], counted["count"].cast(pl.Int64).to_numpy(), hashes)
        counted = _cut(counted)
    return ColumnProfile(
        name=name,
        type=type_,
        row_count=row_count,
        null_count=null_count,
        distinct=Distinct.empty().add(hashes),
        frequent=Frequent.empty().add(counted["value"], counted["count"].cast(pl.Int64).to_numpy()),
        texts=texts,
    )


def _cut(counted: "pl.DataFrame") -> "pl.DataFrame":
    """Long texts by their beginning: a profile must stay small, whatever is in the column."""
    import polars as pl

    if not (counted["value"].str.len_bytes() > _LONGEST_SHOWN).any():
        return counted
    short = pl.col("value").str.slice(0, _LONGEST_SHOWN)
    return counted.group_by(short, maintain_order=True).agg(pl.col("count").sum())


def _numbers(values: "pl.Series") -> Numbers:
    """As Float64, Int64, or UInt64 for what needs it."""
    import polars as pl

    if values.dtype == pl.UInt64:
        return values.to_numpy()
    if values.dtype.is_integer() and values.dtype not in (pl.Int128, pl.UInt128):
        return values.cast(pl.Int64).to_numpy()
    return values.cast(pl.Float64).to_numpy()


def _sorted(values: Numbers) -> tuple[Numbers, Numbers, Counts]:
    """The values in order, those that differ, and how often each of these occurs."""
    if not values.size:
        return values, values, np.empty(0, np.int64)
    if values.dtype == np.int64:
        least, span = int(values.min()), int(values.max()) - int(values.min())
        if span < 2 * values.size:
            # Close together, they are counted faster than sorted.
            counts = np.bincount(values - least, minlength=span + 1)
            found = np.flatnonzero(counts)
            different, counts = found + least, counts[found]
            return np.repeat(different, counts), different, counts
    ordered = np.sort(values)
    is_new = ordered[1:] != ordered[:-1]
    if is_new.all():
        return ordered, ordered, np.ones(ordered.size, np.int64)
    starts = np.concatenate(([0], np.flatnonzero(is_new) + 1))
    return ordered, ordered[starts], np.diff(starts, append=ordered.size)


def _moments(values: Floats) -> Moments:
    if not values.size:
        return Moments()
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(values.mean())
        if not np.isfinite(mean):
            mean = float((values / values.size).sum())
        apart = values - mean
        # Not np.dot: it starts threads that cost more than they save on a batch.
        return Moments(
            count=values.size, mean=mean, squares=float(np.einsum("i,i->", apart, apart))
        )
