"""Going on from an earlier run."""

import pytest

from mainspring.domain.pipeline import PipelineRun, PipelineRunState
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.pipelines.fork import fork_run, resume_run
from mainspring.pipelines.local import carry_out
from mainspring.testing.flows import Flow

THREE = """
@ms.step(cache=False)
def first(x: int) -> int:
    mark("first")
    return x + 1

@ms.step(cache=False)
def second(x: int) -> int:
    mark("second")
    if not (MARKS / "mended").exists():
        raise OSError("the source is away")
    return x * 10

@ms.step(cache=False)
def third(x: int, y: int) -> int:
    mark("third")
    return x + y

@ms.pipeline
def flow(x: int = 1):
    a = first(x)
    return third(second(a), a)
"""


def work(flow: Flow, run: PipelineRun) -> PipelineRun:
    app = flow.app
    return carry_out(app.call, app.blobs, app.settings, run)


def forked(flow: Flow, run: PipelineRun, first: str, **params: object) -> PipelineRun:
    app = flow.app
    return work(
        flow,
        fork_run(
            app.call, app.blobs, app.settings, run.id, first, project=flow.folder, params=params
        ),
    )


def test_what_is_left_of_a_failed_run_is_done_on_its_own_code(flow: Flow) -> None:
    flow.write(THREE)
    failed = flow.run()
    assert failed.state is PipelineRunState.FAILED
    (flow.marks / "mended").touch()
    flow.write(THREE.replace("x * 10", "x * 1000"))

    run = work(flow, resume_run(flow.app.call, failed.id))

    assert flow.value(run) == 22
    assert (run.parent, run.kept) == (failed.id, ("first",))
    assert flow.states(run) == {
        "first": ["cached"],
        "second": ["succeeded"],
        "third": ["succeeded"],
    }
    assert flow.count("first") == 1


def test_a_run_that_is_over_or_under_way_is_not_resumed(flow: Flow) -> None:
    flow.write(THREE)
    (flow.marks / "mended").touch()
    waiting = flow.request()
    with pytest.raises(Conflict, match="is under way"):
        resume_run(flow.app.call, waiting.id)
    work(flow, waiting)

    with pytest.raises(Conflict, match="has all its results"):
        resume_run(flow.app.call, waiting.id)
    with pytest.raises(NotFound):
        resume_run(flow.app.call, "run_x")


def test_a_fork_runs_other_code_from_a_step_on(flow: Flow) -> None:
    flow.write(THREE)
    (flow.marks / "mended").touch()
    before = flow.run()
    flow.write(THREE.replace("x * 10", "x * 1000").replace("return x + 1", "return x + 500"))

    run = forked(flow, before, "second")

    assert flow.value(run) == 2002
    assert run.kept == ("first",)
    assert [flow.count(name) for name in ("first", "second", "third")] == [1, 2, 2]


def test_a_fork_takes_other_parameters_for_what_it_runs(flow: Flow) -> None:
    flow.write(THREE)
    (flow.marks / "mended").touch()
    before = flow.run()

    assert flow.value(forked(flow, before, "first", x=9)) == 110


def test_a_fork_goes_on_after_its_worker_was_killed_before_it_kept_anything(flow: Flow) -> None:
    flow.write(THREE)
    failed = flow.run()
    (flow.marks / "mended").touch()
    resumed = resume_run(flow.app.call, failed.id)
    resumed = work(flow, resumed)

    again = forked(flow, resumed, "third")

    assert flow.value(again) == 22
    assert again.kept == ("first", "second")


def test_a_step_that_is_not_there_is_refused(flow: Flow) -> None:
    flow.write(THREE)
    run = flow.run()

    with pytest.raises(Invalid, match="has no step 'fourth'"):
        forked(flow, run, "fourth")


def test_mapped_steps_are_kept_whole(flow: Flow) -> None:
    flow.write(
        """
@ms.step(cache=False)
def square(x: int) -> int:
    mark("square")
    return x * x

@ms.step(cache=False)
def total(values: list[int], plus: int) -> int:
    return sum(values) + plus

@ms.pipeline
def flow(plus: int = 0):
    return total(square.map([1, 2, 3]), plus)
"""
    )
    before = flow.run()

    run = forked(flow, before, "total", plus=1)

    assert flow.value(run) == 15
    assert flow.count("square") == 3


def test_a_result_of_another_shape_is_not_kept(flow: Flow) -> None:
    flow.write(THREE)
    (flow.marks / "mended").touch()
    before = flow.run()
    flow.write(
        THREE.replace("def first(x: int) -> int:", "def first(x: int) -> tuple[int, int]:")
        .replace("return x + 1", "return x + 1, x")
        .replace("a = first(x)", "a, b = first(x)")
        .replace("third(second(a), a)", "third(second(a), b)")
    )

    with pytest.raises(Invalid, match="the step 'first' can't be kept"):
        forked(flow, before, "second")


def test_a_run_with_a_branch_not_taken_is_whole_too(flow: Flow) -> None:
    flow.write(
        """
@ms.step
def one() -> int:
    return 1

@ms.pipeline
def flow(wanted: bool = False):
    return ms.when(wanted, one)
"""
    )

    with pytest.raises(Conflict, match="has all its results"):
        resume_run(flow.app.call, flow.run().id)


def test_a_resumed_run_keeps_the_items_that_had_ended_of_a_mapped_step(flow: Flow) -> None:
    app = flow.app
    flow.write(
        """
        @ms.step(cache=False)
        def numbers() -> list[int]:
            return [0, 1, 2]

        @ms.step(cache=False)
        def double(number: int) -> int:
            mark(f"double-{number}")
            if number == 2:
                time.sleep(1)
                if not (MARKS / "mended").exists():
                    raise ValueError("not yet")
            return 2 * number

        @ms.step(cache=False)
        def total(doubled: list[int]) -> int:
            return sum(doubled)

        @ms.pipeline
        def flow():
            return total(double.map(numbers()))
        """
    )
    failed = flow.run()
    assert failed.state is PipelineRunState.FAILED
    (flow.marks / "mended").touch()

    resumed = resume_run(app.call, failed.id)
    worker = flow.worker()
    ended = worker.run(resumed.id)
    worker.close()

    assert resumed.kept == ("numbers", "double[0]", "double[1]")
    assert ended.state is PipelineRunState.SUCCEEDED, ended.error
    assert app.blobs.read(ended.outputs[0].digest) == b"6"
    assert [len((flow.marks / f"double-{n}").read_text()) for n in range(3)] == [1, 1, 2]
