"""Files that arrive and branches that move, on this machine's own disk and with the real git."""

import os
import subprocess
from pathlib import Path

import pytest

from mainspring.kernel.errors import Invalid, MainspringError, Unavailable
from mainspring.reconcile import watching
from mainspring.reconcile.watching import Files, commit_of

LONG_AGO = 1_700_000_000.0


def looked(files: Files, now: float) -> list[str]:
    found = files.look(now)
    files.told(found)
    return [Path(file.path).name for file in found]


def test_a_file_has_arrived_when_nobody_seems_to_write_to_it_any_more(tmp_path: Path) -> None:
    files = Files(f"{tmp_path}/*.csv")
    path = tmp_path / "a.csv"
    path.write_text("a")
    now = path.stat().st_mtime + 0.5

    assert looked(files, now) == []
    path.write_text("ab")
    assert looked(files, now) == []
    assert looked(files, now) == ["a.csv"]
    assert looked(files, now) == []
    path.write_text("abc")
    assert looked(files, now + 60) == ["a.csv"]


def test_what_is_no_file_of_the_pattern_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("deep/b.csv", ".hidden.csv", "other.txt"):
        (tmp_path / name).write_text("x")

    now = (tmp_path / "other.txt").stat().st_mtime + 60

    assert looked(Files(f"{tmp_path}/**/*.csv"), now) == ["b.csv"]


def test_what_could_not_be_told_is_found_again(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a")
    files = Files(f"{tmp_path}/*.csv")
    now = (tmp_path / "a.csv").stat().st_mtime + 60

    assert len(files.look(now)) == 1
    assert len(files.look(now)) == 1


def test_more_files_than_can_be_told_apart_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_FILES", 2)
    for number in range(3):
        (tmp_path / f"{number}.csv").write_text("x")

    with pytest.raises(Invalid, match="more than 2 files match"):
        Files(f"{tmp_path}/*.csv").look(LONG_AGO)


def git(folder: Path, *words: str) -> str:
    name = ["-c", "user.name=n", "-c", "user.email=n@example"]
    done = subprocess.run(
        ["git", *name, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_a_branch_is_at_the_commit_that_git_says(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")

    assert commit_of(str(tmp_path), "main") == git(tmp_path, "rev-parse", "HEAD")
    with pytest.raises(Invalid, match="has no branch 'other'"):
        commit_of(str(tmp_path), "other")


@pytest.mark.parametrize("repository", ["/nowhere/at/all", "ext::sh -c 'touch {}'"])
def test_what_is_no_repository_says_what_git_said(repository: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    with pytest.raises(Unavailable, match="git can't look at"):
        commit_of(repository.format(mark), "main")

    assert not mark.exists()


def test_a_repository_that_looks_like_an_option_is_none(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    with pytest.raises(MainspringError):
        commit_of(f"--upload-pack=touch {mark}", "main")

    assert not mark.exists()
