"""Live values fall into the same bins as training's did, though other code puts them there."""

from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.data_type import DataType
from mainspring.domain.evaluation import FeatureReference
from mainspring.monitoring.bins import bin_of
from mainspring.quality.reference import bin_numbers

EDGES = (-1.0, 0.0, 2.5, 10.0)
NUMBERS = st.one_of(st.none(), st.floats(), st.sampled_from(EDGES))
TEXTS = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "true", ""]))


def assert_same(feature: FeatureReference, values: list[Any], dtype: Any) -> None:
    frame = pl.DataFrame({feature.name: pl.Series(values, dtype=dtype)})

    assert [bin_of(feature)(value) for value in values] == bin_numbers(feature, frame).tolist()


@given(st.lists(NUMBERS, min_size=1))
def test_numbers(values: list[float | None]) -> None:
    feature = FeatureReference(name="x", type=DataType.FLOAT, edges=EDGES)

    assert_same(feature, values, pl.Float64)


@given(st.lists(st.one_of(st.none(), st.integers(-20, 20)), min_size=1))
def test_whole_numbers(values: list[int | None]) -> None:
    feature = FeatureReference(name="x", type=DataType.INTEGER, edges=EDGES)

    assert_same(feature, values, pl.Int64)


@given(st.lists(TEXTS, min_size=1))
def test_categories(values: list[str | None]) -> None:
    feature = FeatureReference(name="x", type=DataType.STRING, categories=("b", "a"))

    assert_same(feature, values, pl.String)


@given(st.lists(st.one_of(st.none(), st.booleans()), min_size=1))
def test_booleans(values: list[bool | None]) -> None:
    feature = FeatureReference(name="x", type=DataType.BOOLEAN, categories=("true", "false"))

    assert_same(feature, values, pl.Boolean)
