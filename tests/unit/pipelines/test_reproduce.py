"""Doing runs again, whole or in part, to see whether the same comes out."""

import pytest

from mainspring.domain.pipeline import PipelineRun
from mainspring.kernel.errors import Conflict
from mainspring.pipelines.environment import Environment
from mainspring.pipelines.local import carry_out
from mainspring.pipelines.plan import sampled
from mainspring.pipelines.reproduce import (
    Reproduction,
    compared,
    environment_changes,
    request_again,
)
from mainspring.testing.flows import Flow

TRAINING = """
import random

@ms.step
def numbers() -> list[int]:
    mark("numbers")
    return [1, 2, 3]

@ms.step
def score(values: list[int]) -> ms.Metrics:
    mark("score")
    return ms.Metrics(mae=sum(values) / 3 * (1 + NOISE))

@ms.pipeline
def flow():
    return score(numbers())
"""
STEADY = TRAINING.replace("NOISE", "0")
NOISY = TRAINING.replace("NOISE", "random.SystemRandom().random() / 1000")


def again(flow: Flow, run: PipelineRun, tolerance: float = 0.0) -> Reproduction:
    app = flow.app
    requested = request_again(app.call, app.blobs, run.id)
    finished = carry_out(app.call, app.blobs, app.settings, requested)
    return compared(app.call, app.blobs, run.id, finished, tolerance=tolerance)


def test_a_run_that_is_deterministic_is_reproduced_byte_for_byte(flow: Flow) -> None:
    flow.write(STEADY)
    run = flow.run()
    flow.write(STEADY.replace("[1, 2, 3]", "[4, 5, 6]"))

    found = again(flow, run)

    assert found.is_exact
    assert found.environment == ()
    assert [(pair.name, pair.before, pair.after) for pair in found.metrics] == [("mae", 2.0, 2.0)]
    assert flow.count("numbers") == 2


def test_a_run_that_is_not_is_told_by_its_steps_and_metrics(flow: Flow) -> None:
    flow.write(NOISY)
    run = flow.run()

    found = again(flow, run)
    assert not found.succeeded
    assert found.differing == ("score",)
    assert not found.metrics[0].is_close

    close = again(flow, run, tolerance=0.01)
    assert close.succeeded
    assert not close.is_exact


def test_a_run_without_a_result_is_not_reproduced(flow: Flow) -> None:
    flow.write(STEADY.replace("return [1, 2, 3]", "raise OSError"))
    run = flow.run()

    with pytest.raises(Conflict, match="no result to reproduce"):
        request_again(flow.app.call, flow.app.blobs, run.id)


def test_differences_of_environments_are_named() -> None:
    before = Environment(
        python="3.11.1",
        implementation="CPython",
        platform="linux",
        distributions={"a": "1", "b": "2"},
    )
    after = Environment(
        python="3.12.0",
        implementation="CPython",
        platform="linux",
        distributions={"b": "3", "c": "4"},
    )

    assert environment_changes(before, after) == (
        "python 3.11.1 -> 3.12.0",
        "a 1 -> (absent)",
        "b 2 -> 3",
        "c (absent) -> 4",
    )


def test_a_result_in_the_cache_is_checked_by_running_it_again(flow: Flow) -> None:
    flow.write(NOISY)
    first = flow.run()

    second = flow.run(verify_cache=1.0)

    told = {step.node: step.warning for step in flow.steps(second)}
    assert told["numbers"] == f"run again to check: the same result as in {first.id}"
    assert str(told["score"]).startswith(
        f"run again to check: another result than in {first.id}. The step is not deterministic"
    )


def test_the_share_is_kept() -> None:
    drawn = sum(sampled("run_1", f"step-{i}", 0.05) for i in range(20_000))

    assert 800 < drawn < 1200
    assert not any(sampled("run_1", f"step-{i}", 0.0) for i in range(100))
    assert all(sampled("run_1", f"step-{i}", 1.0) for i in range(100))
