"""Searching in MLflow's grammar, on both databases."""

import math
from collections.abc import Sequence
from datetime import timedelta

import pytest

from mainspring.app import App
from mainspring.domain.run import DatasetInput, Lifecycle, Metric
from mainspring.kernel.errors import Invalid
from mainspring.kernel.paging import key_of, token_of
from mainspring.testing.apps import clock_of
from mainspring.tracking.requests import (
    CreateExperiment,
    CreateLoggedModel,
    CreateRun,
    LogBatch,
    LogInputs,
    MetricDataset,
    ModelOrder,
    SearchExperiments,
    SearchLoggedModels,
    SearchRuns,
    TagExperiment,
    UpdateRun,
)


def a_run(
    app: App,
    name: str,
    *,
    metrics: dict[str, float] | None = None,
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> str:
    clock_of(app).advance(timedelta(seconds=1))
    run = app.call(CreateRun(experiment="0", name=name)).id
    app.call(
        LogBatch(
            run=run,
            metrics=tuple(Metric(key=k, value=v) for k, v in (metrics or {}).items()),
            params=params or {},
            tags=tags or {},
        )
    )
    return run


def names(app: App, filter: str = "", order_by: Sequence[str] = ()) -> list[str]:
    page = app.call(SearchRuns(experiments=("0",), filter=filter, order_by=tuple(order_by)))
    return [run.name for run in page.items]


@pytest.fixture
def runs(any_app: App) -> App:
    a_run(
        any_app, "a", metrics={"rmse": 1.0, "f 1": 0.5}, params={"depth": "6"}, tags={"t.x": "Hi"}
    )
    a_run(any_app, "b", metrics={"rmse": 2.0}, params={"depth": "7"}, tags={"t.x": "hi_there"})
    a_run(any_app, "c", metrics={"rmse": math.nan}, params={"depth": "10%"})
    a_run(any_app, "d", tags={"t.x": "it's"})
    a_run(any_app, "e", metrics={"rmse": math.inf})
    return any_app


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("", "edcba"),
        ("metrics.rmse < 1.5", "a"),
        ("metrics.rmse >= 1 AND metric.rmse <= 2", "ba"),
        ("metrics.rmse > 1e300", "e"),
        ("metrics.rmse != 1", "ecb"),
        ("metrics.`f 1` = 0.5", "a"),
        ('metrics."f 1" = 0.5', "a"),
        ("params.depth = '6'", "a"),
        ('params.depth = "6" and tags.t.x = "Hi"', "a"),
        ("params.depth != '6'", "cb"),
        ("params.depth IS NULL", "ed"),
        ("param.depth IS NOT NULL", "cba"),
        ("tags.t.x LIKE 'h%'", "b"),
        ("tags.t.x like 'H_'", "a"),
        ("tags.t.x ILIKE 'h%'", "ba"),
        ("tags.`t.x` = 'it''s'", "d"),
        ("params.depth LIKE '10%'", "c"),
        ("params.depth LIKE '[1]%'", ""),
        ("attributes.run_name = 'a'", "a"),
        ("run_name LIKE '%'", "edcba"),
        ("attributes.\"run name\" != 'a'", "edcb"),
        ("status = 'RUNNING'", "edcba"),
        ("attr.start_time > 1767225603000", "ed"),
        ("attributes.artifact_uri LIKE 'mlflow-artifacts:/0/run%/artifacts'", "edcba"),
        ("attributes.user_id = 'tester'", "edcba"),
    ],
)
def test_a_filter_finds_just_what_it_says(runs: App, filter: str, found: str) -> None:
    assert "".join(names(runs, filter)) == found


