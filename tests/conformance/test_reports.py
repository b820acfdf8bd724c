"""Reports that are written together: what goes wrong with one, with too many, and with the store."""

import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from mainspring.app import App
from mainspring.domain.actor import Role
from mainspring.domain.run import Metric
from mainspring.governance.requests import IssueToken, ListAuditEntries
from mainspring.kernel.errors import Conflict, Denied, Unavailable
from mainspring.operations.reports import MAX_WAITING
from mainspring.server.control import create_app_on
from mainspring.testing.apps import TESTER, an_app
from mainspring.testing.postgres import PostgresServer
from mainspring.testing.web import Browser
from mainspring.tracking.requests import (
    CreateRun,
    GetMetricPoints,
    GetRun,
    ListExperiments,
    LogBatch,
)

LOG = "/api/2.0/mlflow/runs/log-batch"


def a_run(app: App) -> str:
    return app.call(CreateRun(experiment="0")).id


def steps(app: App, run: str) -> tuple[int, ...]:
    return app.call(GetMetricPoints(run=run, key="m")).steps


def a_point(run: str, step: int) -> LogBatch:
    return LogBatch(run=run, metrics=(Metric(key="m", value=1.0, step=step),))


@contextmanager
def another_writing(app: App, run: str) -> Iterator[None]:
    """Somebody else has the store, or at least the run, for as long as the block lasts."""
    app.call(a_point(run, 0))
    with app.store.write(TESTER, "test") as tx:
        tx.execute(text("UPDATE metric_series SET step = step"))
        yield


def settled(futures: list[Future[Any]]) -> list[BaseException | None]:
    return [future.exception(timeout=30) for future in futures]


def test_one_that_is_wrong_does_not_hurt_those_beside_it(any_app: App) -> None:
    run = a_run(any_app)
    any_app.call(LogBatch(run=run, params={"depth": "6"}))

    with another_writing(any_app, run):
        futures = [
            any_app.report(a_point(run, 1)),
            any_app.report(LogBatch(run=run, params={"depth": "7"})),
            any_app.report(a_point(run, 2)),
        ]
    errors = settled(futures)

    assert [type(error) for error in errors] == [type(None), Conflict, type(None)]
    assert steps(any_app, run) == (0, 1, 2)
    assert any_app.call(GetRun(run=run)).params == {"depth": "6"}


def test_beyond_what_can_wait_all_are_turned_away_at_once_and_asked_to_come_again(
    any_app: App,
) -> None:
    run = a_run(any_app)
    browser = Browser(create_app_on(any_app))
    point = {"key": "m", "value": 1.0, "timestamp": 1, "step": 9}
    futures, refused = [], None

    with another_writing(any_app, run):
        futures.append(any_app.report(a_point(run, 1)))
        # It has begun then, and takes no more with it.
        time.sleep(0.3)
        while refused is None:
            try:
                futures.append(any_app.report(a_point(run, len(futures) + 1)))
            except Unavailable as error:
                refused = error
        answered = browser.post(LOG, json={"run_id": run, "metrics": [point]})

    assert refused.code == "overloaded"
    assert answered.status_code == 503
    assert answered.headers["Retry-After"] == "1"
    assert answered.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
    assert len(futures) >= MAX_WAITING
    assert settled(futures) == [None] * len(futures)
    assert len(steps(any_app, run)) == len(futures) + 1
    assert browser.post(LOG, json={"run_id": run, "metrics": [point]}).status_code == 200
    browser.close()


def test_a_report_by_somebody_who_may_not_is_refused_and_audited(app: App) -> None:
    run = a_run(app)
    token = app.call(IssueToken(name="vera", role=Role.VIEWER)).secret
    browser = Browser(create_app_on(app), Authorization=f"Bearer {token}")

    with pytest.raises(Denied):
        app.acting_as(app.authenticate(token)).report(a_point(run, 1))
    answered = browser.post(LOG, json={"run_id": run})

    assert answered.status_code == 403
    entries = app.call(ListAuditEntries()).items
    assert [e.outcome for e in entries if e.operation == "tracked_run.log"] == ["denied"]
    browser.close()


def test_what_was_reported_is_written_before_the_store_is_closed(tmp_path: Path) -> None:
    app = an_app(tmp_path / "home")
    run = a_run(app)
    futures = [app.report(a_point(run, step)) for step in range(100)]

    app.close()

    assert settled(futures) == [None] * 100
    with pytest.raises(Unavailable, match="being closed"):
        app.report(a_point(run, 1))


def test_a_full_disk_is_told_and_room_is_enough_to_go_on(app: App) -> None:
    run = a_run(app)
    # SQLite itself refuses to grow the file, as it does on a full disk.
    with app.store.read(TESTER, "test") as tx:
        tx.execute(text("PRAGMA max_page_count = 1"))
    big = LogBatch(run=run, tags={f"t{number}": "x" * 8000 for number in range(100)})

    with pytest.raises(Unavailable) as caught:
        app.report(big).result(timeout=30)
    assert caught.value.code == "disk_full"
    assert app.call(GetRun(run=run)).tags.keys() == {"mlflow.runName"}

    with app.store.read(TESTER, "test") as tx:
        tx.execute(text("PRAGMA max_page_count = 1000000"))
    app.report(big).result(timeout=30)
    assert len(app.call(GetRun(run=run)).tags) == 101


@pytest.fixture
def on_postgres(postgres: PostgresServer, tmp_path: Path) -> Iterator[App]:
    app = an_app(tmp_path / "home", database=postgres.new_database())
    yield app
    app.close()


def _end_connections(app: App, postgres: PostgresServer) -> None:
    """What clients see of a database that is restarted."""
    name = app.settings.database_url.rpartition("/")[2].partition("?")[0]
    postgres.run_sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )


def test_a_database_that_was_restarted_is_found_again(
    on_postgres: App, postgres: PostgresServer
) -> None:
    run = a_run(on_postgres)

    for step in range(3):
        on_postgres.report(a_point(run, step)).result(timeout=30)
        _end_connections(on_postgres, postgres)
        assert on_postgres.call(ListExperiments()) != ()
        _end_connections(on_postgres, postgres)

    assert steps(on_postgres, run) == (0, 1, 2)


def test_a_connection_that_is_lost_is_told_and_the_same_report_sent_again_is_kept_once(
    on_postgres: App, postgres: PostgresServer
) -> None:
    run = a_run(on_postgres)
    on_postgres.call(a_point(run, 0))

    with pytest.raises(Unavailable), on_postgres.store.write(TESTER, "test") as tx:
        tx.execute(text("UPDATE metric_series SET step = step"))
        waiting = on_postgres.report(a_point(run, 1))
        time.sleep(0.3)
        _end_connections(on_postgres, postgres)
        with pytest.raises(Unavailable) as caught:
            waiting.result(timeout=30)
        tx.execute(text("SELECT 1"))

    assert caught.value.code == "store_unreachable"
    for _ in range(2):
        on_postgres.report(a_point(run, 1)).result(timeout=30)
    assert steps(on_postgres, run) == (0, 1)
