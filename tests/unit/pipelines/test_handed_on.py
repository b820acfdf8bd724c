"""Runs that were handed on: another scheduler has their steps run one by one, in any process."""

import threading
import time

import pytest

from mainspring.domain.event import RunFinished, RunStarted
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, StepState
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.pipelines.handed_on import HandedOn, StepResult
from mainspring.pipelines.local import request_for
from mainspring.pipelines.requests import (
    BeginRun,
    CancelRun,
    FindWork,
    FinishStep,
    GetPipelineRun,
    ReleaseRun,
    StartStep,
    TakeStep,
)
from mainspring.pipelines.snapshot import take_snapshot
from mainspring.testing.apps import emitted
from mainspring.testing.flows import Flow
from mainspring.tracking.requests import GetRun

SHAPES = """
@ms.step
def numbers(n: int) -> list[int]:
    return list(range(n))

@ms.step
def square(x: int) -> int:
    mark(f"square-{x}")
    return x * x

@ms.step
def total(values: list[int]) -> int:
    return sum(values)

@ms.step
def is_large(value: int) -> bool:
    return value > 0

@ms.step
def halve(value: int) -> int:
    mark("halve")
    return value // 2

@ms.step
def double(value: int) -> int:
    mark("double")
    return value * 2

@ms.step
def tell(value: int) -> str:
    return f"it is {value}"

@ms.pipeline
def flow(n: int = 2):
    sum_ = total(square.map(numbers(n)))
    return tell(ms.when(is_large(sum_), lambda: halve(sum_), lambda: double(sum_)))
"""

ONE = """
@ms.step(retries={retries}, retry_on={retry_on}, retry_delay=0, cache=False)
def one() -> int:
    mark("one")
    {body}
    return 1

@ms.pipeline
def flow():
    return one()
"""


def begin(flow: Flow, key: str = "monday", **options: object) -> PipelineRun:
    app = flow.app
    code = take_snapshot(app.blobs, flow.folder)
    asked = request_for(app.call, app.blobs, app.settings, "flow:flow", code=code, **options)  # type: ignore[arg-type]
    return app.call(BeginRun(asked=asked, key=key, scheduler="airflow"))


def handed_on(flow: Flow, run: PipelineRun, **options: object) -> HandedOn:
    return HandedOn(flow.app.call, flow.app.blobs, flow.app.settings, run.id, **options)  # type: ignore[arg-type]


def carry_out(flow: Flow, run: PipelineRun) -> PipelineRun:
    """What a scheduler does: every step in the order of the graph, every item of a mapped one by itself."""
    for node in run.graph.nodes:
        if node.choice is not None:
            continue
        for name in handed_on(flow, run).items(node.id) if node.mapped else [node.id]:
            result = handed_on(flow, run).step(name)
            assert result.state in (StepState.SUCCEEDED, StepState.CACHED, StepState.SKIPPED)
    return handed_on(flow, run).finish()


def one(flow: Flow, body: str, retries: int = 0, retry_on: str = "()") -> PipelineRun:
    flow.write(ONE.format(body=body, retries=retries, retry_on=retry_on))
    return begin(flow)


def test_a_run_that_was_handed_on_ends_as_a_worker_would_end_it(flow: Flow) -> None:
    flow.write(SHAPES)

    run = carry_out(flow, begin(flow))

    assert run.state is PipelineRunState.SUCCEEDED
    assert flow.value(run) == "it is 0"
    assert flow.states(run)["double"] == ["skipped"]
    assert flow.count("double") == 0
    native = flow.run()
    assert native.outputs == run.outputs
    assert {state for states in flow.states(native).values() for state in states} == {
        "cached",
        "skipped",
        "succeeded",
    }
    assert flow.count("halve") == 1
    assert list(flow.states(native)) == list(flow.states(run))


@pytest.mark.slow
def test_what_a_worker_computed_is_found_by_a_handed_on_run(flow: Flow) -> None:
    flow.write(SHAPES)
    flow.run()

    run = carry_out(flow, begin(flow))

    assert flow.states(run)["square[1]"] == ["cached"]
    assert flow.count("square-1") == 1


@pytest.mark.slow
def test_an_empty_list_has_no_items_and_the_run_goes_on(flow: Flow) -> None:
    flow.write(SHAPES)

    run = carry_out(flow, begin(flow, params={"n": 0}))

    assert flow.value(run) == "it is 0"
    assert flow.states(run)["halve"] == ["skipped"]


@pytest.mark.slow
def test_a_mapped_step_can_be_run_whole(flow: Flow) -> None:
    flow.write(SHAPES)
    run = begin(flow)
    handed_on(flow, run).step("numbers")

    result = handed_on(flow, run).step("square")

    assert result.state is StepState.SUCCEEDED
    assert [output.summary for output in result.outputs] == ["2 items"]
    assert handed_on(flow, run).step("total").state is StepState.SUCCEEDED