@pytest.mark.parametrize(
    "filter",
    [
        "metrics.rmse < 1 OR metrics.rmse > 2",
        "(metrics.rmse < 1)",
        "NOT metrics.rmse < 1",
        "metrics.rmse < 'a'",
        "params.depth = 6",
        "params.depth > '6'",
        "run_name IN ('a')",
        "run_id IN ('a'",
        "run_id IN ()",
        "nothing.x = 'y'",
        "attributes.nothing = 'y'",
        "datasets.nothing = 'y'",
        "metrics.rmse",
        "metrics.rmse <",
        "metrics.rmse < 1 AND",
        "AND",
        "metrics. = 1",
        "'a' = 'a'",
        "params.a = 'it's'",
        "params.a = 'x'; DROP TABLE runs",
        "`",
        "\x00",
    ],
)
def test_what_the_grammar_lacks_is_refused(app: App, filter: str) -> None:
    with pytest.raises(Invalid):
        names(app, filter)


def test_run_ids_can_be_listed(runs: App) -> None:
    ids = [r.id for r in runs.call(SearchRuns(experiments=("0",))).items]

    assert names(runs, f"run_id IN ('{ids[0]}', '{ids[2]}')") == ["e", "c"]
    assert names(runs, f"attributes.run_id NOT IN ('{ids[0]}','{ids[2]}')") == ["d", "b", "a"]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (["metrics.rmse"], "abecd"),
        (["metrics.rmse DESC"], "ebacd"),
        (["params.depth ASC"], "cabed"),
        (["params.depth DESC", "start_time ASC"], "bacde"),
        (["attributes.start_time"], "abcde"),
        (["run_name desc"], "edcba"),
        (["Run Name"], "abcde"),
        (["attributes.end_time"], "edcba"),
        (["tags.`t.x` DESC"], "dbaec"),
    ],
)
def test_what_lacks_a_field_comes_last_both_ways(runs: App, order: list[str], found: str) -> None:
    whole = "".join(names(runs, "", order))
    assert whole == found

    token, pages = None, []
    while True:
        page = runs.call(
            SearchRuns(experiments=("0",), order_by=tuple(order), limit=2, page_token=token)
        )
        pages.append("".join(run.name for run in page.items))
        token = page.next_token
        if token is None:
            break

    assert pages == [found[:2], found[2:4], found[4:]]


def test_a_field_that_comes_twice_in_an_order_is_refused(app: App) -> None:
    with pytest.raises(Invalid, match="duplicate"):
        names(app, "", ["metrics.a", "metrics.a DESC"])


def test_runs_that_begin_meanwhile_shift_no_page(runs: App) -> None:
    first = runs.call(SearchRuns(experiments=("0",), limit=2))
    a_run(runs, "f")

    second = runs.call(SearchRuns(experiments=("0",), limit=2, page_token=first.next_token))

    assert [run.name for run in second.items] == ["c", "b"]


@pytest.mark.parametrize("token", ["x", "e30", "W10", "WzFd"])
def test_a_token_that_was_never_given_is_refused(app: App, token: str) -> None:
    with pytest.raises(Invalid, match="token"):
        app.call(SearchRuns(experiments=("0",), page_token=token))


def test_a_token_of_another_search_is_refused(runs: App) -> None:
    token = runs.call(SearchRuns(experiments=("0",), limit=2)).next_token

    with pytest.raises(Invalid, match="another search"):
        runs.call(SearchRuns(experiments=("0",), order_by=("metrics.rmse",), page_token=token))


@pytest.mark.parametrize(
    "values",
    [
        [3, 1, "x"],
        [-1, 1, "x"],
        [0],
        [0, "text", "x"],
        [0, None, "x"],
        [0, 2**70, "x"],
        [0, 1, 5],
        [0, 1, "\0"],
        [0, 1, "x", "y"],
        ["0", 1, "x"],
    ],
)
def test_a_token_with_forged_values_is_refused(
    runs: App, values: list[str | int | float | None]
) -> None:
    first = runs.call(SearchRuns(experiments=("0",), limit=2))
    digest = key_of(first.next_token or "")[0]

    with pytest.raises(Invalid, match="page token"):
        runs.call(SearchRuns(experiments=("0",), page_token=token_of([digest, *values])))


