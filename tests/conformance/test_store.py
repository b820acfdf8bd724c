"""What both databases must do alike."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from mainspring.app import App, open_app
from mainspring.domain.actor import Role
from mainspring.domain.event import ServicePaused
from mainspring.governance.requests import IssueToken, ListAuditEntries, ListEvents, VerifyAudit
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.store import leases
from mainspring.testing.apps import TESTER, an_app, clock_of

PAUSED = ServicePaused(service="demand", name="demand")


def test_a_failed_transaction_leaves_nothing_behind(any_app: App) -> None:
    with pytest.raises(RuntimeError), any_app.store.write(TESTER, "test") as tx:
        tx.emit(PAUSED)
        raise RuntimeError

    assert any_app.call(ListEvents()).items == []


def test_a_reader_sees_one_snapshot(any_app: App) -> None:
    with any_app.store.read(TESTER, "test") as before:
        count = "SELECT count(*) FROM events"
        assert before.execute(text(count)).scalar() == 0
        with any_app.store.write(TESTER, "test") as tx:
            tx.emit(PAUSED)

        assert before.execute(text(count)).scalar() == 0


def test_writers_take_turns(any_app: App) -> None:
    def write() -> None:
        for _ in range(10):
            any_app.call(IssueToken(name="x", role=Role.VIEWER))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verdict = any_app.call(VerifyAudit())
    assert (verdict.intact, verdict.entry_count, verdict.event_count) == (True, 80, 80)


def test_a_held_lease_is_not_given_away(any_app: App) -> None:
    with any_app.store.write(TESTER, "test") as tx:
        lease = leases.acquire(tx, "run:1", "a", timedelta(seconds=30))
        assert lease is not None
        assert leases.acquire(tx, "run:1", "b", timedelta(seconds=30)) is None


def test_a_worker_that_slept_past_its_lease_is_refused(any_app: App) -> None:
    with any_app.store.write(TESTER, "test") as tx:
        late = leases.acquire(tx, "run:1", "a", timedelta(seconds=30))
    clock_of(any_app).advance(timedelta(seconds=31))
    with any_app.store.write(TESTER, "test") as tx:
        taken_over = leases.acquire(tx, "run:1", "b", timedelta(seconds=30))

    assert late is not None
    assert taken_over is not None
    assert taken_over.fence == late.fence + 1
    with pytest.raises(Conflict, match="lost"), any_app.store.write(TESTER, "test") as tx:
        leases.renew(tx, late, timedelta(seconds=30))


def test_a_store_of_a_newer_version_is_refused_and_left_alone(any_app: App) -> None:
    with any_app.store.write(TESTER, "test") as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(Invalid, match="newer Mainspring") as caught:
        open_app(any_app.settings)

    assert caught.value.code == "store_too_new"


def test_opening_an_old_store_again_changes_nothing(any_app: App) -> None:
    any_app.call(IssueToken(name="x", role=Role.VIEWER))

    again = open_app(any_app.settings, actor=TESTER)

    assert len(again.call(ListAuditEntries()).items) == 1
    again.close()


def test_eight_that_open_a_fresh_store_at_once_all_come_up(
    any_app: App, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = ""
    if any_app.settings.database:
        database = request.getfixturevalue("postgres").new_database()
    opened, failures = [], []

    def open_it() -> None:
        try:
            opened.append(an_app(tmp_path / "fresh", database=database))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    for app in opened:
        app.close()
    assert len(opened) == 8
