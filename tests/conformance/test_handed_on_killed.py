"""Processes that run single steps for another scheduler are killed at any moment, on both databases."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, StepState
from mainspring.pipelines.handed_on import HandedOn
from mainspring.pipelines.local import request_for
from mainspring.pipelines.requests import BeginRun, GetPipelineRun, ListSteps
from mainspring.pipelines.snapshot import take_snapshot
from mainspring.testing.apps import TESTER

FLOW = """
import time
import mainspring as ms

@ms.step
def numbers(n: int) -> list[int]:
    return list(range(n))

@ms.step(cache=False)
def slowly(x: int) -> int:
    time.sleep(0.3)
    return x + 1

@ms.step
def total(values: list[int]) -> int:
    return sum(values)

@ms.pipeline
def flow(n: int = 3):
    return total(slowly.map(numbers(n)))
"""

STEP = """
import sys
from pathlib import Path
from mainspring.app import opened_app
from mainspring.config import load_settings
from mainspring.pipelines.handed_on import HandedOn

with opened_app(load_settings(home=sys.argv[1], database=sys.argv[2])) as app:
    result = HandedOn(app.call, app.blobs, app.settings, sys.argv[3], lease_seconds=1.0).step(sys.argv[4])
sys.exit(result.state.value not in ("succeeded", "cached"))
"""


class Scheduler:
    """Has one step after the other run, kills the first tries of each at a random moment, and tries again."""

    def __init__(self, settings: Settings, run: str, seed: int) -> None:
        self.settings = settings
        self.run = run
        self.random = random.Random(seed)
        self.kills = 0

    def step(self, name: str, kills: int) -> None:
        for number in range(kills + 1):
            process = self.start(name)
            if number == kills:
                assert process.wait(60) == 0
                return
            try:
                process.wait(self.random.uniform(0.3, 1.6))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                self.kills += 1

    def start(self, name: str) -> "subprocess.Popen[bytes]":
        where = [str(self.settings.home), self.settings.database]
        return subprocess.Popen([sys.executable, "-c", STEP, *where, self.run, name])


def begun(app: App, folder: Path) -> PipelineRun:
    folder.mkdir()
    (folder / "flow.py").write_text(FLOW)
    code = take_snapshot(app.blobs, folder)
    asked = request_for(app.call, app.blobs, app.settings, "flow:flow", code=code)
    return app.call(BeginRun(asked=asked, key="monday", scheduler="argo"))


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_killed_steps_are_run_again_and_nothing_counts_twice(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = ""
    if database == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    app = open_app(Settings(home=tmp_path / "home", database=url), actor=TESTER)
    run = begun(app, tmp_path / "project")
    scheduler = Scheduler(app.settings, run.id, seed=7)

    scheduler.step("numbers", kills=2)
    for item in range(3):
        scheduler.step(f"slowly[{item}]", kills=3)
    scheduler.step("total", kills=2)
    ended = HandedOn(app.call, app.blobs, app.settings, run.id).finish()

    attempts = app.call(ListSteps(run=run.id))
    app.close()
    assert scheduler.kills >= 4
    assert ended.state is PipelineRunState.SUCCEEDED
    assert [output.summary for output in ended.outputs] == ["6"]
    done = [attempt.node for attempt in attempts if attempt.is_done]
    assert sorted(done) == ["numbers", "slowly", "slowly[0]", "slowly[1]", "slowly[2]", "total"]
    others = {attempt.state for attempt in attempts if not attempt.is_done}
    assert others <= {StepState.INTERRUPTED}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_process_that_slept_past_its_lease_is_refused(tmp_path: Path) -> None:
    app = open_app(Settings(home=tmp_path / "home"), actor=TESTER)
    run = begun(app, tmp_path / "project")
    scheduler = Scheduler(app.settings, run.id, seed=7)
    scheduler.step("numbers", kills=0)
    asleep = scheduler.start("slowly[0]")
    while not any(a.node == "slowly[0]" for a in app.call(ListSteps(run=run.id))):
        time.sleep(0.02)
    asleep.send_signal(signal.SIGSTOP)
    time.sleep(1.2)

    scheduler.step("slowly[0]", kills=0)
    asleep.send_signal(signal.SIGCONT)

    assert asleep.wait(30) != 0
    states = [a.state for a in app.call(ListSteps(run=run.id)) if a.node == "slowly[0]"]
    assert states == [StepState.INTERRUPTED, StepState.SUCCEEDED]
    assert app.call(GetPipelineRun(run=run.id)).state is PipelineRunState.RUNNING
    app.close()
