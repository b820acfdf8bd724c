"""Joining features to labels as they were known: for each row the newest earlier one with the same key."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.datasets.comparable import common_type
from mainspring.datasets.in_time import time_type
from mainspring.datasets.partitions import PART_BYTES, parts_of, ranges_of, writing_clearly
from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

_ROW, _AT, _PLACE, _KEY, _KNOWN = "#row", "#at", "#place", "#key", "#known"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedJoin:
    """How two tables are joined in time.

    `by` are columns of both whose values must be equal; without any, every row is of one series, and both tables
    are held in memory. Features older than `max_age` are not taken. Of features of one key and time the one with
    the greatest `tie_breaker` counts, and of those the one that comes last in its table. Columns that both have
    get `suffix` on the features' side. `late` columns of the features are taken only where `late_at` is not after the
    row's time: they were not known before.
    """

    by: tuple[str, ...]
    left_time: str
    right_time: str
    max_age: timedelta | None = None
    tie_breaker: str | None = None
    suffix: str = "_right"
    late_at: str | None = None
    late: tuple[str, ...] = ()


def join_in_time(
    left: "pl.LazyFrame", right: "pl.LazyFrame", how: TimedJoin, *, part_bytes: int = PART_BYTES
) -> "pl.DataFrame":
    """Every row of `left`, in its order, with the columns of the newest row of `right` that is not later.

    No row of `left` is lost or doubled. What has no match, no key or no time gets nulls. Raises `Invalid` for
    columns that are not there or don't fit, and where one table's times have a zone and the other's have none.
    """
    import polars as pl

    joined = pl.concat(_joined_parts(left, right, how, part_bytes))
    return joined.sort(_ROW).drop(_ROW)


def write_joined(
    left: "pl.LazyFrame",
    right: "pl.LazyFrame",
    how: TimedJoin,
    target: Path,
    *,
    part_bytes: int = PART_BYTES,
) -> None:
    """Write what `join_in_time` gives as Parquet, without ever having all of it in memory."""
    import polars as pl

    with writing_clearly(target), tempfile.TemporaryDirectory(prefix="mainspring-join-") as name:
        parts: list[Path] = []
        rows = 0
        for part in _joined_parts(left, right, how, part_bytes):
            parts.append(Path(name, f"{len(parts)}.arrow"))
            part.sort(_ROW).write_ipc(parts[-1])
            rows = max(rows, part.height)
        if len(parts) == 1 or not rows:
            pl.scan_ipc(parts[0]).drop(_ROW).sink_parquet(target)
            return
        # Back into the order of the left side, as many rows at once as a part had.
        ordered: list[Path] = []
        for part in ranges_of(pl.scan_ipc(parts), _ROW, rows):
            ordered.append(Path(name, f"{len(ordered)}.parquet"))
            part.drop(_ROW).write_parquet(ordered[-1])
        pl.scan_parquet(ordered).sink_parquet(target)


def _joined_parts(
    left: "pl.LazyFrame", right: "pl.LazyFrame", how: TimedJoin, part_bytes: int
) -> "Iterator[pl.DataFrame]":
    import polars as pl

    left_keys, right_keys = _key_casts(left, right, how.by)
    at = _common_time(left, right, how.left_time, how.right_time)
    if how.tie_breaker is not None and how.tie_breaker not in right.collect_schema():
        raise Invalid(
            f"the features have no column {how.tie_breaker!r} to break ties by", code="bad_join"
        )
    labels = left.with_row_index(_ROW).with_columns(
        pl.col(how.left_time).cast(at).alias(_AT), *left_keys
    )
    features = right.with_row_index(_PLACE).with_columns(
        pl.col(how.right_time).cast(at).alias(_AT), *right_keys
    )
    if how.late_at is not None:
        known = _common_time(left, right, how.left_time, how.late_at)
        features = features.with_columns(pl.col(how.late_at).cast(known).alias(_KNOWN))
    keys = [pl.col(name) for name in _key_names(how.by)]
    if not keys:
        part_bytes = 1 << 62
    for rows, found in parts_of((labels, features), (keys, keys), part_bytes=part_bytes):
        yield _joined(rows, found, how)


def _joined(left: "pl.DataFrame", right: "pl.DataFrame", how: TimedJoin) -> "pl.DataFrame":
    import polars as pl

    keys = _key_names(how.by)
    known = _newest_of_each(right, how, keys)
    clash = _clashes(left, known, how, keys)
    matched = (
        left.drop_nulls([*keys, _AT])
        .sort(_AT, maintain_order=True)
        .join_asof(
            known.rename(clash),
            on=_AT,
            by=keys or None,
            strategy="backward",
            tolerance=how.max_age,
            check_sortedness=False,
        )
    )
    if how.late_at is not None:
        late = [name for name in (*how.late, how.late_at) if name in right.columns]
        is_known = pl.col(_KNOWN) <= pl.col(_AT)
        matched = matched.with_columns(
            pl.when(is_known).then(pl.col(name)).otherwise(None).alias(name)
            for name in (clash.get(name, name) for name in late)
        ).drop(_KNOWN)
    unmatched = left.filter(pl.any_horizontal(pl.col(*keys, _AT).is_null()))
    return pl.concat([matched, unmatched], how="diagonal").drop([*keys, _AT])


def _newest_of_each(right: "pl.DataFrame", how: TimedJoin, keys: list[str]) -> "pl.DataFrame":
    """The features with one row for each key and time, in order of time.

    Ties are broken here rather than left to the join: its answer must not depend on chance.
    """
    order = [_AT, *([how.tie_breaker] if how.tie_breaker else []), _PLACE]
    return (
        right.drop_nulls([*keys, _AT])
        .sort(order, nulls_last=False)
        .unique([*keys, _AT], keep="last", maintain_order=True)
        .drop([_PLACE, *how.by])
    )


def _clashes(
    left: "pl.DataFrame", known: "pl.DataFrame", how: TimedJoin, keys: list[str]
) -> dict[str, str]:
    """New names for the features' columns whose names the left side has, too."""
    clash = {
        name: f"{name}{how.suffix}"
        for name in known.columns
        if name in left.columns and name not in (*keys, _AT)
    }
    if taken := [new for new in clash.values() if new in left.columns or new in known.columns]:
        raise Invalid(
            f"both tables have a column {taken[0].removesuffix(how.suffix)!r}, and {taken[0]!r} is taken too",
            code="bad_join",
            hint="Give another suffix.",
        )
    return clash


