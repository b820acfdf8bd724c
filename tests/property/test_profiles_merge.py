"""However rows are cut into chunks and the chunks' profiles merged, the profile says the same."""

from datetime import datetime
from functools import reduce
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.quality.measure import profile_table
from mainspring.quality.profile import ColumnProfile, Profile
from mainspring.quality.sketches import Distinct, Frequent, Quantiles, hash_numbers, hash_strings
from mainspring.quality.together import Together

numbers = st.lists(st.one_of(st.none(), st.floats(width=64)), max_size=60)
words = st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=60)
instants = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    xs, ws = draw(numbers), draw(words)
    rows = max(len(xs), len(ws))
    times = draw(st.lists(instants, min_size=rows, max_size=rows))
    return pl.DataFrame(
        {
            "x": xs + [None] * (rows - len(xs)),
            "w": ws + [None] * (rows - len(ws)),
            "n": list(range(rows)),
            "t": times,
        },
        schema={"x": pl.Float64, "w": pl.String, "n": pl.Int64, "t": pl.Datetime("us")},
    )


def facts(column: ColumnProfile) -> tuple[object, ...]:
    """All that merging must get exactly right."""
    assert column.distinct is not None
    return (
        column.row_count,
        column.null_count,
        column.nan_count,
        column.infinite_count,
        column.minimum,
        column.maximum,
        column.distinct.hashes.tolist(),
        column.frequent and column.frequent.counts,
        column.quantiles and column.quantiles.count,
        column.moments and column.moments.count,
        column.texts,
        column.activity
        and (column.activity.width_bits, column.activity.first, column.activity.counts.tolist()),
    )


def assert_alike(one: Profile, other: Profile) -> None:
    for mine, theirs in zip(one.columns, other.columns, strict=True):
        assert facts(mine) == facts(theirs)
        if mine.moments and theirs.moments and abs(mine.moments.mean) < 1e100:
            assert mine.moments.mean == pytest.approx(theirs.moments.mean, rel=1e-6, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(tables(), st.lists(st.integers(0, 60), max_size=4))
def test_chunks_merge_to_the_profile_of_the_whole(frame: pl.DataFrame, cuts: list[int]) -> None:
    marks = [0, *sorted(min(cut, frame.height) for cut in cuts), frame.height]
    chunks = [profile_table(frame[start:end]) for start, end in pairwise(marks)]

    assert_alike(reduce(Profile.merge, chunks), profile_table(frame))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_merged_correlations_are_those_of_the_whole(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(1e6, 1, (400, 3)) @ rng.normal(0, 1, (3, 3))
    rows[rng.random(rows.shape) < 0.1] = np.nan
    names = ("a", "b", "c")

    merged = reduce(
        Together.merge,
        [Together.of(names, list(part.T)) for part in np.array_split(rows, parts)],
    )

    both = np.isfinite(rows[:, 0]) & np.isfinite(rows[:, 1])
    expected = np.corrcoef(rows[both, 0], rows[both, 1])[0, 1]
    assert merged.correlation("a", "b") == pytest.approx(expected, abs=1e-6)
    assert merged.correlation("b", "a") == merged.correlation("a", "b")


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_numbers_that_are_not_sorted_have_the_quantiles_that_sorting_gives(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(rng.normal(0, 100), rng.lognormal(0, 3), 60_000)

    profile = profile_table(pl.DataFrame({"x": values}), workers=2).columns[0]

    assert profile.quantiles is not None and profile.frequent is not None
    ordered = np.sort(values)
    points = ordered[np.linspace(0, ordered.size - 1, 101).astype(int)]
    exact = np.searchsorted(ordered, points, side="right") / ordered.size
    assert np.abs(profile.quantiles.shares_up_to(points) - exact).max() < 0.006
    assert (profile.minimum, profile.maximum) == (ordered[0], ordered[-1])
    assert profile.frequent.error <= values.size / 1000
    assert profile.quantiles.quantile(0.5) in values


@settings(max_examples=40, deadline=None)
@given(tables(), tables(), tables())
def test_the_order_and_grouping_of_merges_do_not_matter(
    a: pl.DataFrame, b: pl.DataFrame, c: pl.DataFrame
) -> None:
    pa, pb, pc = profile_table(a), profile_table(b), profile_table(c)

    assert_alike(pa.merge(pb).merge(pc), pa.merge(pb.merge(pc)))
    assert_alike(pa.merge(pb), pb.merge(pa))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_merged_quantiles_stay_within_the_stated_error(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(0, 2, rng.integers(1, 30_000))
    chunks = np.array_split(values, parts)
    sketches = [Quantiles.empty().add(np.sort(chunk)) for chunk in chunks]
    while len(sketches) > 1:
        i = int(rng.integers(0, len(sketches) - 1))
        sketches[i : i + 2] = [sketches[i].merge(sketches[i + 1])]

    ordered = np.sort(values)
    points = ordered[np.linspace(0, ordered.size - 1, 101).astype(int)]
    exact = np.searchsorted(ordered, points, side="right") / ordered.size

    assert sketches[0].count == values.size
    assert np.abs(sketches[0].shares_up_to(points) - exact).max() < 0.005


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 200_000))
def test_the_number_of_distinct_values_is_near_the_truth(seed: int, number: int) -> None:
    values = np.random.default_rng(seed).choice(2**40, number, replace=False)
    halves = np.array_split(hash_numbers(values), 2)

    merged = Distinct.empty().add(halves[0]).merge(Distinct.empty().add(halves[1]))

    # Five standard errors: once in two million.
    assert merged.estimate == pytest.approx(number, rel=5 / np.sqrt(1022))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_frequent_values_are_counted_within_the_stated_error(seed: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.pareto(1.0, 20_000) * 100).astype(np.int64)
    merged = Frequent.empty()
    for chunk in np.array_split(values, parts):
        merged = merged.merge(Frequent.empty().add(*np.unique(chunk, return_counts=True)))

    different, counts = np.unique(values, return_counts=True)

    assert merged.error <= values.size / 1000
    for value, true in zip(different.tolist(), counts.tolist(), strict=True):
        seen = merged.counts.get(value, 0)
        assert seen <= true <= seen + merged.error


@given(st.lists(st.text(max_size=20), min_size=1, max_size=50))
def test_equal_strings_hash_alike_wherever_they_stand(texts: list[str]) -> None:
    together = hash_strings(pl.Series(texts, dtype=pl.String))

    alone = [int(hash_strings(pl.Series([text], dtype=pl.String))[0]) for text in texts]

    assert together.tolist() == alone
    assert len(set(alone)) == len(set(texts))
