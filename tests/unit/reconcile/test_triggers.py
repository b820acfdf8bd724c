"""The loop of triggers, on a real installation, also killed with kill -9 at any moment."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.trigger import CauseKind, CauseState, Source, TriggerMode
from mainspring.governance.requests import VerifyAudit
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.reconcile.triggers import Triggers
from mainspring.testing.apps import TESTER, clock_of
from mainspring.testing.triggers import (
    a_graph,
    a_trigger,
    causes,
    data_arrives,
    ended,
    on_data,
    on_schedule,
    status_of,
)

# Two loops at once do no harm, so each is one that may be killed at any moment.
LOOP = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from mainspring.app import loop_actor, open_app
from mainspring.config import Settings
from mainspring.reconcile.triggers import Triggers

app = open_app(Settings(home=Path(sys.argv[1])), actor=loop_actor("triggers"))
loop = Triggers(app.call)
print("ready", flush=True)
while True:
    loop.tick((), datetime.now(UTC))
"""


def tick(app: App, loop: Triggers) -> bool:
    return loop.tick((), app.clock.now())


def test_the_loop_looks_and_asks_for_a_run(app: App) -> None:
    a_trigger(app, on_data("rides"), graph=a_graph("rides"))
    loop = Triggers(app.call)
    data_arrives(app, 0)

    assert tick(app, loop)
    assert not tick(app, loop)

    (run,) = app.call(ListPipelineRuns())
    assert run.trigger == "nightly"


def test_a_paused_trigger_is_left_alone(app: App) -> None:
    from mainspring.triggers.requests import PauseTrigger

    a_trigger(app, on_data("rides"), graph=a_graph("rides"))
    app.call(PauseTrigger(name="nightly"))
    data_arrives(app, 0)

    assert not tick(app, Triggers(app.call))
    assert not causes(app)


def test_one_trigger_s_trouble_is_told_and_keeps_no_other_waiting(app: App) -> None:
    a_trigger(app, on_data("rides"), name="broken", graph=a_graph("nothing"))
    a_trigger(app, on_data("rides"), name="well", graph=a_graph("rides"))
    data_arrives(app, 0)
    loop = Triggers(app.call)

    tick(app, loop)

    (run,) = app.call(ListPipelineRuns())
    assert run.trigger == "well"
    assert "nothing" in str(status_of(app, "broken").trigger.error)
    data_arrives(app, 0, "nothing")
    clock_of(app).advance(timedelta(minutes=10))
    tick(app, loop)
    assert status_of(app, "broken").trigger.error is None
    assert status_of(app, "broken").last_run is not None


def test_a_file_that_arrives_gives_a_run(app: App, tmp_path: Path) -> None:
    # Files have the machine's own time, and the installation's clock stands still in the past.
    a_trigger(app, Source(kind=CauseKind.FILE, subject=f"{tmp_path}/in/*.csv"))
    loop = Triggers(app.call)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("a")

    for _ in range(3):
        clock_of(app).advance(timedelta(seconds=5))
        tick(app, loop)

    (run,) = app.call(ListPipelineRuns())
    assert run.why == f"trigger nightly: {tmp_path}/in/a.csv arrived"


def test_a_commit_gives_a_run_and_no_repository_an_error(app: App, tmp_path: Path) -> None:
    source = Source(kind=CauseKind.GIT, subject=str(tmp_path / "repo"), detail="main")
    a_trigger(app, source)
    loop = Triggers(app.call)

    def look_until(done: object) -> None:
        until = time.monotonic() + 30
        while not done() and time.monotonic() < until:  # type: ignore[operator]
            clock_of(app).advance(timedelta(seconds=31))
            tick(app, loop)
            time.sleep(0.02)
        assert done()  # type: ignore[operator]

    look_until(lambda: "git can't look" in str(status_of(app).trigger.error))
    (tmp_path / "repo").mkdir()
    for command in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "1"]):
        name = ["-c", "user.name=n", "-c", "user.email=n@example"]
        subprocess.run(["git", *name, *command], cwd=tmp_path / "repo", check=True)
    look_until(lambda: status_of(app).trigger.tips and not status_of(app).trigger.error)
    assert not causes(app)
    subprocess.run(
        ["git", *name, "commit", "-q", "--allow-empty", "-m", "2"],
        cwd=tmp_path / "repo",
        check=True,
    )

    look_until(lambda: app.call(ListPipelineRuns()))

    assert causes(app)[0].kind is CauseKind.GIT


def test_a_schedule_of_its_own_asks_for_a_run_each_time(app: App) -> None:
    a_trigger(app, on_schedule("@daily"))
    loop = Triggers(app.call)
    for _ in range(3):
        clock_of(app).advance(timedelta(days=1))
        while tick(app, loop):
            pass
        run = app.call(ListPipelineRuns())[0]
        ended(app, run)

    assert [c.state for c in causes(app)] == [CauseState.RAN] * 3


@pytest.mark.slow
def test_loops_that_are_killed_at_any_moment_lose_and_double_nothing(tmp_path: Path) -> None:
    app = open_app(Settings(home=tmp_path / "home"), actor=TESTER)
    a_trigger(
        app, on_data("rides"), graph=a_graph("rides"), mode=TriggerMode.EACH, concurrency=1000
    )
    random.seed(7)
    arrived = []

    for number in range(40):
        if number % 5 == 0:
            loops = [
                subprocess.Popen(
                    [sys.executable, "-c", LOOP, str(app.settings.home)],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for _ in range(2)
            ]
            for loop in loops:
                assert loop.stdout is not None
                assert loop.stdout.readline() == "ready\n"
        arrived.append(data_arrives(app, number).id)
        time.sleep(random.random() * 0.05)
        if number % 5 == 4:
            for loop in loops:
                os.kill(loop.pid, signal.SIGKILL)
                loop.wait()
                loop.stdout.close()
    last = Triggers(app.call)
    while tick(app, last):
        pass

    runs = app.call(ListPipelineRuns(limit=1000))
    assert sorted(run.inputs["rides"] for run in runs) == sorted(arrived)
    assert all(len(causes(app, run=run.id)) == 1 for run in runs)
    assert not causes(app, state=CauseState.WAITING)
    assert app.call(VerifyAudit()).intact
    app.close()