def _key_names(by: tuple[str, ...]) -> list[str]:
    return [f"{_KEY}{number}" for number in range(len(by))]


def _key_casts(
    left: "pl.LazyFrame", right: "pl.LazyFrame", by: tuple[str, ...]
) -> "tuple[list[pl.Expr], list[pl.Expr]]":
    """The keys of both tables in types of which equal values are equal."""
    import polars as pl

    one, other = left.collect_schema(), right.collect_schema()
    casts: tuple[list[pl.Expr], list[pl.Expr]] = ([], [])
    for name, key in zip(by, _key_names(by), strict=True):
        for schema, whose in ((one, "labels"), (other, "features")):
            if name not in schema:
                raise Invalid(
                    f"the {whose} have no column {name!r} to join by",
                    code="bad_join",
                    hint=f"They have: {', '.join(schema.names())}.",
                )
        shared = common_type(one[name], other[name])
        text = (pl.String, pl.Categorical, pl.Enum)
        is_mixed = (one[name] in text) != (other[name] in text)
        if shared is None or shared.is_nested() or is_mixed:
            raise Invalid(
                f"{name!r} is {one[name]} in the labels and {other[name]} in the features",
                code="bad_join",
                hint="Give them one type; lists and structs can't be keys.",
            )
        for side in casts:
            side.append(pl.col(name).cast(shared).alias(key))
    return casts


def _common_time(
    left: "pl.LazyFrame", right: "pl.LazyFrame", left_time: str, right_time: str
) -> "pl.DataType":
    import polars as pl

    one, other = time_type(left, left_time), time_type(right, right_time)
    zones = [getattr(dtype, "time_zone", None) for dtype in (one, other)]
    if (zones[0] is None) != (zones[1] is None):
        raise Invalid(
            f"{left_time!r} of the labels is {one}, and {right_time!r} of the features is {other}: "
            "one has a time zone and the other has none",
            code="mixed_time_zones",
            hint="Give both one: a guess could let features from the future in.",
        )
    units = [getattr(dtype, "time_unit", "us") for dtype in (one, other)]
    return pl.Datetime("ns" if "ns" in units else "us", "UTC" if zones[0] else None)
