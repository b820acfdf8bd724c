"""References: bins, counts, merging, and the distance between counts."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from mainspring.domain.evaluation import Reference
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import Invalid
from mainspring.quality.reference import build_reference, count, merge, null_share, psi

RNG = np.random.default_rng(7)


def rides(rows: int = 2000, *, warmer: float = 0.0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "temp": RNG.normal(15 + warmer, 8, rows),
            "hour": RNG.integers(0, 24, rows),
            "weather": RNG.choice(["clear", "mist", "rain"], rows, p=[0.6, 0.3, 0.1]),
            "holiday": RNG.random(rows) < 0.03,
            "day": [date(2011, 1, 1)] * rows,
        }
    )


def test_a_continuous_feature_gets_bins_of_equal_weight() -> None:
    temp = build_reference(rides()).features[0]

    assert len(temp.edges) == 9
    assert temp.counts == (200,) * 10 + (0,)


def test_a_feature_of_few_values_gets_a_bin_for_each_and_one_on_either_side() -> None:
    frame = pl.DataFrame({"code": [1, 1, 2, 4, None]})
    reference = build_reference(frame)

    seen = count(reference.features, pl.DataFrame({"code": [0, 1, 2, 3, 4, 9, None]}))

    assert reference.features[0].counts == (0, 2, 1, 1, 0, 1)
    assert seen["code"].tolist() == [1, 1, 1, 2, 1, 1]


def test_a_constant_feature_sees_values_on_both_sides() -> None:
    reference = build_reference(pl.DataFrame({"x": [0.5] * 9}))

    seen = count(reference.features, pl.DataFrame({"x": [0.4, 0.5, 0.6]}))

    assert seen["x"].tolist() == [1, 1, 1, 0]


def test_categories_beyond_the_limit_share_a_bin() -> None:
    frame = pl.DataFrame({"c": ["a"] * 3 + ["b"] * 2 + ["c", None]})
    feature = build_reference(frame, categories=2).features[0]

    assert feature.categories == ("a", "b")
    assert feature.counts == (3, 2, 1, 1)


def test_dates_and_lists_are_not_watched() -> None:
    frame = pl.DataFrame({"day": [date(2011, 1, 1)], "list": [[1]], "x": [1]})

    assert [feature.name for feature in build_reference(frame).features] == ["x"]


def test_nan_and_null_are_missing_and_infinity_is_not() -> None:
    reference = build_reference(rides())

    seen = count(reference.features, pl.DataFrame({"temp": [None, np.nan, np.inf, -np.inf]}))

    assert seen["temp"].tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]


def test_an_absent_column_is_missing_in_every_row() -> None:
    seen = count(build_reference(rides()).features, pl.DataFrame({"temp": [1.0, 2.0]}))

    assert null_share(seen["weather"]) == 1.0
    assert null_share(seen["hour"]) == 1.0


def test_numbers_that_come_as_text_are_read_and_words_are_missing() -> None:
    reference = build_reference(pl.DataFrame({"code": [1, 2]}))

    seen = count(reference.features, pl.DataFrame({"code": ["1", "2", "two"]}))

    assert seen["code"].tolist() == [0, 1, 1, 0, 1]


def test_a_column_of_nothing_but_nulls_has_a_reference() -> None:
    frame = pl.DataFrame({"x": [None, None]}, schema={"x": pl.Float64})
    feature = build_reference(frame).features[0]

    assert (feature.edges, feature.counts) == ((), (0, 2))


def test_chunks_counted_apart_give_the_counts_of_the_whole() -> None:
    reference, frame = build_reference(rides()), rides(3000, warmer=2)

    chunks = [count(reference.features, frame[i : i + 700]) for i in range(0, 3000, 700)]

    whole = count(reference.features, frame)
    assert {name: c.tolist() for name, c in merge(*chunks).items()} == {
        name: c.tolist() for name, c in whole.items()
    }


def test_errors_are_kept_by_bin() -> None:
    held_out = pl.DataFrame({"x": [1, 1, 2, None]})
    reference = build_reference(
        held_out, predictions=[10.0, 12.0, 20.0, 30.0], held_out=held_out, abs_errors=[1, 3, 5, 7]
    )

    assert reference.features[0].abs_errors == (0, 4, 5, 0, 7)
    assert reference.features[0].error_counts == (0, 2, 1, 0, 1)
    assert (reference.mae, reference.rmse, reference.accuracy) == (4.0, 84**0.5 / 2, None)
    assert reference.prediction is not None
    assert sum(reference.prediction.counts) == 4


def test_predicted_classes_have_an_accuracy() -> None:
    held_out = pl.DataFrame({"x": [1, 2]})
    reference = build_reference(
        held_out, predictions=["cat", "dog"], held_out=held_out, abs_errors=[0, 1]
    )

    assert reference.accuracy == 0.5
    assert reference.prediction is not None
    assert reference.prediction.categories == ("cat", "dog")


def test_rows_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(Invalid, match="2 held-out rows, 3 errors"):
        build_reference(rides(9), held_out=rides(2), abs_errors=[1, 2, 3])
    with pytest.raises(Invalid, match="finite"):
        build_reference(rides(9), held_out=rides(2), abs_errors=[1, float("nan")])


def test_a_reference_survives_json() -> None:
    reference = build_reference(rides(), held_out=rides(50), abs_errors=np.ones(50))

    assert decode(encode(reference), Reference) == reference


def test_psi_tells_drift_from_noise() -> None:
    reference = build_reference(rides(8000))
    temp = reference.features[0]

    quiet = psi(temp.counts, count([temp], rides(1000))["temp"])
    drifted = psi(temp.counts, count([temp], rides(1000, warmer=6))["temp"])

    assert quiet < 0.03
    assert drifted > 0.4


def test_psi_without_drift_has_the_mean_that_theory_gives() -> None:
    shares = np.append(np.full(10, 0.1), 0.0)
    reference = RNG.multinomial(8000, shares)

    scores = [psi(reference, RNG.multinomial(200, shares)) for _ in range(300)]

    assert np.mean(scores) == pytest.approx(9 * (1 / 200 + 1 / 8000), rel=0.15)


def test_psi_sees_values_falling_silent() -> None:
    temp = build_reference(rides()).features[0]
    frame = rides(1000).with_columns(
        temp=pl.when(pl.int_range(pl.len()) % 3 > 0).then(pl.col("temp"))
    )

    assert psi(temp.counts, count([temp], frame)["temp"]) > 1.0


def test_psi_of_nothing_is_nothing() -> None:
    assert psi([1, 2, 3], [0, 0, 0]) == 0.0
    with pytest.raises(ValueError, match="3 bins"):
        psi([1, 2, 3], [1, 2])
