"""A project whose pipeline is run for real: in a temporary folder, by a real worker, in real processes."""

import json
import textwrap
from pathlib import Path
from typing import Any

from mainspring.app import App
from mainspring.domain.pipeline import PipelineRun, StepAttempt
from mainspring.pipelines.engine import Worker
from mainspring.pipelines.local import request_pipeline, run_pipeline
from mainspring.pipelines.requests import ListSteps, ReadLogs


class Flow:
    """A project with one module `flow`, its pipeline `flow:flow`, and an installation to run it on."""

    def __init__(self, app: App, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.marks = folder.parent / "marks"
        self.marks.mkdir(exist_ok=True)

    def write(self, text: str, name: str = "flow.py") -> None:
        """Write a module; `MARKS` in it is a folder where steps leave traces, `mark(name)` adds to one."""
        self.folder.mkdir(exist_ok=True)
        head = ""
        if name == "flow.py":
            head = (
                "import os, sys, time\nfrom pathlib import Path\nimport mainspring as ms\n"
                f"MARKS = Path({str(self.marks)!r})\n"
                "def mark(name):\n"
                "    with (MARKS / name).open('a') as f:\n        f.write('x')\n"
            )
        (self.folder / name).write_text(head + textwrap.dedent(text))

    def run(self, **options: Any) -> PipelineRun:
        """Run the pipeline to its end."""
        app = self.app
        return run_pipeline(
            app.call, app.blobs, app.settings, "flow:flow", project=self.folder, **options
        )

    def request(self, **options: Any) -> PipelineRun:
        """Ask for a run, to be taken by a worker."""
        app = self.app
        return request_pipeline(
            app.call, app.blobs, app.settings, "flow:flow", project=self.folder, **options
        )

    def worker(self, **options: Any) -> Worker:
        """A worker on the installation."""
        return Worker(self.app.call, self.app.blobs, self.app.settings, **options)

    def steps(self, run: PipelineRun) -> list[StepAttempt]:
        """Every attempt of a run."""
        attempts = self.app.call(ListSteps(run=run.id))
        return list(attempts)

    def states(self, run: PipelineRun) -> dict[str, list[str]]:
        """The states of each step's attempts."""
        found: dict[str, list[str]] = {}
        for step in self.steps(run):
            found.setdefault(step.node, []).append(step.state.value)
        return found

    def count(self, name: str) -> int:
        """How often `mark(name)` was called."""
        path = self.marks / name
        return len(path.read_text()) if path.exists() else 0

    def log(self, run: PipelineRun) -> list[str]:
        """All that was printed."""
        return [line.text for line in self.app.call(ReadLogs(run=run.id))]

    def value(self, run: PipelineRun, number: int = 0) -> Any:
        """A plain value that the run returned."""
        return json.loads(self.app.blobs.read(run.outputs[number].digest))
