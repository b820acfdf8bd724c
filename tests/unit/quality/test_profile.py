"""Profiles: what they say of a table, how they are stored, what they refuse."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Corrupt, Invalid
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import (
    ColumnProfile,
    decode_profile,
    encode_profile,
    histogram,
)


def the_column(values: pl.Series) -> ColumnProfile:
    return profile_table(values.to_frame()).columns[0]


def test_numbers_are_counted_apart_from_what_is_none() -> None:
    column = the_column(pl.Series([1.0, 3.0, None, float("nan"), float("inf"), -float("inf")]))

    assert (column.row_count, column.null_count) == (6, 1)
    assert (column.nan_count, column.infinite_count) == (1, 2)
    assert (column.minimum, column.maximum) == (1.0, 3.0)
    assert column.missing_share == pytest.approx(2 / 6)
    assert column.moments is not None
    assert (column.moments.mean, column.moments.variance) == (2.0, 2.0)


def test_big_whole_numbers_stay_exact() -> None:
    column = the_column(pl.Series([2**63 - 1, 2**63 - 2, -(2**63)]))

    assert (column.minimum, column.maximum) == (-(2**63), 2**63 - 1)
    assert column.distinct_count == 3


@pytest.mark.parametrize(
    ("series", "type_"),
    [
        (pl.Series([2**64 - 1, 0], dtype=pl.UInt64), DataType.INTEGER),
        (pl.Series([1, 2], dtype=pl.Int8), DataType.INTEGER),
        (pl.Series([1, 2], dtype=pl.Int128), DataType.INTEGER),
        (pl.Series([1.5, 2.5], dtype=pl.Float32), DataType.FLOAT),
        (pl.Series([Decimal("1.5"), Decimal("2.5")]), DataType.FLOAT),
        (pl.Series(["a", "b"], dtype=pl.Categorical), DataType.STRING),
        (pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])), DataType.STRING),
        (pl.Series([True, False]), DataType.BOOLEAN),
        (pl.Series([date(2011, 1, 1), date(2012, 1, 1)]), DataType.DATE),
        (pl.Series([datetime(2011, 1, 1), datetime(2012, 1, 1)]), DataType.DATETIME),
    ],
)
def test_every_type_is_described(series: pl.Series, type_: DataType) -> None:
    column = the_column(series)

    assert column.type is type_
    assert column.distinct_count == 2


def test_types_without_equality_are_counted_and_no_more() -> None:
    column = the_column(pl.Series([[1], [2], None]))

    assert (column.type, column.null_count, column.distinct_count) == (DataType.OTHER, 1, None)


def test_columns_of_nothing_are_described() -> None:
    profile = profile_table(
        pl.DataFrame({"a": [None, None], "b": [None, None]}, schema={"a": pl.Float64, "b": pl.Null})
    )
    empty = profile_table(pl.DataFrame(schema={"a": pl.String, "b": pl.Int64}))

    assert [column.missing_share for column in profile.columns] == [1.0, 1.0]
    assert (empty.row_count, empty.columns[1].minimum) == (0, None)
    assert histogram(empty.columns[1]) == ([], [])


def test_categories_are_counted_exactly() -> None:
    column = the_column(pl.Series(["b"] * 3 + ["a"] * 3 + ["c", None]))

    assert column.frequent is not None
    assert column.frequent.top(2) == [("a", 3), ("b", 3)]
    assert column.frequent.is_exact


def test_long_texts_make_no_big_profile() -> None:
    column = the_column(pl.Series(["x" * 100_000 + str(i) for i in range(100)]))

    assert column.distinct is not None
    assert column.distinct.estimate == 100
    assert column.frequent is not None
    assert column.frequent.counts == {"x" * 200: 100}


def test_a_heavy_value_among_many_rare_ones_is_found() -> None:
    rng = np.random.default_rng(1)
    ids = rng.integers(0, 10**9, 400_000)
    ids[::10] = 7

    column = the_column(pl.Series(ids))

    assert column.frequent is not None
    value, seen = column.frequent.top(1)[0]
    assert value == 7
    assert seen <= 40_000 <= seen + column.frequent.error
    assert column.frequent.error <= 400


def test_numbers_near_the_limit_of_floats_do_not_break_a_profile() -> None:
    column = the_column(pl.Series([1.7e308, 1.7e308, -1.7e308]))

    assert column.moments is not None
    assert column.moments.mean == pytest.approx(1.7e308 / 3)


def test_a_file_is_profiled_like_the_frame_in_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"x": rng.normal(size=300_000), "c": rng.choice(["a", "b", "c"], 300_000)})
    frame.write_parquet(tmp_path / "x.parquet", row_group_size=50_000)

    from_file = profile_table(pl.scan_parquet(tmp_path / "x.parquet"))
    from_frame = profile_table(frame)

    assert from_file.row_count == 300_000
    for one, other in zip(from_file.columns, from_frame.columns, strict=True):
        assert (one.minimum, one.maximum) == (other.minimum, other.maximum)
        assert one.distinct_count == other.distinct_count
    quantiles = from_file.columns[0].quantiles
    assert quantiles is not None
    for share in (0.01, 0.25, 0.5, 0.75, 0.99):
        below = (frame["x"] <= quantiles.quantile(share)).mean()
        assert below == pytest.approx(share, abs=0.005)


def test_a_file_that_goes_bad_midway_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n1,2,3\n")

    with pytest.raises(Invalid, match="can't be read"):
        profile_table(pl.scan_csv(path))


def test_a_histogram_covers_all_rows() -> None:
    column = the_column(pl.Series(np.arange(10_000.0)))

    edges, counts = histogram(column, bins=10)

    assert (edges[0], edges[-1], sum(counts)) == (0.0, 9999.0, 10_000)
    assert all(abs(count - 1000) < 60 for count in counts)
    assert histogram(the_column(pl.Series([5, 5]))) == ([5.0, 5.0], [2])


def test_a_profile_survives_being_stored() -> None:
    frame = pl.DataFrame(
        {
            "x": [1.5, None],
            "n": [2**60, 3],
            "c": ["a", "b"],
            "f": [True, False],
            "d": [date(2011, 1, 1), None],
            "l": [[1], [2]],
        }
    )
    stored = encode_profile(profile_table(frame))

    again = decode_profile(stored)

    assert encode_profile(again) == stored
    assert again.columns[0].quantiles is not None
    assert again.columns[0].quantiles.quantile(0.5) == 1.5
    assert again.columns[1].frequent is not None
    assert again.columns[1].frequent.counts == {3: 1, 2**60: 1}


def test_a_profile_of_a_newer_version_is_refused() -> None:
    newer = msgspec.msgpack.encode({"mainspring_profile": 99, "profile": {"anything": 1}})

    with pytest.raises(Invalid, match="written in format 99"):
        decode_profile(newer)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"{}", msgspec.msgpack.encode({"a": 1})])
def test_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(Corrupt, match="not a stored profile"):
        decode_profile(data)


def test_profiles_of_different_tables_do_not_merge() -> None:
    numbers, words = pl.DataFrame({"a": [1]}), pl.DataFrame({"a": ["x"]})

    with pytest.raises(Invalid, match="integer here and string there"):
        profile_table(numbers).merge(profile_table(words))
    with pytest.raises(Invalid, match="different columns"):
        profile_table(numbers).merge(profile_table(numbers.rename({"a": "b"})))


def test_whole_numbers_and_fractions_merge_into_fractions() -> None:
    whole, fractions = pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [2.0, 2.5]})

    merged = profile_table(whole).merge(profile_table(fractions)).columns[0]

    assert (merged.type, merged.distinct_count) == (DataType.FLOAT, 3)
    assert merged.distinct is not None
    assert merged.distinct.estimate == 3


def test_a_profile_of_before_texts_and_correlations_is_still_read() -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, None], "w": ["a", "b", "a"]})
    document = msgspec.msgpack.decode(encode_profile(profile_table(frame)))
    for key in ("together", "extremes"):
        del document["profile"][key]
    for column in document["profile"]["columns"]:
        del column["texts"], column["activity"]

    old = decode_profile(msgspec.msgpack.encode(document))

    assert (old.together, old.extremes, old.columns[1].texts) == (None, (), None)
    assert old.merge(profile_table(frame)).row_count == 6
    assert old.merge(profile_table(frame)).columns[1].texts is not None
