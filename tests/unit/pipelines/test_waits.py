"""Pipelines that wait: for an approval, a time or an event, through restarts, with no process."""

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.event import RunParked, RunStarted
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, StepState
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound
from mainspring.pipelines.fork import resume_run
from mainspring.pipelines.requests import (
    CancelRun,
    DecideWait,
    FindWork,
    GetPipelineRun,
    ListWaits,
    LookAtWait,
    ParkRun,
    TakeRun,
)
from mainspring.pipelines.waits import event_came
from mainspring.testing.apps import an_app, clock_of, emitted
from mainspring.testing.flows import Flow
from mainspring.testing.triggers import data_arrives
from mainspring.triggers.requests import HasWaitNews, NoticeWaits

APPROVAL = """
@ms.step(cache=False)
def before() -> int:
    mark("before")
    return 1

@ms.step(cache=False)
def publish(x: int) -> str:
    mark("published")
    return "published"

@ms.step(cache=False)
def hold_back() -> str:
    return "held back"

@ms.pipeline
def flow():
    x = before()
    fine = ms.wait(x, approval="Is it fine?")
    return ms.when(fine, lambda: publish(x), lambda: hold_back())
"""
LATER = """
@ms.step(cache=False)
def work() -> int:
    mark("worked")
    return 1

@ms.pipeline
def flow(at: str = "2026-01-02"):
    return ms.when(ms.wait({how}), lambda: work())
"""


@pytest.fixture
def flow(app: App, tmp_path: Path) -> Flow:
    flow = Flow(app, tmp_path / "project")
    flow.write(APPROVAL)
    return flow


def worked(flow: Flow) -> PipelineRun | None:
    """A worker's one look for something to do, and a worker of its own each time."""
    worker = flow.worker()
    try:
        return worker.run_next()
    finally:
        worker.close()


def parked(flow: Flow, **options: object) -> PipelineRun:
    asked = flow.request(**options)
    run = worked(flow)
    assert run is not None
    assert (run.id, run.state) == (asked.id, PipelineRunState.WAITING)
    return run


def marks(flow: Flow, name: str) -> int:
    path = flow.marks / name
    return len(path.read_text()) if path.exists() else 0


def result(flow: Flow, run: PipelineRun) -> bytes:
    return flow.app.blobs.read(run.outputs[0].digest)


def test_a_run_that_waits_is_held_by_no_worker_and_goes_on_when_somebody_says_yes(
    flow: Flow,
) -> None:
    run = parked(flow)
    assert worked(flow) is None
    assert flow.app.call(TakeRun(holder="w", run=run.id)) is None
    (wait,) = flow.app.call(ListWaits())
    assert (wait.node, wait.what) == ("wait", "Is it fine?")
    assert flow.states(run)["wait"] == ["waiting"]

    decided = flow.app.call(DecideWait(run=run.id, note="looks good"))
    ended = worked(flow)

    assert ended is not None
    assert ended.state is PipelineRunState.SUCCEEDED
    assert result(flow, ended) == b'"published"'
    assert (marks(flow, "before"), marks(flow, "published")) == (1, 1)
    assert (decided.approved, decided.decided_by) == (True, "person:tester")
    assert not flow.app.call(ListWaits())
    assert [e.payload["resumed"] for e in emitted(flow.app, RunStarted)] == [False, False]
    assert emitted(flow.app, RunParked)[0].why == "waits for approval: Is it fine?"
    told = [step.warning for step in flow.steps(ended) if step.node == "wait"]
    assert told == ["yes, by person:tester: looks good"]


def test_a_worker_that_dies_right_after_it_heard_the_answer_loses_nothing(flow: Flow) -> None:
    run = parked(flow)
    flow.app.call(DecideWait(run=run.id))
    lease = flow.app.call(TakeRun(holder="dead", run=run.id))
    assert lease is not None
    assert flow.app.call(LookAtWait(lease=lease, node="wait")).approved
    clock_of(flow.app).advance(timedelta(minutes=1))

    ended = worked(flow)

    assert ended is not None
    assert ended.state is PipelineRunState.SUCCEEDED
    assert flow.states(ended)["wait"] == ["succeeded"]
    assert (marks(flow, "before"), marks(flow, "published")) == (1, 1)


