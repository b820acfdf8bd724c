"""The demo's own folder: a home, a project laid out from the example, and deliveries."""

import json
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.kernel.errors import Conflict, NotFound
from mainspring.server.supervisor import is_up

if TYPE_CHECKING:
    import polars as pl

DEFAULT = Path("mainspring-demo")

_MARKER = "demo.json"
_PROJECT_FILES = ("flow.py", "mainspring.toml", "rides.schema.toml", "README.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoFolder:
    """Where the demo lives. It is a home like any other, with two folders more."""

    home: Path

    @property
    def project(self) -> Path:
        return self.home / "project"

    @property
    def deliveries(self) -> Path:
        return self.home / "deliveries"


def lay_out(home: Path) -> DemoFolder:
    """Make the folder anew; raises `Conflict` for one that the demo did not make or that is in use."""
    _refuse_foreign(home)
    if home.exists():
        shutil.rmtree(home)
    folder = DemoFolder(home=home)
    folder.project.mkdir(parents=True)
    folder.deliveries.mkdir()
    (home / _MARKER).write_text(json.dumps({"made_by": "mainspring demo"}))
    (home / ".gitignore").write_text("*\n")
    for name in _PROJECT_FILES:
        shutil.copyfile(example_folder() / name, folder.project / name)
    return folder


def _refuse_foreign(home: Path) -> None:
    if is_up(home):
        raise Conflict(
            f"the demo in {home} is still up",
            code="already_up",
            hint="Stop it, or give another --home.",
        )
    if home.exists() and any(home.iterdir()) and not (home / _MARKER).exists():
        raise Conflict(
            f"{home} holds something that the demo did not make",
            code="home_occupied",
            hint="The demo starts from an empty folder and empties its own; give another --home.",
        )


def example_folder() -> Path:
    """`examples/bikes`, in a wheel beside the package's modules and in a checkout beside `src`."""
    spec = find_spec("mainspring")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for root in (package / "examples", package.parent.parent / "examples"):
        if (root / "bikes" / "hour.parquet").exists():
            return root / "bikes"
    raise NotFound(
        "the example data did not come with this installation",
        code="example_missing",
        hint="Install the wheel, or run from a checkout.",
    )


def all_rides() -> "pl.DataFrame":
    """Both years, hour by hour, in everyday units (see `rides.py` of the example)."""
    import runpy

    frame: pl.DataFrame = runpy.run_path(str(example_folder() / "rides.py"))["rides"]()
    return frame
