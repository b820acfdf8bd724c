"""Comparing two tables row by row, in memory that does not grow with them."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.datasets.comparable import Comparable, check_key
from mainspring.datasets.partitions import PART_BYTES, parts_of

if TYPE_CHECKING:
    import polars as pl

_OLD, _NEW, _NUMBER, _HASH, _CHECK = "#old", "#new", "#number", "#hash", "#check"
# Not the same in any two processes, so that nobody can make rows that collide.
_SEEDS = (secrets.randbits(63), secrets.randbits(63))


@dataclass(frozen=True, slots=True, kw_only=True)
class PartDiff:
    """The rows of one part that differ, whole; `changed_before` and `changed_after` belong together row by row.

    `repeated_keys` are those that occur more than once in one of the tables, `missing_key_row_count` rows of
    both together that have a gap in their key.
    """

    before_count: int
    after_count: int
    added: "pl.DataFrame"
    removed: "pl.DataFrame"
    changed_before: "pl.DataFrame"
    changed_after: "pl.DataFrame"
    repeated_keys: "pl.DataFrame"
    missing_key_row_count: int


def row_diffs(
    tables: Comparable, key: tuple[str, ...], *, part_bytes: int = PART_BYTES
) -> Iterator[PartDiff]:
    """How two tables differ, part by part; every row is in one part, and rows of one key in the same.

    Values are equal if they are the same value, both missing or both NaN. Rows without a counterpart of their own
    (no `key`, or theirs is repeated or has a gap) are compared whole, each as often as it occurs. Raises
    `Invalid` for a key that can't be one.
    """
    check_key(key, tables)
    by = _hashable(tables, key or tables.common)
    for before, after in parts_of((tables.before, tables.after), (by, by), part_bytes=part_bytes):
        yield _compared(before, after, tables.common, key)


def _hashable(tables: Comparable, names: tuple[str, ...]) -> "list[pl.Expr]":
    """The columns as expressions whose hash depends on nothing but their values."""
    import polars as pl

    schema = tables.before.collect_schema()
    return [
        pl.col(name).cast(pl.String) if schema[name] in (pl.Categorical, pl.Enum) else pl.col(name)
        for name in names
    ]


def _compared(
    before: "pl.DataFrame", after: "pl.DataFrame", common: tuple[str, ...], key: tuple[str, ...]
) -> PartDiff:
    if not key:
        removed, added = _whole_rows(before, after, common)
        return PartDiff(
            before_count=before.height,
            after_count=after.height,
            added=added,
            removed=removed,
            changed_before=before.clear(),
            changed_after=after.clear(),
            repeated_keys=before.clear().select(key),
            missing_key_row_count=0,
        )
    return _by_key(before, after, common, key)


def _by_key(
    before: "pl.DataFrame", after: "pl.DataFrame", common: tuple[str, ...], key: tuple[str, ...]
) -> PartDiff:
    import polars as pl

    has_gap = pl.any_horizontal(pl.col(name).is_null() for name in key)
    gaps = [int(frame.select(has_gap.sum()).item()) for frame in (before, after)]
    repeated = pl.concat([_repeated(frame.filter(~has_gap), key) for frame in (before, after)])
    repeated = repeated.unique()
    old, old_odd = _parted(before, key, repeated, has_gap, gaps[0])
    new, new_odd = _parted(after, key, repeated, has_gap, gaps[1])
    values = [name for name in common if name not in key]
    pairs = _marked(old, key, values, _OLD).join(
        _marked(new, key, values, _NEW), on=key, how="full", coalesce=True
    )
    changed = pairs.filter(pl.col(_HASH) != pl.col(f"{_HASH}_right"))
    removed, added = _whole_rows(old_odd, new_odd, common)
    return PartDiff(
        before_count=before.height,
        after_count=after.height,
        added=pl.concat([new[pairs.filter(pl.col(_OLD).is_null())[_NEW]], added]),
        removed=pl.concat([old[pairs.filter(pl.col(_NEW).is_null())[_OLD]], removed]),
        changed_before=old[changed[_OLD]],
        changed_after=new[changed[_NEW]],
        repeated_keys=repeated,
        missing_key_row_count=sum(gaps),
    )


def _repeated(frame: "pl.DataFrame", key: tuple[str, ...]) -> "pl.DataFrame":
    import polars as pl

    if frame.n_unique(list(key)) == frame.height:
        return frame.clear().select(key)
    return frame.lazy().group_by(key).len().filter(pl.col("len") > 1).select(key).collect()


def _parted(
    frame: "pl.DataFrame",
    key: tuple[str, ...],
    repeated: "pl.DataFrame",
    has_gap: "pl.Expr",
    gaps: int,
) -> "tuple[pl.DataFrame, pl.DataFrame]":
    """The rows whose keys stand for one row each, and the others."""
    import polars as pl

    if not gaps and not repeated.height:
        return frame, frame.clear()
    twice = frame.select(key).with_row_index(_NUMBER).join(repeated, on=key, how="semi")
    odd = has_gap | pl.int_range(pl.len()).is_in(twice[_NUMBER].implode())
    return frame.filter(~odd), frame.filter(odd)


def _marked(
    frame: "pl.DataFrame", key: tuple[str, ...], values: list[str], number: str
) -> "pl.DataFrame":
    """The keys with the hash of their values, so that a join carries little."""

    return frame.select(*key, _hash_of(values, _SEEDS[0]).alias(_HASH)).with_row_index(number)


def _whole_rows(
    before: "pl.DataFrame", after: "pl.DataFrame", common: tuple[str, ...]
) -> "tuple[pl.DataFrame, pl.DataFrame]":
    """Rows of each table that the other one has not, or has less often."""
    import polars as pl

    if not common:
        return before, after
    hashes = [
        frame.select(
            _hash_of(common, _SEEDS[0]).alias(_HASH), _hash_of(common, _SEEDS[1]).alias(_CHECK)
        )
        for frame in (before, after)
    ]
    sums = [frame.group_by(_HASH).agg(pl.len(), pl.col(_CHECK).sum()) for frame in hashes]
    paired = sums[0].join(sums[1], on=_HASH, how="full", coalesce=True)
    uneven = paired.filter(
        pl.col("len").ne_missing(pl.col("len_right"))
        | pl.col(_CHECK).ne_missing(pl.col(f"{_CHECK}_right"))
    ).select(_HASH)
    old, new = (
        _numbered(
            frame[marks.with_row_index(_OLD).join(uneven, on=_HASH, how="semi")[_OLD]], common
        )
        for frame, marks in zip((before, after), hashes, strict=True)
    )
    on = [*common, _NUMBER]
    gone = old.join(new.select(on), on=on, how="anti", nulls_equal=True)
    come = new.join(old.select(on), on=on, how="anti", nulls_equal=True)
    return gone.drop(_NUMBER), come.drop(_NUMBER)


def _numbered(frame: "pl.DataFrame", common: tuple[str, ...]) -> "pl.DataFrame":
    """With each row's number among those that are equal to it, so that equal rows count one by one."""
    import polars as pl

    return frame.with_columns(pl.int_range(pl.len()).over(common).alias(_NUMBER))


def _hash_of(names: Sequence[str], seed: int) -> "pl.Expr":
    """A hash of values; two of them make 128 bits, so that rows that differ share them never in practice."""
    import polars as pl

    return pl.struct(names).hash(seed) if names else pl.lit(seed, pl.UInt64)
