"""What guards see of live traffic: only the step's, only the rollout's versions, each answer once."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mainspring.config import Settings
from mainspring.domain.model import ModelVersionId
from mainspring.domain.prediction import PredictionId
from mainspring.domain.rollout import (
    Guard,
    GuardMetric,
    GuardOutcome,
    Rollout,
    RolloutId,
    RolloutState,
    Strategy,
)
from mainspring.reconcile.guards import Traffic
from mainspring.serving.log.frames import Answered, Labelled, microseconds
from mainspring.serving.log.writer import PredictionLog
from mainspring.testing.services import START

NOW = datetime.now(START.tzinfo)
ROLLOUT = Rollout(
    id=RolloutId("rol_1"),
    service="demand",
    strategy=Strategy.CANARY,
    candidate=ModelVersionId("mv_2"),
    champion=ModelVersionId("mv_1"),
    steps=(0.1, 1.0),
    step_index=0,
    share=0.1,
    state=RolloutState.RUNNING,
    hold_seconds=1,
    min_requests=1,
    max_seconds=100,
    guards=(
        Guard(metric=GuardMetric.ERROR_RATE, max=0.1, min_requests=4),
        Guard(metric=GuardMetric.ERROR_RATIO, max=1.5, min_requests=2),
    ),
    readings=(),
    why="",
    started_at=NOW,
    step_started_at=NOW,
)


class Log:
    def __init__(self, settings: Settings) -> None:
        self._log = PredictionLog(settings.predictions_path)
        self._count = 0

    def answer(
        self, version: str, at: datetime, *, count: int = 4, code: int = 200, output: float = 1.0
    ) -> None:
        self._count += 1
        answered = Answered(
            ids=[PredictionId(f"prd_{self._count}_{n}") for n in range(count)],
            version=version,
            arm="candidate",
            keys=[f"{version}-{n}" for n in range(count)],
            at=microseconds(at),
            event_at=None,
            names=["x"],
            columns=[[1.0] * count],
            outputs=[output] * count if code == 200 else None,
            latency_ms=2.0,
            code=code,
            error=None,
        )
        self._write(answered, count)

    def label(self, *keys: str, value: float) -> None:
        count = len(keys)
        self._write(
            Labelled(values=[value] * count, predictions=[None] * count, keys=list(keys), at=0),
            count,
        )

    def _write(self, content: Answered | Labelled, count: int) -> None:
        self._log.append("demand", content, count)
        self._log.write(self._log.take())

    def close(self) -> None:
        self._log.close()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(Settings(home=tmp_path))


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(Settings(home=tmp_path))


def test_only_the_candidate_s_answers_since_the_step_began_count(
    log: Log, traffic: Traffic
) -> None:
    log.answer("mv_2", NOW - timedelta(seconds=1))
    log.answer("mv_1", NOW)
    log.answer("mv_3", NOW)
    log.answer("mv_2", NOW, count=3)

    readings, count = traffic.readings(ROLLOUT)

    assert count == 3
    assert [r.request_count for r in readings] == [3, 0]
    log.close()


def test_looking_again_counts_nothing_twice(log: Log, traffic: Traffic) -> None:
    log.answer("mv_2", NOW)
    assert traffic.readings(ROLLOUT)[1] == 4
    assert traffic.readings(ROLLOUT)[1] == 4
    log.answer("mv_2", NOW, code=500)

    readings, count = traffic.readings(ROLLOUT)

    assert count == 8
    assert (readings[0].outcome, readings[0].observed) == (GuardOutcome.FAILED, 0.5)
    log.close()


def test_the_next_step_starts_anew(log: Log, traffic: Traffic) -> None:
    log.answer("mv_2", NOW)
    traffic.readings(ROLLOUT)
    later = NOW + timedelta(seconds=10)
    log.answer("mv_2", later, count=2)

    _, count = traffic.readings(replace(ROLLOUT, step_index=1, step_started_at=later))

    assert count == 2
    log.close()


def test_labels_tell_the_ratio_of_errors(log: Log, traffic: Traffic) -> None:
    log.answer("mv_1", NOW, output=2.0)
    log.answer("mv_2", NOW, output=5.0)
    log.label(*(f"mv_1-{n}" for n in range(4)), value=1.0)
    log.label(*(f"mv_2-{n}" for n in range(4)), value=1.0)

    readings, _ = traffic.readings(ROLLOUT)

    assert readings[1].outcome is GuardOutcome.FAILED
    assert readings[1].observed == pytest.approx(4.0)
    log.close()


def test_without_a_log_there_is_no_traffic(traffic: Traffic) -> None:
    readings, count = traffic.readings(ROLLOUT)

    assert count == 0
    assert {r.outcome for r in readings} == {GuardOutcome.INCONCLUSIVE}