def test_a_no_takes_the_other_branch(flow: Flow) -> None:
    run = parked(flow)

    flow.app.call(DecideWait(run=run.id, step="wait", approved=False))
    ended = worked(flow)

    assert ended is not None
    assert result(flow, ended) == b'"held back"'
    assert marks(flow, "published") == 0


def test_an_answer_counts_once(flow: Flow) -> None:
    run = parked(flow)
    flow.app.call(DecideWait(run=run.id))

    assert flow.app.call(DecideWait(run=run.id)).approved
    with pytest.raises(Conflict, match="was decided already"):
        flow.app.call(DecideWait(run=run.id, approved=False))
    with pytest.raises(NotFound, match="waits for no approval at train"):
        flow.app.call(DecideWait(run=run.id, step="train"))


def test_a_loop_can_not_approve(flow: Flow) -> None:
    run = parked(flow)
    loop = flow.app.acting_as(Actor(kind=ActorKind.LOOP, name="l", role=Role.OPERATOR))

    with pytest.raises(Denied):
        loop.call(DecideWait(run=run.id))


def test_a_run_that_is_to_be_cancelled_is_not_parked_instead(flow: Flow) -> None:
    run = parked(flow)
    flow.app.call(DecideWait(run=run.id))
    lease = flow.app.call(TakeRun(holder="worker", run=run.id))
    assert lease is not None
    flow.app.call(CancelRun(run=run.id))

    assert not flow.app.call(ParkRun(lease=lease))

    assert flow.app.call(GetPipelineRun(run=run.id)).state is PipelineRunState.RUNNING


def test_an_event_changes_no_answer_that_was_given_before_it(app: App, tmp_path: Path) -> None:
    flow = Flow(app, tmp_path / "project")
    flow.write(LATER.format(how='event="data: rides", timeout="1h"'))
    run = parked(flow)
    (seen,) = app.call(ListWaits())
    clock_of(app).advance(timedelta(hours=2))
    assert worked(flow) is not None
    late = replace(seen, approved=None)

    with app.store.write(app.actor, "test") as tx:
        event_came(tx, late, "rides has version 1")

    (wait,) = app.call(ListWaits(run=run.id))
    assert (wait.approved, wait.decided_by) == (False, "time")


def test_a_run_that_waits_can_be_cancelled_and_then_waits_for_nothing(flow: Flow) -> None:
    run = parked(flow)

    cancelled = flow.app.call(CancelRun(run=run.id))

    assert cancelled.state is PipelineRunState.CANCELLED
    assert flow.states(run)["wait"] == ["cancelled"]
    assert not flow.app.call(ListWaits())
    with pytest.raises(Conflict, match="has cancelled"):
        flow.app.call(DecideWait(run=run.id))


def test_a_run_that_is_resumed_does_not_ask_again(flow: Flow) -> None:
    flow.write(APPROVAL.replace('mark("published")', 'raise ValueError("no")'))
    run = parked(flow)
    flow.app.call(DecideWait(run=run.id))
    failed = worked(flow)
    assert failed is not None
    assert failed.state is PipelineRunState.FAILED

    again = resume_run(flow.app.call, failed.id)
    worked(flow)

    assert flow.states(again)["wait"] == ["cached"]
    assert not flow.app.call(ListWaits())


def test_other_steps_go_on_while_one_waits(flow: Flow) -> None:
    flow.write(
        """
        @ms.step(cache=False)
        def beside() -> int:
            time.sleep(1)
            mark("beside")
            return 1

        @ms.step(cache=False)
        def after() -> int:
            mark("after")
            return 2

        @ms.pipeline
        def flow():
            beside()
            return ms.when(ms.wait(approval="Fine?"), lambda: after())
        """
    )
    run = flow.request()
    worker = flow.worker()
    thread = threading.Thread(target=worker.run, args=(run.id,))
    thread.start()
    while not flow.app.call(ListWaits()):
        time.sleep(0.02)

    flow.app.call(DecideWait(run=run.id))
    thread.join()
    worker.close()

    assert flow.app.call(GetPipelineRun(run=run.id)).state is PipelineRunState.SUCCEEDED
    assert (marks(flow, "beside"), marks(flow, "after")) == (1, 1)


