"""Detectors are quiet on noise and see what is really there."""

import random
from collections.abc import Sequence

import pytest

from mainspring.domain.data_type import DataType
from mainspring.domain.evaluation import FeatureReference
from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import FeatureDrift, FindingKind, VersionPerformance
from mainspring.monitoring.detectors.effect import estimated_effect
from mainspring.monitoring.detectors.error_growth import error_growth
from mainspring.monitoring.detectors.feature_drift import drift_of, feature_drift
from mainspring.monitoring.detectors.missing_values import missing_values
from mainspring.monitoring.detectors.stability import distance


def counts_of(random_: random.Random, shares: Sequence[float], rows: int) -> list[int]:
    counts = [0] * len(shares)
    for place in random_.choices(range(len(shares)), weights=shares, k=rows):
        counts[place] += 1
    return counts


@pytest.mark.parametrize("rows", [50, 300, 5000])
@pytest.mark.parametrize("bins", [2, 10, 40, 200])
def test_quiet_windows_hardly_ever_pass_the_noise_floor(rows: int, bins: int) -> None:
    random_ = random.Random(7)
    shares = [1 / bins] * bins
    features = 20
    reference = [counts_of(random_, shares, 5000) for _ in range(features)]

    alarms = 0
    for _ in range(20):
        for feature in reference:
            found = distance(feature, counts_of(random_, shares, rows), comparison_count=features)
            assert found is not None
            alarms += found.psi > found.noise_floor

    # 20 windows of 20 features: one in a hundred windows may alarm; three in twenty would be far off.
    assert alarms <= 2


def test_the_index_of_quiet_windows_is_what_theory_expects() -> None:
    random_ = random.Random(7)
    shares, m, n = [0.1] * 10, 4000, 500
    values = []
    for _ in range(200):
        found = distance(counts_of(random_, shares, m), counts_of(random_, shares, n))
        assert found is not None
        values.append(found.psi)

    assert sum(values) / len(values) == pytest.approx(9 * (1 / m + 1 / n), rel=0.1)


def test_a_real_shift_passes_the_noise_floor() -> None:
    found = distance([1000] * 10, [20] * 5 + [0] * 5)

    assert found is not None
    assert found.psi > 2 * found.noise_floor


def test_a_category_that_was_never_seen_is_no_noise() -> None:
    found = distance([8760, 0], [100, 68])

    assert found is not None
    assert found.psi > found.noise_floor


def test_empty_counts_have_no_distance() -> None:
    assert distance([1, 2], [0, 0]) is None
    assert distance([0, 0], [1, 2]) is None


TEMP = FeatureReference(
    name="temp",
    type=DataType.FLOAT,
    edges=(10.0, 20.0),
    counts=(500, 500, 0, 0),
    abs_errors=(100.0, 300.0, 0.0, 0.0),
    error_counts=(100, 100, 0, 0),
)


def test_the_effect_is_that_of_moving_rows_into_other_bins() -> None:
    effect = estimated_effect(TEMP, [0, 100, 0, 0])

    # The mean error is 3 in the second bin and 2 overall; few rows draw it a little towards the mean.
    assert effect == pytest.approx(1.0, abs=0.06)


def test_bins_without_held_out_rows_have_the_overall_error() -> None:
    assert estimated_effect(TEMP, [0, 0, 100, 0]) == pytest.approx(0.0)


def test_without_errors_in_the_reference_the_effect_is_unknown() -> None:
    plain = FeatureReference(name="x", type=DataType.FLOAT, edges=(1.0,), counts=(5, 5, 0))

    assert estimated_effect(plain, [5, 5, 0]) is None


def test_missing_values_are_told_as_shares_not_in_the_index() -> None:
    drift = drift_of(TEMP, [50, 50, 0, 50], psi_threshold=0.2, comparison_count=1)

    assert drift is not None
    assert feature_drift(drift) is None
    finding = missing_values(drift, row_count=150)
    assert finding is not None
    assert (finding.kind, finding.feature) == (FindingKind.MISSING_VALUES, "temp")
    assert finding.score == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("before", "now", "rows", "is_found"),
    [
        (0.0, 0.0, 100, False),
        (0.0, 0.04, 10_000, False),
        (0.0, 0.06, 1000, True),
        (0.3, 0.36, 100, False),
        (0.3, 0.6, 100, True),
        (0.3, 0.1, 100, False),
        (1.0, 1.0, 100, False),
    ],
)
def test_a_null_share_is_found_when_it_grew_beyond_noise(
    before: float, now: float, rows: int, is_found: bool
) -> None:
    drift = FeatureDrift(
        feature="x",
        psi=0.0,
        threshold=0.2,
        null_share=now,
        reference_null_share=before,
        effect=None,
    )

    assert (missing_values(drift, row_count=rows) is not None) is is_found


def a_performance(**differing: object) -> VersionPerformance:
    values = {
        "version": ModelVersionId("mv_1"),
        "row_count": 100,
        "labelled_count": 100,
        "mae": 6.0,
        "rmse": 7.0,
        "bias": 0.0,
        "expected_error": 4.0,
        "error": 6.0,
        "standard_error": 0.3,
        **differing,
    }
    return VersionPerformance(**values)  # type: ignore[arg-type]


def test_grown_errors_are_found() -> None:
    finding = error_growth(a_performance(), max_growth=0.25, min_rows=50)

    assert finding is not None
    assert finding.score == pytest.approx(0.5)
    assert finding.effect == pytest.approx(2.0)
    assert "50% above the expected 4" in finding.detail


@pytest.mark.parametrize(
    "differing",
    [
        {"error": 4.5},
        {"standard_error": 0.9},
        {"labelled_count": 49},
        {"error": None, "labelled_count": 0},
        {"expected_error": None},
    ],
)
def test_errors_within_promise_noise_or_ignorance_are_not_found(
    differing: dict[str, object],
) -> None:
    assert error_growth(a_performance(**differing), max_growth=0.25, min_rows=50) is None


def test_a_classifier_that_was_never_wrong_may_err_once() -> None:
    perfect = a_performance(
        mae=None, accuracy=0.99, expected_error=0.0, error=0.01, standard_error=0.01
    )
    bad = a_performance(mae=None, accuracy=0.8, expected_error=0.0, error=0.2, standard_error=0.04)

    assert error_growth(perfect, max_growth=0.25, min_rows=50) is None
    assert error_growth(bad, max_growth=0.25, min_rows=50) is not None