def test_no_worker_takes_it(flow: Flow) -> None:
    flow.write(SHAPES)

    run = begin(flow)

    assert run.state is PipelineRunState.RUNNING
    assert flow.app.call(FindWork()) == ()
    assert emitted(flow.app, RunStarted)[-1].payload["holder"] == "scheduler:airflow"
    tags = flow.app.call(GetRun(run=run.id)).tags
    assert tags["mainspring.scheduler"] == "airflow"
    assert tags["mainspring.key"] == "monday"


def test_the_same_key_gives_the_same_run(flow: Flow) -> None:
    run = one(flow, "pass")

    assert begin(flow).id == run.id
    assert begin(flow, key="tuesday").id != run.id
    carry_out(flow, run)
    assert begin(flow).id == run.id


def test_asking_again_for_a_step_changes_nothing(flow: Flow) -> None:
    run = one(flow, "pass")
    first = handed_on(flow, run).step("one")

    again = handed_on(flow, run).step("one")

    assert again == first
    assert flow.count("one") == 1
    ended = handed_on(flow, run).finish()
    assert handed_on(flow, run).finish() == ended
    assert len(emitted(flow.app, RunFinished)) == 1


def test_a_step_that_failed_is_tried_again_by_the_scheduler(flow: Flow) -> None:
    run = one(flow, "assert (MARKS / 'one').stat().st_size == 2, 'not yet'", retries=1)

    first = handed_on(flow, run).step("one")
    second = handed_on(flow, run).step("one")

    assert (first.state, first.is_final) == (StepState.FAILED, False)
    assert first.error is not None and "not yet" in first.error
    assert second.state is StepState.SUCCEEDED
    assert handed_on(flow, run).finish().state is PipelineRunState.SUCCEEDED


def test_a_step_that_fails_for_good_ends_the_run(flow: Flow) -> None:
    run = one(flow, "raise ValueError('never')", retries=1)

    results = [handed_on(flow, run).step("one") for _ in range(2)]

    assert [result.is_final for result in results] == [False, True]
    ended = flow.app.call(GetPipelineRun(run=run.id))
    assert ended.state is PipelineRunState.FAILED
    assert ended.error is not None and "never" in ended.error
    with pytest.raises(Conflict, match="is over") as error:
        handed_on(flow, run).step("one")
    assert error.value.code == "run_over"


@pytest.mark.slow
def test_a_step_tried_again_by_hand_after_its_last_failure_counts(flow: Flow) -> None:
    run = one(flow, "assert (MARKS / 'one').stat().st_size == 2, 'not yet'")
    lease = flow.app.call(TakeStep(run=run.id, step="one", holder="killed"))
    assert lease is not None
    flow.app.call(StartStep(lease=lease, node="one"))
    (flow.marks / "one").write_text("x")
    # Killed between the end of the attempt and that of the run.
    flow.app.call(
        FinishStep(lease=lease, node="one", attempt=1, state=StepState.FAILED, error="no")
    )
    flow.app.call(ReleaseRun(lease=lease))

    assert handed_on(flow, run).step("one").state is StepState.SUCCEEDED
    assert handed_on(flow, run).finish().state is PipelineRunState.SUCCEEDED


def test_an_exception_that_retries_dont_cover_is_final_at_once(flow: Flow) -> None:
    run = one(flow, "raise ValueError('never')", retries=5, retry_on="OSError")

    assert handed_on(flow, run).step("one").is_final


@pytest.mark.slow
def test_it_can_be_tried_again_in_the_same_process(flow: Flow) -> None:
    run = one(flow, "assert (MARKS / 'one').stat().st_size == 3, 'not yet'", retries=2)

    result = handed_on(flow, run).step("one", retry_here=True)

    assert result.state is StepState.SUCCEEDED
    assert flow.states(run) == {"one": ["failed", "failed", "succeeded"]}


@pytest.mark.slow
def test_beginning_a_failed_run_again_keeps_what_had_ended(flow: Flow) -> None:
    flow.write(SHAPES.replace("return sum(values)", "assert (MARKS / 'on').exists(); return 9"))
    run = begin(flow)
    handed_on(flow, run).step("numbers")
    handed_on(flow, run).step("square")
    assert handed_on(flow, run).step("total").is_final
    (flow.marks / "on").touch()

    again = begin(flow)
    ended = carry_out(flow, again)

    assert again.parent == run.id
    assert flow.value(ended) == "it is 4"
    assert flow.states(ended)["square"] == ["cached"]
    assert flow.count("square-1") == 1


def test_a_step_waits_for_what_it_depends_on(flow: Flow) -> None:
    flow.write(SHAPES)
    run = begin(flow)

    with pytest.raises(Conflict, match="square can't begin before numbers"):
        handed_on(flow, run).step("square[0]")
    with pytest.raises(Conflict, match="square can't begin before numbers"):
        handed_on(flow, run).items("square")
    with pytest.raises(Conflict, match="can't be finished: numbers, square, "):
        handed_on(flow, run).finish()
    assert flow.app.call(GetPipelineRun(run=run.id)).state is PipelineRunState.RUNNING


