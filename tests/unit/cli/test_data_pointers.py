"""Pointer files at the command line, in a real git repository: written, branched, merged, in conflict."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from mainspring.cli.main import run_command
from mainspring.datasets.pointers import read_pointer


class Project:
    """A git repository with a home of its own beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root.parent / "home"

    def git(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        names = {
            f"GIT_{who}_{what}": "ann@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        return subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **names, **settings},
            capture_output=True,
            text=True,
            check=False,
        )

    def commit(self, subject: str) -> None:
        self.git("add", "-A")
        assert self.git("commit", "-qm", subject).returncode == 0

    def run(self, *arguments: str) -> int:
        return run_command([*arguments, "--home", str(self.home)])

    def add(self, rows: int) -> None:
        source = self.root.parent / "rides.csv"
        source.write_text("id\n" + "".join(f"{row}\n" for row in range(rows)))
        assert self.run("data", "add", "rides", str(source), "--note", f"{rows} rows") == 0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "my project"
    root.mkdir()
    monkeypatch.chdir(root)
    project = Project(root)
    project.git("init", "-q", "-b", "main")
    return project


def test_a_pointer_file_is_small_stable_and_written_once(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add(3)
    assert project.run("data", "pointer", "rides") == 0
    file = project.root / "rides.msdata"
    text = file.read_text()
    before = file.stat().st_mtime_ns
    assert project.run("data", "pointer", "rides") == 0
    capsys.readouterr()
    project.add(4)
    assert project.run("data", "pointer", "rides", "--number", "1", "--json") == 0

    assert json.loads(capsys.readouterr().out.splitlines()[-1])["number"] == 1
    assert file.read_text() == text
    assert file.stat().st_mtime_ns == before
    assert text.splitlines()[1:3] == ['dataset = "rides"', "number = 1"]
    assert "rows = 3" in text


def test_a_file_of_another_dataset_or_of_another_kind_is_not_overwritten(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add(3)
    assert project.run("data", "pointer", "rides", "data.msdata") == 0
    assert project.run("data", "add", "trips", str(project.root / "data.msdata")) == 0
    assert project.run("data", "pointer", "trips", "data.msdata") == 4
    (project.root / "notes.txt").write_text("mine")

    assert project.run("data", "pointer", "rides", "notes.txt") == 2
    assert (project.root / "notes.txt").read_text() == "mine"
    assert project.run("data", "pointer") == 2
    assert project.run("data", "pointer", "gone") == 3
    capsys.readouterr()


def test_git_merges_pointers_by_what_they_name(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for rows in (1, 2, 3):
        project.add(rows)
    assert project.run("data", "pointer", "--install", "rides", "--number", "1") == 0
    assert project.run("data", "pointer", "--install") == 0
    assert (project.root / ".gitattributes").read_text() == "*.msdata merge=msdata\n"
    project.commit("Point to the first")
    project.git("checkout", "-qb", "more")
    project.run("data", "pointer", "rides", "--number", "2")
    project.commit("Point to the second")
    project.git("checkout", "-q", "main")
    (project.root / "README.md").write_text("meanwhile")
    project.commit("Meanwhile")

    merged = project.git("merge", "-q", "more", "-m", "Merge more")

    assert merged.returncode == 0, merged.stderr
    assert read_pointer(project.root / "rides.msdata").number == 2

    project.git("checkout", "-qb", "most")
    project.run("data", "pointer", "rides", "--number", "3")
    project.commit("Point to the third")
    project.git("checkout", "-q", "main")
    project.run("data", "pointer", "rides", "--number", "1")
    project.commit("Back to the first")

    conflict = project.git("merge", "most", "-m", "Merge most")

    assert conflict.returncode == 1
    said = conflict.stdout + conflict.stderr
    assert "rides.msdata: ours names rides 1" in said
    assert "theirs rides 3" in said and "came from rides 2" in said
    assert project.git("status", "--short").stdout == "UU rides.msdata\n"
    assert project.git("checkout", "--theirs", "rides.msdata").returncode == 0
    assert read_pointer(project.root / "rides.msdata").number == 3
    capsys.readouterr()


def test_installing_needs_a_repository_and_keeps_what_is_there(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / ".gitattributes").write_text("*.png binary")
    assert project.run("data", "pointer", "--install") == 0
    assert (project.root / ".gitattributes").read_text() == "*.png binary\n*.msdata merge=msdata\n"
    (tmp_path / "plain").mkdir()
    monkeypatch.chdir(tmp_path / "plain")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))

    assert project.run("data", "pointer", "--install") == 2


def test_data_is_found_by_the_digest_of_a_version_or_of_a_file_in_it(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.add(2)
    capsys.readouterr()
    assert project.run("data", "show", "rides", "--json") == 0
    manifest = json.loads(capsys.readouterr().out)["manifest"]

    assert project.run("data", "find", manifest, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["dataset"], found["number"], found["path"]) == ("rides", 1, None)

    from mainspring.kernel.digests import digest_bytes

    assert project.run("data", "find", digest_bytes(b"id\n0\n1\n"), "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["path"] == "rides.csv"
    assert project.run("data", "find", "v9") == 3
    capsys.readouterr()


def test_checkout_takes_a_pointer_file_and_lays_out_what_it_names(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    for rows in (1, 2):
        project.add(rows)
    (project.root / "data").mkdir()
    project.run("data", "pointer", "rides", "data/rides.msdata", "--number", "1")

    assert project.run("data", "checkout", "data/rides.msdata") == 0
    assert (project.root / "data" / "rides" / "rides.csv").read_text() == "id\n0\n"
    assert project.run("data", "checkout", "data/rides.msdata", "elsewhere") == 0
    assert (project.root / "elsewhere" / "rides.csv").read_text() == "id\n0\n"
    assert project.run("data", "checkout", "data/rides.msdata", "--number", "2") == 2
    assert project.run("data", "checkout", "rides") == 2
    assert project.run("data", "checkout", "data/gone.msdata") == 3
    capsys.readouterr()
