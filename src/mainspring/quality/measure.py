"""Making the profile of a table, batch by batch: one pass, in memory that does not grow with the rows."""

from collections.abc import Iterable
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mainspring.datasets.tables import data_type, reading_clearly
from mainspring.domain.data_type import DataType
from mainspring.quality.profile import ColumnProfile, Moments, Profile
from mainspring.quality.sketches import (
    Counts,
    Distinct,
    Floats,
    Frequent,
    Numbers,
    Quantiles,
    hash_numbers,
    hash_strings,
)

if TYPE_CHECKING:
    import polars as pl

BATCH_ROWS = 131_072

_LONGEST_SHOWN = 200


def profile_table(table: "pl.DataFrame | pl.LazyFrame") -> Profile:
    """The profile of a table; a lazy one is read in batches. Raises `Invalid` if it can't be read."""
    import polars as pl

    if isinstance(table, pl.DataFrame):
        empty = _of_batch(table.clear())
        return _of_batches(empty, table.iter_slices(BATCH_ROWS))
    with reading_clearly():
        empty = _of_batch(pl.DataFrame(schema=table.collect_schema()))
        return _of_batches(empty, table.collect_batches(chunk_size=BATCH_ROWS))


def _of_batches(empty: Profile, batches: "Iterable[pl.DataFrame]") -> Profile:
    return reduce(lambda total, batch: total.merge(_of_batch(batch)), batches, empty)


def _of_batch(frame: "pl.DataFrame") -> Profile:
    return Profile(
        row_count=frame.height,
        columns=tuple(_of_column(column) for column in frame.iter_columns()),
    )


def _of_column(column: "pl.Series") -> ColumnProfile:
    type_ = data_type(column.dtype)
    nulls = column.null_count()
    values = column.drop_nulls() if nulls else column
    match type_:
        case DataType.INTEGER | DataType.FLOAT:
            return _numeric(column.name, type_, _numbers(values), len(column), nulls)
        case DataType.DATE | DataType.DATETIME:
            return _temporal(column.name, type_, values, len(column), nulls)
        case DataType.STRING | DataType.BOOLEAN:
            return _categorical(column.name, type_, values, len(column), nulls)
        case _:
            return ColumnProfile(
                name=column.name, type=type_, row_count=len(column), null_count=nulls
            )


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
    ordered, different, counts = _sorted(values)
    return ColumnProfile(
        name=name,
        type=type_,
        row_count=row_count,
        null_count=null_count,
        nan_count=nan_count,
        infinite_count=infinite_count,
        minimum=ordered[0].item() if ordered.size else None,
        maximum=ordered[-1].item() if ordered.size else None,
        moments=_moments(ordered.astype(np.float64, copy=False)),
        quantiles=Quantiles.empty().add(ordered.astype(np.float64, copy=False)),
        distinct=Distinct.empty().add(hash_numbers(different)),
        frequent=Frequent.empty().add(different, counts),
    )


def _temporal(
    name: str, type_: DataType, values: "pl.Series", row_count: int, null_count: int
) -> ColumnProfile:
    import polars as pl

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
    )


def _categorical(
    name: str, type_: DataType, values: "pl.Series", row_count: int, null_count: int
) -> ColumnProfile:
    import polars as pl

    if type_ is DataType.BOOLEAN:
        counted = values.alias("value").value_counts(name="count")
        hashes = hash_numbers(counted["value"].cast(pl.Int64).to_numpy())
    else:
        counted = values.cast(pl.String).alias("value").value_counts(name="count")
        hashes = hash_strings(counted["value"])
        counted = _cut(counted)
    return ColumnProfile(
        name=name,
        type=type_,
        row_count=row_count,
        null_count=null_count,
        distinct=Distinct.empty().add(hashes),
        frequent=Frequent.empty().add(counted["value"], counted["count"].cast(pl.Int64).to_numpy()),
    )


def _cut(counted: "pl.DataFrame") -> "pl.DataFrame":
    """Long texts by their beginning: a profile must stay small, whatever is in the column."""
    import polars as pl

    if not (counted["value"].str.len_chars() > _LONGEST_SHOWN).any():
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
        # Not np.dot: it starts threads that cost more than they save on a batch.
        return Moments(count=values.size, mean=mean, squares=float(np.square(values - mean).sum()))