def test_a_step_that_is_not_there_is_refused(flow: Flow) -> None:
    flow.write(SHAPES)
    run = begin(flow)
    handed_on(flow, run).step("numbers")

    with pytest.raises(NotFound, match="no step 'squares'"):
        handed_on(flow, run).step("squares")
    with pytest.raises(Conflict, match="2 items"):
        handed_on(flow, run).step("square[2]")
    with pytest.raises(Invalid, match="no mapped step"):
        handed_on(flow, run).items("total")


@pytest.mark.slow
def test_a_run_of_the_workers_is_refused(flow: Flow) -> None:
    flow.write(SHAPES)
    run = flow.request()

    with pytest.raises(Conflict, match="was not handed on"):
        handed_on(flow, run).step("numbers")


@pytest.mark.slow
def test_steps_side_by_side_dont_wait_for_each_other(flow: Flow) -> None:
    flow.write(
        """
@ms.step
def wait_for(mine: str, other: str) -> int:
    (MARKS / mine).touch()
    until = time.monotonic() + 20
    while not (MARKS / other).exists():
        assert time.monotonic() < until
        time.sleep(0.01)
    return 1

@ms.pipeline
def flow():
    return wait_for("a", "b"), wait_for("b", "a")
"""
    )
    run = begin(flow)
    results: list[StepResult] = []

    threads = [
        threading.Thread(target=lambda s=s: results.append(handed_on(flow, run, cpus=1).step(s)))  # type: ignore[misc]
        for s in ("wait_for", "wait_for-2")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [result.state for result in results] == [StepState.SUCCEEDED] * 2


def test_a_process_that_lost_its_step_is_refused(flow: Flow) -> None:
    run = one(flow, "pass")
    late = flow.app.call(TakeStep(run=run.id, step="one", holder="late", lease_seconds=0.05))
    assert late is not None
    flow.app.call(StartStep(lease=late, node="one"))
    assert flow.app.call(TakeStep(run=run.id, step="one", holder="other")) is None
    time.sleep(0.1)

    result = handed_on(flow, run).step("one")

    assert result.state is StepState.SUCCEEDED
    assert flow.states(run) == {"one": ["interrupted", "succeeded"]}
    with pytest.raises(Conflict) as error:
        flow.app.call(StartStep(lease=late, node="one"))
    assert error.value.code == "lease_lost"


@pytest.mark.slow
def test_cancelling_stops_its_steps(flow: Flow) -> None:
    run = one(flow, "time.sleep(60)")
    errors: list[str] = []

    def work() -> None:
        try:
            handed_on(flow, run, lease_seconds=0.6).step("one")
        except Conflict as error:
            errors.append(error.code)

    thread = threading.Thread(target=work)
    thread.start()
    while not flow.count("one"):
        time.sleep(0.05)

    ended = flow.app.call(CancelRun(run=run.id))
    thread.join(20)

    assert ended.state is PipelineRunState.CANCELLED
    assert errors == ["lease_lost"]
    assert flow.states(run) == {"one": ["cancelled"]}


@pytest.mark.slow
def test_a_step_that_is_stopped_is_left_for_the_next_try(flow: Flow) -> None:
    run = one(flow, "time.sleep(0 if (MARKS / 'on').exists() else 60)")
    stopping = threading.Event()
    results: list[StepResult] = []
    thread = threading.Thread(
        target=lambda: results.append(handed_on(flow, run, stopping=stopping).step("one"))
    )
    thread.start()
    while not flow.count("one"):
        time.sleep(0.05)
    stopping.set()
    thread.join(20)
    (flow.marks / "on").touch()

    assert results[0].state is StepState.INTERRUPTED
    assert handed_on(flow, run).step("one").state is StepState.SUCCEEDED


@pytest.mark.slow
def test_a_worker_takes_over_from_a_scheduler_that_gives_no_sign_of_life(flow: Flow) -> None:
    flow.write(SHAPES)
    run = begin(flow)
    handed_on(flow, run).step("numbers")
    lease = flow.app.call(TakeStep(run=run.id, step="square", holder="x"))
    assert lease is not None
    flow.app.call(ReleaseRun(lease=lease))
    # As after six hours without one.
    flow.app.call(ReleaseRun(lease=type(lease)(run=run.id, holder="", fence=lease.fence)))

    worker = flow.worker()
    ended = worker.run(run.id)
    worker.close()

    assert ended.state is PipelineRunState.SUCCEEDED
    assert handed_on(flow, run).step("square[1]").state is StepState.SUCCEEDED
    assert handed_on(flow, run).finish() == ended
