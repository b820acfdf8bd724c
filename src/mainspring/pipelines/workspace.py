"""A folder of its own for a command: what `ms.workspace()` gives a step that runs one.

It is how programs that read and write files become steps: a script in another language, or the stages of
another tool. What a command depends on can't be read from the step's code, so the step has to name it: code
by `files=`, all else as arguments.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.blobs.trees import check_relative
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.yaml_text import read_yaml
from mainspring.pipelines.dataset import Dataset
from mainspring.pipelines.files import Files
from mainspring.pipelines.models import Metrics
from mainspring.pipelines.snapshot import KEPT


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder in which commands run. It begins with the project's code; all paths count from there."""

    root: Path

    def put(self, content: Dataset | Files, path: str | None = None) -> None:
        """Lay files out where a command looks for them: files at their own paths, a dataset at `path`."""
        if isinstance(content, Dataset):
            self._put_dataset(self._at(path or content.name), content)
            return
        content.lay_out(self.root)

    def set(self, path: str, values: Mapping[str, Any]) -> None:
        """Set parameters in a YAML or JSON file; `train.rate` is `rate` in the table `train`.

        A file that says the same already stays as it is, comments included.
        """
        file = self._at(path)
        content = _read(file)
        before = json.dumps(content, default=str)
        for key, value in values.items():
            *outer, last = key.split(".")
            table = content
            for name in outer:
                table = table.setdefault(name, {})
            table[last] = value
        if json.dumps(content, default=str) == before:
            return
        if file.suffix == ".json":
            file.write_text(json.dumps(content, indent=2))
        else:
            import yaml

            file.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))

    def run(self, command: str, *, makes: Sequence[str] = (), folder: str = ".") -> None:
        """Run a shell command in a folder of the workspace, with this Python first in its path.

        What it `makes` is not there before, so nothing old is taken for it. Raises `Invalid` if it fails.
        """
        for path in makes:
            made = self._at(path)
            made.parent.mkdir(parents=True, exist_ok=True)
            if made.is_dir() and not made.is_symlink():
                shutil.rmtree(made)
            else:
                made.unlink(missing_ok=True)
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        done = subprocess.run(
            command, shell=True, cwd=place, env={**os.environ, "PATH": path}, check=False
        )
        if done.returncode:
            raise Invalid(
                f"the command {command!r} ended with {done.returncode}",
                code="command_failed",
                hint="What it printed is in the log above.",
            )

    def take(self, path: str) -> Files:
        """What a command left at a path: a file, or all files of a folder.

        Raises `NotFound` if there is nothing.
        """
        place = self._at(path)
        found = sorted(place.rglob("*")) if place.is_dir() else [place]
        if place.is_dir():
            found.insert(0, place)
        names = {file.relative_to(self.root).as_posix(): file.is_dir() for file in found}
        folders = [name for name, is_folder in names.items() if is_folder]
        try:
            return Files.taken(self.root, [name for name in names if name not in folders], folders)
        except FileNotFoundError as error:
            raise _nothing(path) from error

    def metrics(self, path: str) -> Metrics:
        """The numbers in a JSON or YAML file, those in tables by names with dots."""
        content = _read(self._at(path))
        return Metrics(**dict(_numbers(content)))

    def _put_dataset(self, target: Path, dataset: Dataset) -> None:
        with tempfile.TemporaryDirectory(dir=self.root.parent) as scratch:
            found = dataset.files(scratch)
            # A dataset of one file lies at the path itself, under the name that it was added with.
            is_file = (found / target.name).is_file()
            place = target.parent if is_file else target
            shutil.copytree(found, place, dirs_exist_ok=True, copy_function=shutil.move)

    def _at(self, path: str) -> Path:
        check_relative(path)
        return self.root / path


@contextmanager
def workspace() -> Iterator[Workspace]:
    """A new folder with the code of the project, gone once the step is done with it."""
    project = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="mainspring-workspace-") as scratch:
        root = Path(scratch) / "project"
        root.mkdir()
        for folder, folders, names in os.walk(project):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                file = Path(folder) / name
                if file.suffix in KEPT and file.is_file():
                    target = root / file.relative_to(project)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file, target)
        yield Workspace(root)


def _read(file: Path) -> Any:
    try:
        text = file.read_text()
    except FileNotFoundError as error:
        raise _nothing(file.name) from error
    try:
        content = json.loads(text) if file.suffix == ".json" else read_yaml(text)
    except ValueError as error:
        raise Invalid(f"{file.name} can't be read: {error}", code="unreadable_file") from error
    if not isinstance(content, dict):
        raise Invalid(f"{file.name} holds no table of names and values", code="unreadable_file")
    return content


def _numbers(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", value


def _nothing(path: str) -> NotFound:
    return NotFound(
        f"there is no {path} in the workspace",
        code="nothing_made",
        hint="Does the command write there, and is the path the one that it uses?",
    )
