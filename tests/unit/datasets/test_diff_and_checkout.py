"""Comparing versions, and laying them out as files again."""

from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.datasets.checkout import checkout
from mainspring.datasets.diff import diff
from mainspring.datasets.ingest import ingest, ingest_frame
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersion, Manifest, ManifestEntry
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Corrupt, Invalid


def a_version(app: App, source: Path | pl.DataFrame) -> DatasetVersion:
    taken = (
        ingest(app.blobs, source) if isinstance(source, Path) else ingest_frame(app.blobs, source)
    )
    return app.call(
        AddDatasetVersion(
            dataset="rides",
            manifest=taken.manifest,
            file_count=taken.file_count,
            size_bytes=taken.size_bytes,
            row_count=taken.row_count,
            columns=taken.columns,
        )
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    (path / "cats").mkdir(parents=True)
    (path / "cats/a.png").write_bytes(b"a")
    (path / "b.png").write_bytes(b"b")
    return path


def test_a_diff_names_what_changed_in_a_table(app: App) -> None:
    before = a_version(app, pl.DataFrame({"a": [1, 2], "b": [1, 2], "c": [1, 2]}))
    after = a_version(app, pl.DataFrame({"a": [1, 2, 3], "b": ["1", "2", "3"], "d": [1, 2, 3]}))

    change = diff(app.blobs, before, after)

    assert [file.path for file in change.files] == ["data.parquet"]
    assert change.row_count_change == 1
    assert change.columns_added == ("d",)
    assert change.columns_removed == ("c",)
    assert change.columns_retyped == ("b",)


def test_a_diff_names_files_that_came_and_went(app: App, folder: Path) -> None:
    before = a_version(app, folder)
    (folder / "b.png").rename(folder / "c.png")
    after = a_version(app, folder)

    change = diff(app.blobs, before, after)

    assert [(f.path, f.before is None, f.after is None) for f in change.files] == [
        ("b.png", False, True),
        ("c.png", True, False),
    ]
    assert change.row_count_change is None


def test_a_checkout_gives_the_files_back(app: App, folder: Path, tmp_path: Path) -> None:
    version = a_version(app, folder)

    assert checkout(app.blobs, version, tmp_path / "out")

    assert (tmp_path / "out/cats/a.png").read_bytes() == b"a"
    assert not checkout(app.blobs, version, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "out", "pictures"]


def test_a_checkout_into_an_empty_folder_is_fine(app: App, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    assert checkout(app.blobs, a_version(app, folder), tmp_path / "out")


def test_a_checkout_touches_nothing_in_an_occupied_folder(
    app: App, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")

    with pytest.raises(Conflict, match="holds other files"):
        checkout(app.blobs, a_version(app, folder), tmp_path / "out")

    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_checkout_over_an_edited_copy_is_refused(app: App, folder: Path, tmp_path: Path) -> None:
    version = a_version(app, folder)
    checkout(app.blobs, version, tmp_path / "out")
    (tmp_path / "out/b.png").write_bytes(b"B")

    with pytest.raises(Conflict):
        checkout(app.blobs, version, tmp_path / "out")


def test_a_damaged_file_leaves_no_checkout(app: App, folder: Path, tmp_path: Path) -> None:
    version = a_version(app, folder)
    damaged = app.blobs.path_of(app.blobs.put_bytes(b"b"))
    damaged.chmod(0o644)
    damaged.write_bytes(b"X")

    with pytest.raises(Corrupt):
        checkout(app.blobs, version, tmp_path / "out")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "pictures"]


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "a/../../evil", "a\\evil", "./evil"])
def test_a_hostile_manifest_writes_nothing(app: App, tmp_path: Path, path: str) -> None:
    good, evil = app.blobs.put_bytes(b"good"), app.blobs.put_bytes(b"evil")
    manifest = put_manifest(
        app.blobs,
        Manifest(
            entries=(
                ManifestEntry(path="a", digest=Digest(good), size_bytes=4),
                ManifestEntry(path=path, digest=Digest(evil), size_bytes=4),
            )
        ),
    )
    version = app.call(
        AddDatasetVersion(dataset="rides", manifest=manifest, file_count=2, size_bytes=8)
    )

    with pytest.raises(Invalid, match="not a plain relative path"):
        checkout(app.blobs, version, tmp_path / "out")

    assert [p.name for p in tmp_path.iterdir()] == ["home"]