def test_runs_are_found_by_the_data_they_read(any_app: App) -> None:
    run = a_run(any_app, "a")
    a_run(any_app, "b")
    rides = DatasetInput(
        name="rides",
        digest="d1",
        source_type="local",
        source="x",
        tags=(("mlflow.data.context", "training"),),
    )
    any_app.call(LogInputs(run=run, datasets=(rides,)))
    any_app.call(LogInputs(run=run, datasets=(rides,)))

    assert names(any_app, "datasets.name = 'rides' AND dataset.context LIKE 'train%'") == ["a"]
    assert names(any_app, "datasets.digest IN ('d1', 'd2')") == ["a"]
    assert names(any_app, "datasets.name != 'rides'") == []
    assert any_app.call(SearchRuns(experiments=("0",))).items[1].inputs == (rides,)


def test_deleted_runs_are_found_only_when_asked_for(any_app: App) -> None:
    run = a_run(any_app, "a")
    a_run(any_app, "b")
    any_app.call(UpdateRun(run=run, lifecycle=Lifecycle.DELETED))

    def found(lifecycle: Lifecycle | None) -> list[str]:
        page = any_app.call(SearchRuns(experiments=("0",), lifecycle=lifecycle))
        return [run.name for run in page.items]

    assert found(Lifecycle.ACTIVE) == ["b"]
    assert found(Lifecycle.DELETED) == ["a"]
    assert found(None) == ["b", "a"]


def test_experiments_are_searched_with_the_default_one_among_them(any_app: App) -> None:
    made = any_app.call(CreateExperiment(name="rides", tags={"team": "demand"}))

    def found(filter: str = "") -> list[str]:
        return [e.name for e in any_app.call(SearchExperiments(filter=filter)).items]

    assert found() == ["rides", "Default"]
    assert found("name ILIKE 'def%'") == ["Default"]
    assert found("tags.team = 'demand'") == ["rides"]
    assert found("tags.team IS NULL") == ["Default"]
    assert found(f"experiment_id IN ('{made.id}')") == ["rides"]

    any_app.call(TagExperiment(id="0", tags={"team": "x"}))

    assert sorted(found("tag.team IS NOT NULL")) == ["Default", "rides"]


def test_experiments_come_in_pages(any_app: App) -> None:
    for name in "abc":
        any_app.call(CreateExperiment(name=name))

    first = any_app.call(SearchExperiments(order_by=("name ASC",), limit=3))
    second = any_app.call(
        SearchExperiments(order_by=("name ASC",), limit=3, page_token=first.next_token)
    )

    assert [e.name for e in (*first.items, *second.items)] == ["Default", "a", "b", "c"]
    assert second.next_token is None


def test_logged_models_are_searched_by_what_was_measured_on_them(any_app: App) -> None:
    run = a_run(any_app, "r")
    ids = {}
    for name, on_rides, on_other in (("a", 1.0, 9.0), ("b", 2.0, 8.0)):
        clock_of(any_app).advance(timedelta(seconds=1))
        model = any_app.call(
            CreateLoggedModel(experiment="0", name=name, source_run=run, params={"p": name})
        )
        ids[name] = model.id
        any_app.call(
            LogBatch(
                run=run,
                metrics=(
                    Metric(
                        key="rmse", value=on_rides, step=0, model=model.id, dataset_name="rides"
                    ),
                    Metric(
                        key="rmse", value=on_other, step=1, model=model.id, dataset_name="other"
                    ),
                ),
            )
        )

    def found(**search: object) -> list[str]:
        page = any_app.call(SearchLoggedModels(experiments=("0",), **search))  # type: ignore[arg-type]
        return [model.name for model in page.items]

    rides = MetricDataset(dataset_name="rides")
    assert found() == ["b", "a"]
    assert found(filter=f"source_run_id = '{run}' AND name = 'a'") == ["a"]
    assert found(filter="params.p = 'b'") == ["b"]
    assert found(filter="metrics.rmse < 1.5") == []
    assert found(filter="metrics.rmse < 1.5", datasets=(rides,)) == ["a"]
    assert found(order_by=(ModelOrder(field_name="metrics.rmse"),)) == ["b", "a"]
    by_rides = ModelOrder(field_name="metrics.rmse", dataset_name="rides")
    assert found(order_by=(by_rides,)) == ["a", "b"]
    assert found(filter=f"model_id IN ('{ids['a']}')") == ["a"]
