"""Folders of this machine: checked out, changed, looked at, checked out over."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.app import App
from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.seen import SeenFolders
from mainspring.blobs.taking import PART
from mainspring.blobs.trees import lay_out, put_folder
from mainspring.datasets.checkout import checkout
from mainspring.datasets.folders import status
from mainspring.datasets.requests import RemoveDatasetVersion
from mainspring.domain.dataset import DatasetVersion
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.quality.intake import add_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    (path / "cats/big").mkdir(parents=True)
    (path / "empty").mkdir()
    for name in ("cats/a.png", "cats/big/b.png", "c.png", "notes.txt"):
        (path / name).write_bytes(name.encode())
    return path


@pytest.fixture
def seen(tmp_path: Path) -> SeenFolders:
    return SeenFolders(tmp_path / "seen")


def add(app: App, folder: Path, seen: SeenFolders | None = None) -> DatasetVersion:
    return add_data(app.call, app.blobs, "pictures", folder, seen=seen).version


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_is_compared_with_the_version_that_it_was_added_as(
    app: App, folder: Path, seen: SeenFolders
) -> None:
    add(app, folder, seen)
    assert status(app.blobs, folder, seen).is_clean
    (folder / "new\nline.png").write_bytes(b"new")
    (folder / "c.png").write_bytes(b"C")
    (folder / "notes.txt").unlink()

    found = status(app.blobs, folder, seen)

    assert (found.dataset, found.number) == ("pictures", 1)
    assert (found.added, found.changed, found.removed) == (
        ("new\nline.png",),
        ("c.png",),
        ("notes.txt",),
    )


def test_a_folder_that_was_never_added_is_not_known(
    app: App, folder: Path, seen: SeenFolders
) -> None:
    with pytest.raises(NotFound, match="was not added"):
        status(app.blobs, folder, seen)


def test_a_checkout_goes_from_version_to_version_and_back(
    app: App, folder: Path, seen: SeenFolders, tmp_path: Path
) -> None:
    first = add(app, folder, seen)
    before = names(folder)
    (folder / "cats/big/b.png").unlink()
    (folder / "cats/big").rmdir()
    (folder / "cats/a.png").unlink()
    (folder / "cats").rmdir()
    (folder / "cats").write_bytes(b"a file now")
    (folder / "empty").rmdir()
    second = add(app, folder, seen)
    out = tmp_path / "out"

    checkout(app.blobs, first, out, seen=seen)
    assert names(out) == before
    assert checkout(app.blobs, second, out, seen=seen)
    assert names(out) == ["c.png", "cats", "notes.txt"]
    assert checkout(app.blobs, first, out, seen=seen)
    assert names(out) == before
    assert not checkout(app.blobs, first, out, seen=seen)
    assert status(app.blobs, out, seen).is_clean


def test_a_file_that_is_stored_nowhere_is_never_lost(
    app: App, folder: Path, seen: SeenFolders
) -> None:
    first = add(app, folder, seen)
    (folder / "c.png").write_bytes(b"second")
    second = add(app, folder, seen)
    (folder / "c.png").write_bytes(b"only copy")

    with pytest.raises(Conflict, match=r"stored nowhere: c\.png"):
        checkout(app.blobs, first, folder, seen=seen)
    assert (folder / "c.png").read_bytes() == b"only copy"
    checkout(app.blobs, second, folder, force=True)
    assert (folder / "c.png").read_bytes() == b"second"


def test_a_checkout_that_was_killed_is_finished_by_the_next(
    app: App, folder: Path, seen: SeenFolders, tmp_path: Path
) -> None:
    first = add(app, folder, seen)
    (folder / "c.png").write_bytes(b"second")
    second = add(app, folder, seen)
    out = tmp_path / "out"
    checkout(app.blobs, first, out, seen=seen)
    (out / f".c.png{PART}").write_bytes(b"hal")
    (out / "cats/a.png").unlink()

    checkout(app.blobs, second, out, seen=seen)

    assert names(out) == names(folder)
    assert (out / "c.png").read_bytes() == b"second"


def test_what_a_killed_checkout_left_is_no_data(app: App, folder: Path) -> None:
    first = add(app, folder)
    (folder / f".c.png{PART}").write_bytes(b"hal")
    (folder / f".out-x{PART}").mkdir()

    assert add(app, folder) == first


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["c.png"], ["c.png"]),
        (["cats"], ["cats", "cats/a.png", "cats/big", "cats/big/b.png"]),
        (["cats/*.png"], ["cats", "cats/a.png"]),
        (["**/*.png"], ["c.png", "cats", "cats/a.png", "cats/big", "cats/big/b.png"]),
        (["*.txt", "c.*"], ["c.png", "notes.txt"]),
    ],
)
def test_some_of_the_files_can_be_checked_out(
    app: App, folder: Path, tmp_path: Path, patterns: list[str], found: list[str]
) -> None:
    checkout(app.blobs, add(app, folder), tmp_path / "out", only=patterns)

    assert names(tmp_path / "out") == found


def test_a_pattern_that_matches_nothing_is_said(app: App, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="matches 'dogs'"):
        checkout(app.blobs, add(app, folder), tmp_path / "out", only=["dogs"])
    assert not (tmp_path / "out").exists()


def test_a_removed_version_is_not_checked_out(app: App, folder: Path, tmp_path: Path) -> None:
    add(app, folder)
    removed = app.call(RemoveDatasetVersion(dataset="pictures", number=1, why="a mistake"))

    with pytest.raises(NotFound, match="was removed"):
        checkout(app.blobs, removed, tmp_path / "out")


def test_an_unchanged_folder_is_the_same_version_without_being_read(
    app: App, folder: Path, seen: SeenFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    time.sleep(0.12)  # a file of this very moment would be read again
    add(app, folder, seen)
    monkeypatch.setattr(app.blobs, "put_files", lambda paths, near: [1 / 0 for _ in paths])

    result = add_data(app.call, app.blobs, "pictures", folder, seen=seen)

    assert (result.version.number, result.is_new) == (1, False)


_name = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=20,
).filter(lambda name: name not in (".", "..") and not name.endswith(PART))
_trees = st.recursive(
    st.binary(max_size=200), lambda inner: st.dictionaries(_name, inner, max_size=4), max_leaves=12
).filter(lambda tree: isinstance(tree, dict))


@settings(max_examples=60, deadline=None)
@given(tree=_trees)
def test_adding_and_checking_out_is_the_identity(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    blobs = LocalBlobs(root / "blobs")
    write(root / "in", tree)

    manifest = put_folder(blobs, root / "in")
    lay_out(blobs, manifest, root / "out")

    assert read(root / "out") == read(root / "in")


def write(path: Path, tree: object) -> None:
    if isinstance(tree, bytes):
        path.write_bytes(tree)
        return
    assert isinstance(tree, dict)
    path.mkdir()
    for name, inner in tree.items():
        write(path / name, inner)


def read(path: Path) -> object:
    if path.is_dir():
        return {each.name: read(each) for each in path.iterdir()}
    return path.read_bytes()