@pytest.mark.parametrize("how", ["delay='2h'", "until='2026-01-01T02:00Z'", "until=at"])
def test_a_time_comes_by_itself(flow: Flow, how: str) -> None:
    flow.write(LATER.format(how=how))
    run = parked(flow, params={"at": "2026-01-01T03:00+01:00"})
    clock_of(flow.app).advance(timedelta(hours=1, minutes=59))
    assert worked(flow) is None

    clock_of(flow.app).advance(timedelta(minutes=1))
    ended = worked(flow)

    assert ended is not None
    assert (ended.id, ended.state) == (run.id, PipelineRunState.SUCCEEDED)
    assert marks(flow, "worked") == 1


def test_an_instant_that_is_none_fails_the_run(flow: Flow) -> None:
    flow.write(LATER.format(how="until=at"))
    flow.request(params={"at": "soon"})

    run = worked(flow)

    assert run is not None
    assert run.state is PipelineRunState.FAILED
    assert "'soon' is no instant" in str(run.error)


def test_an_approval_that_takes_too_long_is_a_no(flow: Flow) -> None:
    flow.write(LATER.format(how="approval='Fine?', timeout='1d'"))
    parked(flow)
    clock_of(flow.app).advance(timedelta(days=1))

    ended = worked(flow)

    assert ended is not None
    assert ended.state is PipelineRunState.SUCCEEDED
    assert flow.states(ended)["work"] == ["skipped"]


@pytest.fixture(params=["sqlite", "postgresql"])
def any_flow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flow]:
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    app = an_app(tmp_path / "home", database=database)
    yield Flow(app, tmp_path / "project")
    app.close()


def test_a_run_goes_on_when_the_event_it_waits_for_happens(any_flow: Flow) -> None:
    flow = any_flow
    flow.write(LATER.format(how="event='data: labels'"))
    data_arrives(flow.app, 0, "labels")
    parked(flow)
    data_arrives(flow.app, 0, "rides")
    assert flow.app.call(HasWaitNews())
    assert flow.app.call(NoticeWaits()) == 0
    assert not flow.app.call(HasWaitNews())
    assert not flow.app.call(FindWork())

    data_arrives(flow.app, 1, "labels")
    assert flow.app.call(NoticeWaits()) == 1
    ended = worked(flow)

    assert ended is not None
    assert ended.state is PipelineRunState.SUCCEEDED
    (wait,) = flow.app.call(ListWaits(run=ended.id))
    assert (wait.approved, wait.note) == (True, "labels has version 2")
    assert marks(flow, "worked") == 1


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("", "wait for nothing"),
        ("approval='a', delay=3", "approval and delay"),
        ("approval=' '", "no question"),
        ("event='file: x'", "nothing that happens in the store"),
        ("delay='soon'", "not a duration"),
        ("until='soon'", "no instant"),
        ("delay=1, timeout=2", "takes no timeout"),
        ("3, delay=1", "after something that is no step's result"),
        ("delay=-1", "delay is -1"),
    ],
)
def test_what_can_t_be_waited_for_is_refused_with_its_line(flow: Flow, how: str, told: str) -> None:
    flow.write(LATER.format(how=how))

    with pytest.raises(Invalid, match=told) as caught:
        flow.request()

    assert str(caught.value.where).startswith("flow.py:")


def test_a_wait_is_true_outside_a_pipeline() -> None:
    import mainspring as ms

    assert ms.wait(approval="Fine?") is True


def test_a_step_after_a_wait_that_is_skipped_is_skipped(flow: Flow) -> None:
    flow.write(
        """
        @ms.step(cache=False)
        def no() -> bool:
            return False

        @ms.step(cache=False)
        def work() -> int:
            return 1

        @ms.pipeline
        def flow():
            ms.when(no(), lambda: ms.when(ms.wait(approval="Fine?"), lambda: work()))
        """
    )
    flow.request()

    run = worked(flow)

    assert run is not None
    assert run.state is PipelineRunState.SUCCEEDED
    assert {s.state for s in flow.steps(run) if s.node != "no"} == {StepState.SKIPPED}
