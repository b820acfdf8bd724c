"""Runs that were handed on to another scheduler: keys, leases on single steps and fences, on both databases."""

from datetime import timedelta

import pytest

from mainspring.app import App
from mainspring.domain.pipeline import (
    Graph,
    Node,
    NodeOutput,
    PipelineRun,
    PipelineRunState,
    StepState,
    StoredValue,
    ValueKind,
)
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Conflict
from mainspring.pipelines.lease import PATIENCE
from mainspring.pipelines.requests import (
    BeginRun,
    CancelRun,
    FindWork,
    FinishRun,
    FinishStep,
    ListSteps,
    RenewRunLease,
    RequestRun,
    RunLease,
    StartStep,
    TakeRun,
    TakeStep,
)
from mainspring.testing.apps import clock_of

GRAPH = Graph(
    pipeline="flow:demand",
    parameters=(),
    nodes=tuple(
        Node(
            id=name,
            step=f"flow:{name}",
            node_outputs={},
            datasets={},
            parameters={},
            constants={},
            mapped=("x",) if name == "train" else (),
        )
        for name in ("features", "train")
    ),
    outputs=(NodeOutput(node="train"),),
)
KEY = digest_bytes(b"key")


def begun(app: App, key: str = "monday") -> PipelineRun:
    asked = RequestRun(
        pipeline="flow:demand",
        graph=GRAPH,
        inputs={},
        project=app.blobs.put_bytes(b"project"),
        environment=app.blobs.put_bytes(b"environment"),
    )
    return app.call(BeginRun(asked=asked, key=key, scheduler="argo"))


def taken(app: App, run: PipelineRun, step: str = "features", holder: str = "p1") -> RunLease:
    lease = app.call(TakeStep(run=run.id, step=step, holder=holder))
    assert lease is not None
    return lease


def test_a_key_stands_for_one_run_until_that_fails(any_app: App) -> None:
    run = begun(any_app)
    assert begun(any_app) == run
    output = StoredValue(kind=ValueKind.JSON, digest=any_app.blobs.put_bytes(b"1"))
    lease = taken(any_app, run)
    any_app.call(StartStep(lease=lease, node="features"))
    any_app.call(
        FinishStep(
            lease=lease, node="features", attempt=1, state=StepState.SUCCEEDED, outputs=(output,)
        )
    )
    any_app.call(FinishRun(lease=lease, state=PipelineRunState.FAILED, error="no"))
    clock_of(any_app).advance(timedelta(seconds=1))

    again = begun(any_app)

    assert (again.parent, again.kept) == (run.id, ("features",))
    assert again.state is PipelineRunState.RUNNING
    assert begun(any_app) == again


def test_steps_are_held_one_by_one(any_app: App) -> None:
    run = begun(any_app)
    first = taken(any_app, run)

    assert any_app.call(TakeStep(run=run.id, step="features", holder="p2")) is None
    other = taken(any_app, run, "train[0]", "p2")

    for lease in (first, other):
        assert any_app.call(RenewRunLease(lease=lease)).id == run.id
    assert any_app.call(FindWork()) == ()


def test_a_process_whose_step_was_taken_is_refused_and_its_attempt_interrupted(
    any_app: App,
) -> None:
    run = begun(any_app)
    late = taken(any_app, run)
    any_app.call(StartStep(lease=late, node="features"))
    clock_of(any_app).advance(timedelta(seconds=31))

    taken(any_app, run, holder="p2")

    attempts = any_app.call(ListSteps(run=run.id))
    assert [attempt.state for attempt in attempts] == [StepState.INTERRUPTED]
    with pytest.raises(Conflict) as error:
        any_app.call(FinishStep(lease=late, node="features", attempt=1, state=StepState.SUCCEEDED))
    assert error.value.code == "lease_lost"


def test_taking_a_mapped_step_whole_interrupts_what_its_items_were_at(any_app: App) -> None:
    run = begun(any_app)
    item = taken(any_app, run, "train[1]")
    any_app.call(StartStep(lease=item, node="train[1]"))

    taken(any_app, run, "train", "p2")

    assert any_app.call(ListSteps(run=run.id))[0].state is StepState.INTERRUPTED


def test_others_wait_for_a_result_only_while_its_step_is_held(any_app: App) -> None:
    run, other = begun(any_app), begun(any_app, "tuesday")
    any_app.call(StartStep(lease=taken(any_app, run), node="features", cache_key=KEY))
    waiting = taken(any_app, other, holder="p2")

    with pytest.raises(Conflict) as error:
        any_app.call(StartStep(lease=waiting, node="features", cache_key=KEY))
    assert error.value.code == "step_under_way"
    clock_of(any_app).advance(timedelta(seconds=31))

    assert any_app.call(StartStep(lease=waiting, node="features", cache_key=KEY)).attempt == 1


def test_cancelling_ends_it_at_once(any_app: App) -> None:
    run = begun(any_app)
    lease = taken(any_app, run)

    assert any_app.call(CancelRun(run=run.id)).state is PipelineRunState.CANCELLED
    with pytest.raises(Conflict) as error:
        any_app.call(RenewRunLease(lease=lease))
    assert error.value.code == "lease_lost"


def test_a_worker_takes_it_when_the_scheduler_is_silent_for_too_long(any_app: App) -> None:
    run = begun(any_app)
    lease = taken(any_app, run)
    clock_of(any_app).advance(PATIENCE + timedelta(seconds=1))

    assert any_app.call(FindWork()) == (run.id,)
    worker = any_app.call(TakeRun(holder="w1"))

    assert worker is not None
    assert any_app.call(TakeStep(run=run.id, step="features", holder="p2")) is None
    with pytest.raises(Conflict) as error:
        any_app.call(StartStep(lease=lease, node="features"))
    assert error.value.code == "lease_lost"


def test_a_step_that_is_held_keeps_the_run(any_app: App) -> None:
    run = begun(any_app)
    lease = taken(any_app, run)
    clock_of(any_app).advance(PATIENCE - timedelta(seconds=1))
    any_app.call(RenewRunLease(lease=lease))
    clock_of(any_app).advance(PATIENCE - timedelta(seconds=1))

    assert any_app.call(FindWork()) == ()
