"""Workers that are killed with kill -9, at any moment: the run goes on, and nothing recorded is redone."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mainspring.app import App, open_app
from mainspring.blobs.trees import read_manifest
from mainspring.config import Settings
from mainspring.domain.event import RunFinished, StepFinished
from mainspring.domain.pipeline import PipelineRun, ValueKind
from mainspring.governance.requests import VerifyAudit
from mainspring.pipelines.requests import GetPipelineRun
from mainspring.testing.apps import TESTER, emitted
from mainspring.testing.flows import Flow

STEPS = 8
CHAIN = f"""
@ms.step
def add(x: int, number: int) -> int:
    mark(f"begun-{{number}}")
    time.sleep(0.15)
    mark(f"ended-{{number}}")
    return x + number

@ms.pipeline
def flow():
    x = add(0, 0)
    for number in range(1, {STEPS}):
        x = add(x, number)
    return x
"""
WORKER = """
import sys
from pathlib import Path
from mainspring.app import open_app
from mainspring.config import Settings
from mainspring.pipelines.engine import Worker

app = open_app(Settings(home=Path(sys.argv[1]), database=sys.argv[2]))
worker = Worker(app.call, app.blobs, app.settings, lease_seconds=float(sys.argv[3]))
print("ready", flush=True)
worker.run(sys.argv[4])
"""


def a_worker(app: App, run: PipelineRun, lease_seconds: float = 30) -> subprocess.Popen[str]:
    arguments = [str(app.settings.home), app.settings.database, str(lease_seconds), run.id]
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    with process.stdout:
        return process.wait(timeout=60)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    end(process)


def children_of(pid: int) -> set[int]:
    """Every process below one."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        path = Path(f"/proc/{waiting.pop()}/task")
        for task in path.glob("*/children"):
            for child in task.read_text().split():
                found.add(int(child))
                waiting.append(int(child))
    return found


def gone(pids: set[int]) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not any(_runs(pid) for pid in pids):
            return True
        time.sleep(0.02)
    return False


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def check(flow: Flow, run: PipelineRun, kills: int) -> None:
    """What must hold of a run however often its worker was killed."""
    app = flow.app
    ended = app.call(GetPipelineRun(run=run.id))
    assert ended.error is None
    assert flow.value(ended) == sum(range(STEPS))
    states = flow.states(ended)
    assert all(step.count("succeeded") == 1 for step in states.values())
    assert sum(step.count("interrupted") for step in states.values()) <= kills
    for number in range(STEPS):
        # A step whose end was recorded never begins again; one may be killed before its function begins.
        attempts = len(states["add" if number == 0 else f"add-{number + 1}"])
        assert 1 <= flow.count(f"begun-{number}") <= attempts
    assert len(emitted(app, RunFinished)) == 1
    finished = list(emitted(app, StepFinished))
    assert len(finished) == STEPS
    for step in flow.steps(ended):
        for output in step.outputs:
            if output.kind is ValueKind.MODEL:
                read_manifest(app.blobs, output.digest)
            app.blobs.verify(output.digest)
    assert app.call(VerifyAudit()).intact


def kill_until_done(flow: Flow, *, kills: int, seed: int) -> None:
    moments = random.Random(seed)
    flow.write(CHAIN)
    run = flow.request()
    for _ in range(kills):
        process = a_worker(flow.app, run)
        time.sleep(moments.uniform(0.02, 0.9))
        below = children_of(process.pid)
        kill(process)
        assert gone(below)
        if flow.app.call(GetPipelineRun(run=run.id)).state.is_final:
            break
    assert end(a_worker(flow.app, run)) == 0
    check(flow, run, kills)


def test_a_killed_worker_is_followed_by_the_next_at_once(flow: Flow) -> None:
    kill_until_done(flow, kills=3, seed=11)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_twenty_kills_change_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = ""
    if kind == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    app = open_app(Settings(home=tmp_path / "home", database=database), actor=TESTER)
    kill_until_done(Flow(app, tmp_path / "project"), kills=20, seed=5)
    app.close()


def test_a_run_goes_to_another_worker_when_its_lease_runs_out(flow: Flow) -> None:
    flow.write(CHAIN)
    run = flow.request()
    sleeper = a_worker(flow.app, run, lease_seconds=1.5)
    while not flow.count("begun-2"):
        time.sleep(0.02)
    # It can neither work nor renew its lease, and does not know.
    for pid in [sleeper.pid, *children_of(sleeper.pid)]:
        os.kill(pid, signal.SIGSTOP)

    other = flow.worker(lease_seconds=1.5)
    ended = other.run(run.id)
    other.close()
    for pid in [sleeper.pid, *children_of(sleeper.pid)]:
        os.kill(pid, signal.SIGCONT)

    assert end(sleeper) == 0
    assert flow.value(ended) == sum(range(STEPS))
    assert len(emitted(flow.app, RunFinished)) == 1
    assert all(states.count("succeeded") == 1 for states in flow.states(ended).values())
