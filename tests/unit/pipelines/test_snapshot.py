"""Snapshots of projects, their environments, and the graphs in them."""

from pathlib import Path

import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.trees import read_manifest
from mainspring.config import Settings
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.pipelines import snapshot
from mainspring.pipelines.environment import (
    distributions_behind,
    read_environment,
    store_environment,
)
from mainspring.pipelines.graphs import graph_of
from mainspring.pipelines.snapshot import materialise, take_snapshot

FLOW = """
import mainspring as ms

@ms.step
def one() -> int:
    return 1

@ms.pipeline
def flow():
    return one()
"""


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "home" / "blobs")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def a_project(tmp_path: Path, **files: str) -> Path:
    root = tmp_path / "project"
    for name, text in {"flow.py": FLOW, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def kept_paths(blobs: LocalBlobs, project: Path) -> list[str]:
    return [entry.path for entry in read_manifest(blobs, take_snapshot(blobs, project)).entries]


def test_code_is_kept_and_nothing_else(tmp_path: Path, blobs: LocalBlobs) -> None:
    project = a_project(
        tmp_path,
        **{
            "lib/helper.py": "",
            "mainspring.toml": "",
            "data.csv": "1",
            "big.json": "x" * (snapshot.MAX_FILE_BYTES + 1),
            ".env": "SECRET=1",
            ".git/config.py": "",
            "__pycache__/x.py": "",
            "venv/pyvenv.cfg": "",
            "venv/lib/thing.py": "",
            "state/store.sqlite3": "",
            "state/work/x.py": "",
            "drafts/x.py": "",
            "old.py": "",
            ".mainspringignore": "drafts/  # not yet\nold*\n",
        },
    )

    assert kept_paths(blobs, project) == ["flow.py", "lib/helper.py", "mainspring.toml"]


def test_the_same_code_gives_the_same_digest(tmp_path: Path, blobs: LocalBlobs) -> None:
    project = a_project(tmp_path)
    before = take_snapshot(blobs, project)
    (project / "data.csv").write_text("more")

    assert take_snapshot(blobs, project) == before


def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path, blobs: LocalBlobs) -> None:
    (tmp_path / "secret.py").write_text("")
    project = a_project(tmp_path)
    (project / "link.py").symlink_to(tmp_path / "secret.py")

    assert kept_paths(blobs, project) == ["flow.py"]


def test_a_folder_that_is_no_project_is_refused(
    tmp_path: Path, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound):
        take_snapshot(blobs, tmp_path / "nowhere")
    with pytest.raises(Invalid, match="no Python file"):
        take_snapshot(blobs, tmp_path / "empty")
    monkeypatch.setattr(snapshot, "MAX_FILES", 1)
    with pytest.raises(Invalid, match="more than 1 files of code"):
        take_snapshot(blobs, a_project(tmp_path, **{"more.py": ""}))


def test_a_snapshot_is_laid_out_once_and_repaired(tmp_path: Path, blobs: LocalBlobs) -> None:
    digest = take_snapshot(blobs, a_project(tmp_path))
    folder = materialise(blobs, digest, tmp_path / "work")
    written_at = (folder / "flow.py").stat().st_mtime_ns

    assert materialise(blobs, digest, tmp_path / "work") == folder
    assert (folder / "flow.py").stat().st_mtime_ns == written_at
    (folder / "flow.py").write_text("tampered")
    assert (materialise(blobs, digest, tmp_path / "work") / "flow.py").read_text() == FLOW
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_an_environment_names_what_is_installed(blobs: LocalBlobs) -> None:
    environment = read_environment(blobs, store_environment(blobs))

    assert "scikit-learn" in environment.distributions
    assert {"scikit-learn", "numpy", "scipy", "joblib"} <= distributions_behind("sklearn")
    assert distributions_behind("json") == frozenset()


def test_a_graph_is_drawn_up_once_in_a_process_of_its_own(
    tmp_path: Path, blobs: LocalBlobs, settings: Settings
) -> None:
    mark = tmp_path / "imports"
    project = a_project(tmp_path)
    (project / "flow.py").write_text(FLOW + f"open({str(mark)!r}, 'a').write('x')\n")
    digest = take_snapshot(blobs, project)

    graphs = [graph_of(blobs, settings, digest, "flow:flow") for _ in range(2)]

    assert graphs[0] == graphs[1]
    assert [node.id for node in graphs[0].nodes] == ["one"]
    assert mark.read_text() == "x"


@pytest.mark.parametrize(
    ("text", "name", "error", "where"),
    [
        (FLOW, "flow:flaw", "no pipeline 'flaw'", None),
        (FLOW, "flaw:flow", "no module 'flaw'", None),
        (FLOW, "flow", "names no pipeline", None),
        ("def flow(:\n", "flow:flow", "SyntaxError", "flow.py:1"),
        ("\nimport nothing_like_it\n", "flow:flow", "ModuleNotFoundError", "flow.py:2"),
        ("raise SystemExit(3)\n", "flow:flow", "SystemExit: 3", "flow.py:1"),
        ("import os\nos._exit(3)\n", "flow:flow", "exit status 3", None),
        (
            FLOW.replace("return one()", "return 1 if one() else 2"),
            "flow:flow",
            "has no value while",
            "flow.py:10",
        ),
    ],
)
def test_a_pipeline_that_can_not_be_drawn_up_says_where(  # noqa: PLR0917
    tmp_path: Path,
    blobs: LocalBlobs,
    settings: Settings,
    text: str,
    name: str,
    error: str,
    where: str | None,
) -> None:
    project = a_project(tmp_path)
    (project / "flow.py").write_text(text)

    with pytest.raises(Invalid, match=error) as caught:
        graph_of(blobs, settings, take_snapshot(blobs, project), name)

    assert caught.value.where == where
