"""Runs and what they log."""

import math
from datetime import timedelta

import pytest

from mainspring.app import App
from mainspring.domain.event import TrackingChanged
from mainspring.domain.run import Lifecycle, Metric, RunPart, RunStatus
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.kernel.paging import token_of
from mainspring.testing.apps import clock_of, emitted
from mainspring.tracking.requests import (
    CompareMetric,
    CreateExperiment,
    CreateRun,
    GetExperiment,
    GetMetricHistory,
    GetMetricPoints,
    GetRun,
    ListExperiments,
    LogBatch,
    RemoveRunTag,
    SearchRuns,
    UpdateExperiment,
    UpdateRun,
)


def a_run(app: App) -> str:
    return app.call(CreateRun(experiment="0")).id


def test_the_default_experiment_is_there_from_the_start(any_app: App) -> None:
    assert any_app.call(GetExperiment(name="Default")).id == "0"
    assert [e.id for e in any_app.call(ListExperiments())] == ["0"]

    a_run(any_app)

    assert [e.id for e in any_app.call(ListExperiments())] == ["0"]
    assert any_app.call(GetExperiment(id="0")).name == "Default"


def test_an_experiments_name_is_taken_even_by_a_deleted_one(any_app: App) -> None:
    made = any_app.call(CreateExperiment(name="rides", tags={"team": "demand"}))
    with pytest.raises(Conflict, match="already exists"):
        any_app.call(CreateExperiment(name="rides"))

    any_app.call(UpdateExperiment(id=made.id, lifecycle=Lifecycle.DELETED))

    with pytest.raises(Conflict, match="deleted state"):
        any_app.call(CreateExperiment(name="rides"))
    with pytest.raises(Conflict, match="active"):
        any_app.call(CreateRun(experiment=made.id))


def test_deleting_an_experiment_takes_its_runs_along_and_restoring_brings_them_back(
    any_app: App,
) -> None:
    made = any_app.call(CreateExperiment(name="rides"))
    run = any_app.call(CreateRun(experiment=made.id))

    any_app.call(UpdateExperiment(id=made.id, lifecycle=Lifecycle.DELETED))
    assert any_app.call(GetRun(run=run.id)).lifecycle is Lifecycle.DELETED

    any_app.call(UpdateExperiment(id=made.id, lifecycle=Lifecycle.ACTIVE))
    assert any_app.call(GetRun(run=run.id)).lifecycle is Lifecycle.ACTIVE


def test_the_default_experiment_cannot_be_deleted(any_app: App) -> None:
    with pytest.raises(Invalid, match="default experiment"):
        any_app.call(UpdateExperiment(id="0", lifecycle=Lifecycle.DELETED))


def test_a_run_keeps_what_it_logged(any_app: App) -> None:
    run = a_run(any_app)

    any_app.call(
        LogBatch(
            run=run,
            metrics=(
                Metric(key="rmse", value=3.5, step=1, timestamp_ms=10),
                Metric(key="rmse", value=2.5, step=2, timestamp_ms=5),
                Metric(key="loss", value=math.nan),
                Metric(key="bound", value=-math.inf),
            ),
            params={"depth": "6"},
            tags={"team": "demand"},
        )
    )

    got = any_app.call(GetRun(run=run))
    assert {m.key: m.value for m in got.metrics if m.key != "loss"} == {
        "rmse": 2.5,
        "bound": -math.inf,
    }
    assert math.isnan(next(m.value for m in got.metrics if m.key == "loss"))
    assert got.params == {"depth": "6"}
    assert got.tags["team"] == "demand"


def test_the_latest_metric_has_the_greatest_step_then_time_then_value(any_app: App) -> None:
    run = a_run(any_app)
    for step, at, value in ((2, 5, 1.0), (1, 99, 7.0), (2, 5, 3.0), (2, 5, 2.0), (2, 4, 9.0)):
        any_app.call(
            LogBatch(run=run, metrics=(Metric(key="m", value=value, step=step, timestamp_ms=at),))
        )

    assert any_app.call(GetRun(run=run)).metrics[0].value == 3.0


