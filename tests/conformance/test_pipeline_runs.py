"""Runs, steps and leases, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest

from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersionState, Manifest, ManifestEntry
from mainspring.domain.event import RunFinished, RunRequested, RunStarted, StepFinished
from mainspring.domain.pipeline import (
    DatasetArgument,
    Graph,
    LogLine,
    Node,
    NodeOutput,
    PipelineParameter,
    PipelineRun,
    PipelineRunState,
    StepState,
    StoredValue,
    ValueKind,
)
from mainspring.domain.run import RunStatus
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Conflict, Invalid, NotFound, Rejected
from mainspring.pipelines.requests import (
    AppendLogs,
    CancelRun,
    FindCached,
    FindWork,
    FinishRun,
    FinishStep,
    GetPipelineRun,
    ListPipelineRuns,
    ListSteps,
    ReadLogs,
    ReleaseRun,
    RenewRunLease,
    RequestRun,
    RunLease,
    StartStep,
    TakeRun,
)
from mainspring.testing.apps import clock_of, emitted
from mainspring.tracking.requests import GetRun

GRAPH = Graph(
    pipeline="flow:demand",
    parameters=(
        PipelineParameter(name="rides", is_dataset=True),
        PipelineParameter(name="depth", is_dataset=False, has_default=True, default=6),
    ),
    nodes=tuple(
        Node(
            id=name,
            step=f"flow:{name}",
            node_outputs={},
            datasets={"rides": DatasetArgument(parameter="rides")},
            parameters={},
            constants={},
        )
        for name in ("features", "train")
    ),
    outputs=(NodeOutput(node="train"),),
)
KEY = digest_bytes(b"key")


def a_version(app: App, state: DatasetVersionState = DatasetVersionState.ACCEPTED) -> str:
    file = ManifestEntry(path="a.csv", digest=app.blobs.put_bytes(b"a"), size_bytes=1)
    manifest = put_manifest(app.blobs, Manifest(entries=(file,)))
    version = app.call(
        AddDatasetVersion(
            dataset="rides", manifest=manifest, file_count=1, size_bytes=1, state=state
        )
    )
    return version.id


def a_run(app: App, **changes: object) -> PipelineRun:
    fields = {
        "pipeline": "flow:demand",
        "graph": GRAPH,
        "inputs": {"rides": a_version(app)},
        "project": app.blobs.put_bytes(b"project"),
        "environment": app.blobs.put_bytes(b"environment"),
        "service": "demand",
        "why": "new data",
    }
    return app.call(RequestRun(**(fields | changes)))  # type: ignore[arg-type]


def taken(app: App, holder: str = "w1") -> RunLease:
    lease = app.call(TakeRun(holder=holder))
    assert lease is not None
    return lease


def an_output(app: App) -> StoredValue:
    return StoredValue(kind=ValueKind.JSON, digest=app.blobs.put_bytes(b"1"))


def test_a_requested_run_is_tracked_under_the_same_id(any_app: App) -> None:
    run = a_run(any_app, params={"depth": 3})

    assert run.state is PipelineRunState.REQUESTED
    assert run.params == {"depth": 3}
    assert any_app.call(GetPipelineRun(run=run.id)) == run
    tracked = any_app.call(GetRun(run=run.id))
    assert tracked.status is RunStatus.SCHEDULED
    assert tracked.params == {"depth": "3"}
    assert [given.name for given in tracked.inputs] == ["rides"]
    assert len(emitted(any_app, RunRequested)) == 1


def test_defaults_are_kept_with_the_run(any_app: App) -> None:
    assert a_run(any_app).params == {"depth": 6}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"params": {"width": 1}}, "no parameter 'width'"),
        ({"inputs": {}}, "takes the datasets rides; it was given none"),
        ({"project": digest_bytes(b"gone")}, "no bytes"),
    ],
)
def test_a_run_that_could_not_work_is_refused(
    any_app: App, changes: dict[str, object], told: str
) -> None:
    with pytest.raises((Invalid, NotFound), match=told):
        a_run(any_app, **changes)

    assert any_app.call(ListPipelineRuns()) == ()


def test_data_that_failed_its_checks_is_not_read(any_app: App) -> None:
    refused = a_version(any_app, DatasetVersionState.REFUSED)

    with pytest.raises(Rejected, match="failed its checks"):
        a_run(any_app, inputs={"rides": refused})


def test_one_worker_gets_a_run(any_app: App) -> None:
    run = a_run(any_app)
    assert any_app.call(FindWork()) == (run.id,)

    lease = taken(any_app)

    assert lease.run == run.id
    assert any_app.call(TakeRun(holder="w2")) is None
    assert any_app.call(FindWork()) == ()
    assert any_app.call(GetRun(run=run.id)).status is RunStatus.RUNNING


def test_a_step_is_recorded_with_its_outputs(any_app: App) -> None:
    a_run(any_app)
    lease = taken(any_app)
    started = any_app.call(StartStep(lease=lease, node="features", cache_key=KEY))
    output = an_output(any_app)
    finish = FinishStep(
        lease=lease,
        node="features",
        attempt=started.attempt,
        state=StepState.SUCCEEDED,
        outputs=(output,),
        cache_components={"code": "1"},
    )

    ended = any_app.call(finish)

    assert (ended.state, ended.outputs) == (StepState.SUCCEEDED, (output,))
    assert any_app.call(finish) == ended
    assert any_app.call(ListSteps(run=lease.run)) == (ended,)
    entry = any_app.call(FindCached(key=KEY))
    assert entry is not None
    assert (entry.outputs, entry.step, entry.components) == (
        (output,),
        "flow:features",
        {"code": "1"},
    )
    assert len(emitted(any_app, StepFinished)) == 1


def test_outputs_without_bytes_are_refused(any_app: App) -> None:
    a_run(any_app)
    lease = taken(any_app)
    any_app.call(StartStep(lease=lease, node="features"))
    missing = StoredValue(kind=ValueKind.JSON, digest=digest_bytes(b"never stored"))

    with pytest.raises(NotFound, match="not stored"):
        any_app.call(
            FinishStep(
                lease=lease,
                node="features",
                attempt=1,
                state=StepState.SUCCEEDED,
                outputs=(missing,),
            )
        )


def test_cached_results_whose_bytes_are_gone_are_not_found(any_app: App) -> None:
    a_run(any_app)
    lease = taken(any_app)
    any_app.call(StartStep(lease=lease, node="features", cache_key=KEY))
    output = an_output(any_app)
    any_app.call(
        FinishStep(
            lease=lease,
            node="features",
            attempt=1,
            state=StepState.SUCCEEDED,
            outputs=(output,),
            cache_components={},
        )
    )
    any_app.blobs.path_of(output.digest).unlink()

    assert any_app.call(FindCached(key=KEY)) is None


def test_a_cached_step_is_recorded_whole(any_app: App) -> None:
    a_run(any_app)
    lease = taken(any_app)

    step = any_app.call(
        FinishStep(
            lease=lease,
            node="train",
            attempt=1,
            state=StepState.CACHED,
            outputs=(an_output(any_app),),
            cache_key=KEY,
            cached_from="run_before",
        )
    )

    assert (step.state, step.cached_from, step.cache_key) == (StepState.CACHED, "run_before", KEY)
    assert step.is_done


def test_a_worker_that_slept_is_refused_and_its_step_interrupted(any_app: App) -> None:
    run = a_run(any_app)
    late = taken(any_app, "w1")
    any_app.call(StartStep(lease=late, node="features"))
    clock_of(any_app).advance(timedelta(seconds=31))
    assert any_app.call(FindWork()) == (run.id,)

    lease = taken(any_app, "w2")

    assert lease.fence == late.fence + 1
    (step,) = any_app.call(ListSteps(run=run.id))
    assert step.state is StepState.INTERRUPTED
    for request in (
        RenewRunLease(lease=late),
        StartStep(lease=late, node="train"),
        FinishStep(lease=late, node="features", attempt=1, state=StepState.FAILED),
        FinishRun(lease=late, state=PipelineRunState.SUCCEEDED),
    ):
        with pytest.raises(Conflict, match="lost") as caught:
            any_app.call(request)
        assert caught.value.code == "lease_lost"
    assert any_app.call(StartStep(lease=lease, node="features")).attempt == 2
    started = emitted(any_app, RunStarted)
    assert [event.payload["resumed"] for event in started] == [False, True]


def test_a_renewed_lease_is_kept(any_app: App) -> None:
    a_run(any_app)
    lease = taken(any_app)
    for _ in range(3):
        clock_of(any_app).advance(timedelta(seconds=20))
        any_app.call(RenewRunLease(lease=lease))

    assert any_app.call(TakeRun(holder="w2")) is None


def test_a_released_run_can_be_taken_at_once(any_app: App) -> None:
    a_run(any_app)
    lease = taken(any_app)

    any_app.call(ReleaseRun(lease=lease))

    assert taken(any_app, "w2").fence == lease.fence + 1


def test_a_run_ends_once(any_app: App) -> None:
    run = a_run(any_app)
    lease = taken(any_app)

    ended = any_app.call(
        FinishRun(
            lease=lease,
            state=PipelineRunState.SUCCEEDED,
            outputs=(an_output(any_app),),
            metrics={"rmse": 43.2, "r2": float("nan")},
        )
    )

    assert ended.state is PipelineRunState.SUCCEEDED
    tracked = any_app.call(GetRun(run=run.id))
    assert tracked.status is RunStatus.FINISHED
    assert {metric.key for metric in tracked.metrics} == {"rmse", "r2"}
    with pytest.raises(Conflict, match="is over"):
        any_app.call(FinishRun(lease=lease, state=PipelineRunState.FAILED))
    assert any_app.call(TakeRun(holder="w2", run=run.id)) is None
    assert [event.payload["state"] for event in emitted(any_app, RunFinished)] == ["succeeded"]


def test_a_waiting_run_is_cancelled_at_once(any_app: App) -> None:
    run = a_run(any_app)

    assert any_app.call(CancelRun(run=run.id)).state is PipelineRunState.CANCELLED
    assert any_app.call(CancelRun(run=run.id)).state is PipelineRunState.CANCELLED
    assert any_app.call(FindWork()) == ()
    assert any_app.call(GetRun(run=run.id)).status is RunStatus.KILLED


def test_a_run_that_is_worked_on_is_asked_to_stop(any_app: App) -> None:
    run = a_run(any_app)
    lease = taken(any_app)

    assert any_app.call(CancelRun(run=run.id)).state is PipelineRunState.RUNNING

    assert any_app.call(RenewRunLease(lease=lease)).cancel_requested


def test_a_run_whose_worker_died_is_cancelled_at_once(any_app: App) -> None:
    run = a_run(any_app)
    lease = taken(any_app)
    any_app.call(StartStep(lease=lease, node="features"))
    clock_of(any_app).advance(timedelta(seconds=31))

    any_app.call(CancelRun(run=run.id))

    (step,) = any_app.call(ListSteps(run=run.id))
    assert step.state is StepState.CANCELLED
    with pytest.raises(Conflict, match="is over"):
        any_app.call(RenewRunLease(lease=lease))


def test_lines_are_kept_once_and_read_on_from_any_place(any_app: App) -> None:
    run = a_run(any_app)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    lines = tuple(
        LogLine(node="features", attempt=1, seq=number, at=at, stream="out", text=f"line {number}")
        for number in range(3)
    )
    any_app.call(AppendLogs(run=run.id, lines=lines[:2]))
    any_app.call(AppendLogs(run=run.id, lines=lines))

    read = any_app.call(ReadLogs(run=run.id))

    assert [line.text for line in read] == ["line 0", "line 1", "line 2"]
    assert any_app.call(ReadLogs(run=run.id, after=read[1].id)) == (read[2],)
    assert any_app.call(ReadLogs(run=run.id, node="train")) == ()
