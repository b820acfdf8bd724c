import random
from datetime import UTC, datetime

import pytest

from mainspring.domain.model import ModelVersionId
from mainspring.domain.prediction import Label, Prediction, PredictionId
from mainspring.domain.rollout import Guard, GuardMetric, GuardOutcome
from mainspring.serving.guards import readings

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def predictions(
    outputs: list[float | str | None], *, latency_ms: float = 5.0, codes: list[int] | None = None
) -> list[Prediction]:
    return [
        Prediction(
            id=PredictionId(f"prd_{id(outputs)}_{n}"),
            service="demand",
            version=ModelVersionId("v"),
            arm="candidate",
            key=str(n),
            at=NOW,
            event_at=NOW,
            inputs={},
            output=output,
            latency_ms=latency_ms,
            code=codes[n] if codes else 200,
        )
        for n, output in enumerate(outputs)
    ]


def read(
    metric: GuardMetric,
    limit: float,
    candidate: list[Prediction],
    champion: list[Prediction] | None = None,
    labels: list[Label] | None = None,
) -> tuple[GuardOutcome, float | None]:
    (reading,) = readings(
        [Guard(metric=metric, max=limit)],
        candidate=candidate,
        champion=champion or [],
        labels=labels or [],
    )
    return reading.outcome, reading.observed


def test_slow_answers_fail_the_latency_guard() -> None:
    fast, slow = predictions([1.0] * 98), predictions([1.0] * 2, latency_ms=80.0)

    assert read(GuardMetric.P99_LATENCY_MS, 50, fast + slow) == (GuardOutcome.FAILED, 80.0)
    assert read(GuardMetric.P50_LATENCY_MS, 50, fast + slow) == (GuardOutcome.PASSED, 5.0)


def test_too_few_requests_say_nothing() -> None:
    slow = predictions([1.0] * 19, latency_ms=80.0)

    assert read(GuardMetric.P99_LATENCY_MS, 50, slow) == (GuardOutcome.INCONCLUSIVE, 80.0)
    assert read(GuardMetric.ERROR_RATE, 0.01, []) == (GuardOutcome.INCONCLUSIVE, None)


def test_failed_predictions_are_the_error_rate() -> None:
    some = predictions([1.0] * 48 + [None] * 2, codes=[200] * 48 + [500, 504])

    assert read(GuardMetric.ERROR_RATE, 0.01, some) == (GuardOutcome.FAILED, 0.04)
    assert read(GuardMetric.ERROR_RATE, 0.05, some) == (GuardOutcome.PASSED, 0.04)


@pytest.mark.parametrize("n", [20, 50, 200, 1000])
def test_equal_predictions_rarely_look_drifted_however_few(n: int) -> None:
    chance = random.Random(7)
    outcomes = []
    for _ in range(200):
        ours = predictions([chance.gauss(100, 30) for _ in range(n)])
        theirs = predictions([chance.gauss(100, 30) for _ in range(4 * n)])
        outcomes.append(read(GuardMetric.PREDICTION_PSI, 0.2, ours, theirs)[0])

    assert outcomes.count(GuardOutcome.FAILED) <= 4


def test_predictions_that_are_far_off_are_seen() -> None:
    chance = random.Random(7)
    ours = predictions([chance.gauss(200, 30) for _ in range(40)])
    theirs = predictions([chance.gauss(100, 30) for _ in range(400)])

    assert read(GuardMetric.PREDICTION_PSI, 0.2, ours, theirs)[0] is GuardOutcome.FAILED


def test_classes_are_compared_by_their_shares() -> None:
    same = predictions(["a", "b"] * 50)
    other = predictions(["a"] * 95 + ["c"] * 5)

    assert read(GuardMetric.PREDICTION_PSI, 0.2, same, same)[0] is GuardOutcome.PASSED
    assert read(GuardMetric.PREDICTION_PSI, 0.2, other, same)[0] is GuardOutcome.FAILED


def test_errors_on_labelled_predictions_are_compared() -> None:
    ours, theirs = predictions([12.0] * 30), predictions([11.0] * 30)
    labels = [
        Label(service="demand", value=10.0, prediction=p.id, at=NOW) for p in [*ours, *theirs]
    ]
    by_key = [Label(service="demand", value=10.0, key=str(n), at=NOW) for n in range(30)]

    for given in (labels, by_key):
        outcome, ratio = read(GuardMetric.ERROR_RATIO, 1.5, ours, theirs, given)
        assert outcome is GuardOutcome.FAILED
        assert ratio == pytest.approx(2.0)
    assert read(GuardMetric.ERROR_RATIO, 1.5, ours, theirs, [])[0] is GuardOutcome.INCONCLUSIVE


def test_without_a_champion_there_is_nothing_to_compare() -> None:
    ours = predictions([1.0] * 50)

    assert read(GuardMetric.PREDICTION_PSI, 0.2, ours) == (GuardOutcome.INCONCLUSIVE, None)
    assert read(GuardMetric.ERROR_RATIO, 1.0, ours) == (GuardOutcome.INCONCLUSIVE, None)