def test_a_batch_sent_twice_adds_nothing(any_app: App) -> None:
    run = a_run(any_app)
    batch = LogBatch(
        run=run, metrics=tuple(Metric(key="m", value=float(i), step=i) for i in range(50))
    )

    any_app.call(batch)
    any_app.call(batch)

    history = any_app.call(GetMetricHistory(run=run, key="m"))
    assert [m.step for m in history.items] == list(range(50))


def test_a_history_is_read_in_pages_that_neither_repeat_nor_miss_a_point(any_app: App) -> None:
    run = a_run(any_app)
    points = tuple(
        Metric(key="m", value=float(v), step=s, timestamp_ms=t)
        for s in range(4)
        for t in range(3)
        for v in range(3)
    )
    any_app.call(LogBatch(run=run, metrics=points))

    seen: list[Metric] = []
    token = None
    while True:
        page = any_app.call(GetMetricHistory(run=run, key="m", limit=5, page_token=token))
        seen.extend(page.items)
        token = page.next_token
        if token is None:
            break

    assert sorted((m.step, m.timestamp_ms, m.value) for m in seen) == [
        (m.step, m.timestamp_ms, m.value) for m in points
    ]


def test_a_parameters_value_cannot_change_and_nothing_of_the_batch_is_kept(any_app: App) -> None:
    run = a_run(any_app)
    any_app.call(LogBatch(run=run, params={"depth": "6"}))
    any_app.call(LogBatch(run=run, params={"depth": "6"}))

    with pytest.raises(Conflict, match="Changing param values is not allowed") as caught:
        any_app.call(LogBatch(run=run, params={"depth": "7", "rate": "1"}, tags={"a": "b"}))

    assert caught.value.code == "param_changed"
    got = any_app.call(GetRun(run=run))
    assert got.params == {"depth": "6"}
    assert "a" not in got.tags


@pytest.mark.parametrize("key", ["../x", "/x", "a//b", "./a", "a\nb", "", ".", "a" * 251])
def test_a_key_that_could_leave_its_folder_is_refused(app: App, key: str) -> None:
    run = a_run(app)

    with pytest.raises(Invalid):
        app.call(LogBatch(run=run, metrics=(Metric(key=key, value=1.0),)))


@pytest.mark.parametrize("key", ["a/b", "a b", "a:b", "größe", "精度", "a.b-c_d"])
def test_keys_in_any_script_are_fine(app: App, key: str) -> None:
    run = a_run(app)

    app.call(LogBatch(run=run, metrics=(Metric(key=key, value=1.0),)))

    assert app.call(GetRun(run=run)).metrics[0].key == key


def test_a_run_that_ends_says_when_and_leaves_an_event(any_app: App) -> None:
    run = a_run(any_app)
    later = clock_of(any_app).advance(timedelta(minutes=3))

    ended = any_app.call(UpdateRun(run=run, status=RunStatus.FINISHED))

    assert ended.ended_at == later
    assert [e.payload["what"] for e in emitted(any_app, TrackingChanged)] == [
        "run created",
        "run finished",
    ]


def test_a_runs_name_and_its_name_tag_go_together(any_app: App) -> None:
    run = a_run(any_app)

    any_app.call(LogBatch(run=run, tags={"mlflow.runName": "one"}))
    assert any_app.call(GetRun(run=run)).name == "one"

    any_app.call(UpdateRun(run=run, name="two"))
    assert any_app.call(GetRun(run=run)).tags["mlflow.runName"] == "two"


def test_a_deleted_run_takes_no_more_until_it_is_restored(any_app: App) -> None:
    run = a_run(any_app)
    any_app.call(UpdateRun(run=run, lifecycle=Lifecycle.DELETED))
    with pytest.raises(Conflict, match="'active' state"):
        any_app.call(LogBatch(run=run, params={"a": "b"}))

    any_app.call(UpdateRun(run=run, lifecycle=Lifecycle.ACTIVE))

    any_app.call(LogBatch(run=run, params={"a": "b"}))


