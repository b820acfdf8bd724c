"""A store that an old version wrote: every row of it is there after the migrations.

`OLD_ROWS` are what revision 0001 holds. Whoever migrates a table adds rows of it, and what must be read of them.
"""

import math
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.run import Metric
from mainspring.store.databases import open_database
from mainspring.store.migrations.configure import alembic_config
from mainspring.testing.apps import TESTER
from mainspring.tracking.requests import (
    GetExperiment,
    GetMetricHistory,
    GetMetricPoints,
    GetRun,
    LogBatch,
    SearchRuns,
)

_AT = 1_767_225_600_000_000

OLD_ROWS = (
    f"INSERT INTO experiments VALUES ('0', 'Default', 'active', {_AT}, {_AT})",
    f"INSERT INTO experiments VALUES ('e1', 'rides', 'active', {_AT}, {_AT})",
    "INSERT INTO experiment_tags VALUES ('e1', 'team', 'demand')",
    'INSERT INTO runs (id, experiment, name, status, lifecycle, "user", started_at) '
    f"VALUES ('r1', 'e1', 'first', 'FINISHED', 'active', 'ada', {_AT})",
    'INSERT INTO runs (id, experiment, name, status, lifecycle, "user", started_at) '
    f"VALUES ('r2', 'e1', 'second', 'RUNNING', 'active', 'ada', {_AT + 1})",
    "INSERT INTO run_params VALUES ('r1', 'depth', '6')",
    "INSERT INTO run_tags VALUES ('r1', 'mlflow.note.content', 'good')",
    *(
        "INSERT INTO metric_points (run, key, step, timestamp_ms, value) "
        f"VALUES ('r1', 'rmse', {step}, {step * 10}, {step / 2})"
        for step in range(100)
    ),
    # NaN was NULL, which a unique index lets in twice.
    "INSERT INTO metric_points (run, key, step, timestamp_ms, value) "
    "VALUES ('r2', 'rmse', 1, 1, NULL)",
    "INSERT INTO metric_points (run, key, step, timestamp_ms, value) "
    "VALUES ('r2', 'rmse', 1, 1, NULL)",
    "INSERT INTO latest_metrics VALUES ('r1', 'rmse', 99, 990, 49.5)",
    "INSERT INTO latest_metrics VALUES ('r2', 'rmse', 1, 1, NULL)",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """The settings of a home whose store revision 0001 wrote."""
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    settings = Settings(home=tmp_path / "home", database=database)
    settings.home.mkdir()
    opened = open_database(settings.database_url)
    with opened.engine.connect() as connection:
        opened.begin_write(connection, durable=True, in_turn=False)
        command.upgrade(alembic_config(connection), "0001")
        for statement in OLD_ROWS:
            connection.execute(text(statement))
        opened.commit(connection)
    opened.engine.dispose()
    return settings


@pytest.fixture
def migrated(old: Settings) -> App:
    return open_app(old, actor=TESTER)


def test_runs_and_their_histories_are_all_there(migrated: App) -> None:
    first = migrated.call(GetRun(run="r1"))
    history = migrated.call(GetMetricPoints(run="r1", key="rmse"))
    of_second = migrated.call(GetMetricHistory(run="r2", key="rmse")).items

    assert migrated.call(GetExperiment(name="rides")).tags == {"team": "demand"}
    assert (first.params, first.tags) == ({"depth": "6"}, {"mlflow.note.content": "good"})
    assert first.metrics == (Metric(key="rmse", value=49.5, step=99, timestamp_ms=990),)
    assert history.steps == tuple(range(100))
    assert history.values == tuple(step / 2 for step in range(100))
    assert [(point.step, math.isnan(point.value)) for point in of_second] == [(1, True)]
    migrated.close()


def test_what_was_logged_before_is_searched_and_logged_on(migrated: App) -> None:
    points = (Metric(key="rmse", value=0.1, step=100), Metric(key="new", value=1.0))
    migrated.call(LogBatch(run="r1", metrics=points))

    page = migrated.call(SearchRuns(experiments=("e1",), order_by=("metrics.rmse",)))

    assert [run.id for run in page.items] == ["r1", "r2"]
    assert [m.value for m in page.items[0].metrics] == [1.0, 0.1]
    assert len(migrated.call(GetMetricPoints(run="r1", key="rmse")).steps) == 101
    migrated.close()


@pytest.mark.slow
def test_eight_servers_that_start_at_once_on_an_old_store_all_come_up(old: Settings) -> None:
    script = (
        "import sys; from mainspring.app import open_app; from mainspring.config import Settings; "
        "from mainspring.tracking.requests import GetMetricPoints; from pathlib import Path; "
        "app = open_app(Settings(home=Path(sys.argv[1]), database=sys.argv[2])); "
        "print(len(app.call(GetMetricPoints(run='r1', key='rmse')).steps)); app.close()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(old.home), old.database],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]

    said = [process.communicate(timeout=60) for process in started]

    assert said == [("100\n", "")] * 8
