"""What rows need of the stored bytes: all of it, and nothing that only looks like it."""

from math import inf
from pathlib import Path

from mainspring.app import App
from mainspring.blobs.sweep import Sweep
from mainspring.blobs.trees import read_manifest
from mainspring.cli.bytes_in_use import walk
from mainspring.quality.intake import add_data
from mainspring.testing.flows import Flow


def a_folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)
    return path


def test_a_manifest_is_followed_also_if_its_bytes_are_a_file_of_another_dataset(
    app: App, tmp_path: Path
) -> None:
    pictures = add_data(app.call, app.blobs, "pictures", a_folder(tmp_path / "pictures", a="cat"))
    index = app.blobs.read(pictures.version.manifest).decode()
    add_data(app.call, app.blobs, "a_list", a_folder(tmp_path / "index", index=index))

    found = walk(app)

    (cat,) = read_manifest(app.blobs, pictures.version.manifest).entries
    assert cat.digest in found.needed
    assert Sweep(app.blobs, set(found.needed), before=inf).run(delete=False).blob_count == 0


def test_text_that_looks_like_a_digest_is_text(app: App, tmp_path: Path) -> None:
    flow = Flow(app, tmp_path / "project")
    flow.write(
        """
IMAGE = "sha256:" + "0" * 64

@ms.step
def image() -> str:
    return IMAGE

@ms.step
def told() -> dict:
    return {"model": IMAGE, "values": {}}

@ms.step
def listed() -> list[dict]:
    return [{"kind": "json", "digest": IMAGE, "summary": ""}]

@ms.pipeline
def flow():
    return image(), told(), listed()
"""
    )
    flow.run()

    found = walk(app)

    assert found.problems == []
    assert Sweep(app.blobs, set(found.needed), before=inf).run(delete=False).blob_count == 0


def test_a_manifest_that_can_not_be_read_is_a_problem_and_not_nothing(
    app: App, tmp_path: Path
) -> None:
    added = add_data(app.call, app.blobs, "pictures", a_folder(tmp_path / "pictures", a="cat"))
    path = app.blobs.path_of(added.version.manifest)
    path.chmod(0o644)
    path.write_text("{}")

    found = walk(app)

    assert [problem.what for problem in found.problems] == ["damaged"]