def test_an_unknown_run_is_not_found(any_app: App) -> None:
    for request in (GetRun(run="run_x"), LogBatch(run="run_x"), UpdateRun(run="run_x")):
        with pytest.raises(NotFound, match="run_x"):
            any_app.call(request)


def test_a_tag_that_is_not_there_cannot_be_removed(any_app: App) -> None:
    run = a_run(any_app)
    any_app.call(LogBatch(run=run, tags={"a": "b"}))
    any_app.call(RemoveRunTag(run=run, key="a"))

    with pytest.raises(NotFound, match="No tag"):
        any_app.call(RemoveRunTag(run=run, key="a"))


def test_a_history_comes_in_pages_with_infinities_and_nan(any_app: App) -> None:
    run = any_app.call(CreateRun(experiment="0")).id
    values = [1.0, math.inf, -math.inf, math.nan, 2.0, math.nan]
    points = tuple(Metric(key="m", value=value, step=7) for value in values)
    any_app.call(LogBatch(run=run, metrics=points))
    any_app.call(LogBatch(run=run, metrics=points))

    found, token = [], None
    while True:
        page = any_app.call(GetMetricPoints(run=run, key="m", limit=1, page_token=token))
        found += page.values
        token = page.next_token
        if token is None:
            break

    assert [str(value) for value in found] == ["-inf", "nan", "1.0", "2.0", "inf"]
    assert any_app.call(GetMetricPoints(run=run, key="n")).steps == ()


@pytest.mark.parametrize(
    "token", [[1, 2], [1, 2, 3.0, 2], [2**63, 0, 1.0, 0], ["1", 0, 1.0, 0], [0, 0, "nan", 0]]
)
def test_a_place_in_a_history_that_was_never_given_is_refused(
    app: App, token: list[str | int | float | None]
) -> None:
    run = app.call(CreateRun(experiment="0")).id

    with pytest.raises(Invalid, match="page token"):
        app.call(GetMetricPoints(run=run, key="m", page_token=token_of(token)))


def test_a_metric_of_many_runs_is_sampled_with_its_first_and_last_point(any_app: App) -> None:
    runs = [any_app.call(CreateRun(experiment="0")).id for _ in range(2)]
    for run, count in zip(runs, (1000, 3), strict=True):
        points = tuple(Metric(key="m", value=float(step), step=step) for step in range(count))
        any_app.call(LogBatch(run=run, metrics=points))

    def steps(**narrowed: int) -> list[tuple[int, ...]]:
        found = any_app.call(CompareMetric(runs=tuple(runs), key="m", **narrowed))
        return [points.steps for points in found]

    assert steps(limit=4) == [(0, 333, 666, 999), (0, 1, 2)]
    assert steps(limit=1) == [(999,), (2,)]
    assert steps(limit=3, first_step=10, last_step=20) == [(10, 15, 20), ()]
    assert [len(each) for each in steps(limit=500)] == [500, 3]
    with pytest.raises(Invalid, match="both must be specified"):
        steps(first_step=1)
    with pytest.raises(NotFound):
        any_app.call(CompareMetric(runs=("run_unknown",), key="m"))


def test_of_a_run_only_those_parts_are_read_that_are_asked_for(any_app: App) -> None:
    run = any_app.call(CreateRun(experiment="0", name="a")).id
    any_app.call(LogBatch(run=run, metrics=(Metric(key="m", value=1.0),), params={"p": "1"}))

    bare = any_app.call(GetRun(run=run, parts=()))
    page = any_app.call(SearchRuns(experiments=("0",), parts=(RunPart.PARAMS,))).items

    assert (bare.name, bare.metrics, bare.params, bare.tags) == ("a", (), {}, {})
    assert [(found.metrics, found.params) for found in page] == [((), {"p": "1"})]
