"""A table's differences against a naive count of its rows, and a diff applied to BEFORE giving AFTER."""

import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.datasets.changes import apply_changes, write_changes
from mainspring.datasets.comparable import comparable
from mainspring.datasets.row_diff import row_diffs

SCHEMA = {"k": pl.Int64, "j": pl.String, "x": pl.Float64, "c": pl.String, "l": pl.List(pl.Int64)}

rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 4)),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([0.0, 1.5, math.nan, math.inf, None]),
        st.sampled_from(["", "x", None]),
        st.sampled_from([[], [1], [None], None]),
    ),
    max_size=12,
)
keys = st.sampled_from([(), ("k",), ("k", "j")])
columns = st.tuples(st.sampled_from([[], ["c"], ["x", "l"]]), st.booleans())
sizes = st.sampled_from([1 << 20, 100])


def table(found: list[tuple[Any, ...]]) -> pl.DataFrame:
    return pl.DataFrame(found, schema=SCHEMA, orient="row")


def counted(frame: pl.DataFrame) -> Counter[str]:
    """Rows as text, so that NaN is itself."""
    return Counter(repr(row) for row in frame.rows())


def naive(
    before: pl.DataFrame, after: pl.DataFrame, key: tuple[str, ...]
) -> tuple[Counter[str], Counter[str], int]:
    """Rows removed and added, and how many changed: one row at a time."""
    if not key:
        old, new = counted(before), counted(after)
        return old - new, new - old, 0
    sides: list[dict[Any, list[Any]]] = []
    for frame in (before, after):
        by: dict[Any, list[Any]] = {}
        for row in frame.iter_rows(named=True):
            by.setdefault(tuple(row[name] for name in key), []).append(tuple(row.values()))
        sides.append(by)
    removed: Counter[str] = Counter()
    added: Counter[str] = Counter()
    changed = 0
    # Rows without a counterpart of their own are one bag, whatever their keys.
    bags: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for found in sides[0].keys() | sides[1].keys():
        olds, news = (side.get(found, []) for side in sides)
        if None in found or len(olds) > 1 or len(news) > 1:
            bags[0].update(map(repr, olds))
            bags[1].update(map(repr, news))
        elif olds and news:
            changed += repr(olds[0]) != repr(news[0])
        else:
            removed.update(map(repr, olds))
            added.update(map(repr, news))
    return removed + (bags[0] - bags[1]), added + (bags[1] - bags[0]), changed


@given(rows, rows, keys, sizes)
def test_rows_that_differ_are_those_that_a_naive_comparison_finds(
    before: list[Any], after: list[Any], key: tuple[str, ...], part_bytes: int
) -> None:
    old, new = table(before), table(after)

    parts = list(row_diffs(comparable(old.lazy(), new.lazy()), key, part_bytes=part_bytes))

    removed = sum((counted(part.removed) for part in parts), Counter[str]())
    added = sum((counted(part.added) for part in parts), Counter[str]())
    changed = sum(part.changed_after.height for part in parts)
    assert (removed, added, changed) == naive(old, new, key)
    assert sum(part.before_count for part in parts) == old.height
    assert sum(part.after_count for part in parts) == new.height


@settings(max_examples=40)
@given(rows, rows, keys, sizes, columns)
def test_a_diff_applied_to_before_gives_after(
    before: list[Any],
    after: list[Any],
    key: tuple[str, ...],
    part_bytes: int,
    changed_columns: tuple[list[str], bool],
) -> None:
    dropped, is_widened = changed_columns
    old, new = table(before), table(after).drop(dropped)
    if is_widened:
        new = new.with_columns(new=pl.lit(1))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_changes(old.lazy(), new.lazy(), key, folder / "diff", part_bytes=part_bytes)
        apply_changes(old.lazy(), folder / "diff", folder / "new.parquet", part_bytes=part_bytes)
        made = pl.read_parquet(folder / "new.parquet")

    assert made.schema == new.schema
    assert counted(made) == counted(new)
