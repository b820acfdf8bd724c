"""What every exported pipeline is held to: run elsewhere, it gives what it gives at home."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mainspring.app import open_app
from mainspring.config import Settings
from mainspring.domain.pipeline import PipelineRunState
from mainspring.pipelines.requests import GetPipelineRun, ListPipelineRuns, ListSteps
from mainspring.testing.apps import TESTER

ROOT = Path(__file__).parents[3]

FLOW = """
import polars as pl

import mainspring as ms


@ms.step
def folds(rides: pl.DataFrame, k: int) -> list[int]:
    return list(range(k))


@ms.step(retries=2, retry_on=OSError, retry_delay=1, retry_backoff=2, timeout="10m")
def train(rides: pl.DataFrame, fold: int, rate: float) -> float:
    return float(rides["x"].sum()) * rate + fold


@ms.step(cpus=2, memory="64MB")
def best(scores: list[float]) -> float:
    return max(scores)


@ms.step
def is_good(score: float, least: float) -> bool:
    return score > least


@ms.step
def praise(score: float) -> str:
    return f"good: {score}"


@ms.step
def scold(score: float) -> str:
    return f"bad: {score}"


@ms.step
def report(text: str, note: str | None) -> str:
    return text.upper() + (note or "")


@ms.pipeline
def demand(rides: ms.Dataset, rate: float = 0.5, k: int = 2, least: float = 1.0, note: str | None = None):
    score = best(train.map(rides, fold=folds(rides, k), rate=rate))
    text = ms.when(is_good(score, least), lambda: praise(score), lambda: scold(score))
    return report(text, note)


@ms.step(retries=2, retry_on=OSError, retry_delay=1, cache=False)
def flaky() -> int:
    if ms.current_step().attempt == 1:
        raise OSError("not yet")
    return 1


@ms.step(retries=5, retry_on=OSError, retry_delay=1)
def broken(value: int) -> int:
    raise ValueError("never")


@ms.pipeline
def troubled():
    return broken(flaky())
"""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A project with a pipeline and a home with data, on which nothing has run yet."""

    folder: Path
    home: Path

    @property
    def variables(self) -> dict[str, str]:
        """The environment of a worker of another scheduler: with our command, and where the home is."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MAIN")}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return kept | {"MAINSPRING_HOME": str(self.home), "PATH": path}

    def run(self, *command: str | Path, folder: Path | None = None, **more: str) -> str:
        """Run a command in the project; fails with all that it said."""
        done = subprocess.run(
            command,
            cwd=folder or self.folder,
            env=self.variables | more,
            text=True,
            capture_output=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def export(self, target: str, *options: str, pipeline: str = "flow:demand") -> str:
        """The source for a target."""
        return self.run("mainspring", "export", target, pipeline, *options)

    def check_as_native(self) -> None:
        """That the newest run computed everything, and that a run here finds the very same results."""
        theirs = self.newest()
        assert theirs["state"] is PipelineRunState.SUCCEEDED, theirs
        assert theirs["states"] == {
            "folds": ["succeeded"],
            "train[0]": ["succeeded"],
            "train[1]": ["succeeded"],
            "train": ["succeeded"],
            "best": ["succeeded"],
            "is_good": ["succeeded"],
            "praise": ["succeeded"],
            "scold": ["skipped"],
            "when": ["succeeded"],
            "report": ["succeeded"],
        }
        self.run("mainspring", "run", "flow:demand", "-q")
        ours = self.newest()
        assert ours["id"] != theirs["id"]
        assert ours["outputs"] == theirs["outputs"]
        assert ours["states"]["report"] == ours["states"]["train[1]"] == ["cached"]

    def newest(self) -> dict[str, Any]:
        """The run that was asked for last: its state, the states of each step's attempts, what it returned."""
        app = open_app(Settings(home=self.home), actor=TESTER)
        try:
            newest = app.call(ListPipelineRuns(limit=1))[0]
            states: dict[str, list[str]] = {}
            for step in app.call(ListSteps(run=newest.id)):
                states.setdefault(step.node, []).append(step.state.value)
            run = app.call(GetPipelineRun(run=newest.id))
        finally:
            app.close()
        outputs = [output.digest for output in run.outputs]
        return {"id": run.id, "state": run.state, "states": states, "outputs": outputs}


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project and a home with data, made once and copied for each test."""
    base = tmp_path_factory.mktemp("exports")
    folder = base / "project"
    folder.mkdir()
    (folder / "flow.py").write_text(FLOW)
    (folder / "rides.csv").write_text("x\n1\n2\n3\n")
    made = Project(folder=folder, home=base / "home")
    made.run("mainspring", "data", "add", "rides", "rides.csv")
    return base


@pytest.fixture
def project(base: Path, tmp_path: Path) -> Project:
    for name in ("project", "home"):
        shutil.copytree(base / name, tmp_path / name)
    return Project(folder=tmp_path / "project", home=tmp_path / "home")


@pytest.fixture(scope="session")
def airflow() -> Path:
    """The programs of a real Airflow's environment."""
    return _environment("airflow")


@pytest.fixture(scope="session")
def tools() -> Path:
    """The programs of the environment with Kubeflow, the linters and the schemas."""
    return _environment("export")


def _environment(name: str) -> Path:
    programs = ROOT / f".venv-{name}" / "bin"
    if not programs.exists():
        pytest.fail(f"there is no .venv-{name}: make it with `make setup-export`", pytrace=False)
    return programs


def command_of(container: Mapping[str, Any], values: Mapping[str, str]) -> list[str]:
    """The command of a container with its placeholders filled in, as Argo and the kubelet do it."""
    words = [*container["command"], *container["args"]]
    for name, value in values.items():
        words = [word.replace(name, value) for word in words]
    assert not any("{{" in word or "$(" in word for word in words), words
    return words
