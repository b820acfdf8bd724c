"""The controller as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.pipeline import PipelineRun
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.pipelines.snapshot import take_snapshot
from mainspring.quality.intake import add_data
from mainspring.services.requests import ApplyService, HoldControl
from mainspring.testing.services import a_spec

PROGRAM = (
    "from mainspring.config import load_settings\n"
    "from mainspring.server.controller import run\n"
    "run(load_settings())\n"
)
FLOW = """
import mainspring as ms

@ms.step
def count(rides: ms.Dataset) -> int:
    return 1

@ms.pipeline
def demand(rides: ms.Dataset):
    return count(rides)
"""


@contextmanager
def controller(home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "MAINSPRING_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(is_true: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


def a_home(tmp_path: Path) -> App:
    app = open_app(Settings(home=tmp_path / "home"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "flow.py").write_text(FLOW)
    (project / "rides.csv").write_text("a\n1\n")
    app.call(
        ApplyService(
            spec=a_spec(),
            project=take_snapshot(app.blobs, project),
            environment=app.blobs.put_bytes(b"{}"),
        )
    )
    add_data(app.call, app.blobs, "rides", project / "rides.csv")
    return app


def runs(app: App) -> tuple[PipelineRun, ...]:
    return app.call(ListPipelineRuns(service="demand"))


def is_held(app: App) -> bool:
    return app.call(HoldControl(holder="test", lease_seconds=0)) is None


def test_it_trains_what_is_declared_and_ends_tidily(tmp_path: Path) -> None:
    app = a_home(tmp_path)
    with controller(tmp_path / "home") as process:
        wait_until(lambda: any(run.state.is_final for run in runs(app)))
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=30)[0]

    assert process.returncode == 0
    assert "training: StartTraining demand" in output
    assert "Traceback" not in output
    assert runs(app)[0].error is None
    assert not is_held(app)
    app.close()


def test_of_two_one_runs_the_loops_and_the_other_takes_over(tmp_path: Path) -> None:
    app = open_app(Settings(home=tmp_path / "home"))
    with controller(tmp_path / "home") as first:
        wait_until(lambda: is_held(app))
        with controller(tmp_path / "home") as second:
            first.send_signal(signal.SIGTERM)
            assert first.wait(timeout=30) == 0

            wait_until(lambda: is_held(app))
            second.send_signal(signal.SIGTERM)
            assert "runs the loops" in second.communicate(timeout=30)[0]
    app.close()


def test_it_loads_no_array_library_and_little_memory(tmp_path: Path) -> None:
    with controller(tmp_path / "home") as process:
        app = open_app(Settings(home=tmp_path / "home"))
        wait_until(lambda: is_held(app))
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()
        app.close()

    assert "numpy" not in maps
    assert "polars" not in maps
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 90_000
