"""Commands as steps: the folder that `ms.workspace()` gives them, and the files that they hand on."""

import gc
import pickle
from pathlib import Path

import pytest

import mainspring as ms
from mainspring.blobs.local import LocalBlobs
from mainspring.domain.pipeline import ValueKind
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.pipelines.values import decode, encode


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config.toml").write_text("")
    (folder / "copy.py").write_text("import shutil, sys; shutil.copy(*sys.argv[1:])")
    (folder / "big.bin").write_bytes(b"data is not code")
    (folder / "params.yaml").write_text("train:  # how\n  rate: 1e-3\n  on: yes\n")
    monkeypatch.chdir(folder)
    return folder


def test_a_command_has_the_code_and_what_was_put_there_and_nothing_else() -> None:
    with ms.workspace() as work:
        found = {path.name for path in work.root.rglob("*")}
        work.put(ms.Files({"in/a.txt": b"a"}))
        work.run("python copy.py in/a.txt out/b.txt", makes=["out/b.txt"])
        taken = work.take("out")
        root = work.root

    assert found == {"copy.py", "params.yaml"}
    assert taken == {"out/b.txt": b"a"}
    assert not root.exists()


def test_what_is_to_be_made_is_not_there_before_and_must_be_there_after() -> None:
    with ms.workspace() as work:
        work.put(ms.Files({"old.txt": b"old", "deep/x": b"x"}))
        work.run("true", makes=["old.txt", "deep"])

        with pytest.raises(NotFound, match=r"no old\.txt"):
            work.take("old.txt")
        with pytest.raises(NotFound, match="no deep"):
            work.take("deep")
        with pytest.raises(NotFound, match=r"no m\.json"):
            work.metrics("m.json")


def test_a_command_that_fails_fails_the_step() -> None:
    with ms.workspace() as work, pytest.raises(Invalid, match="ended with 3") as raised:
        work.run("exit 3")

    assert raised.value.code == "command_failed"


def test_params_are_set_and_a_file_that_says_so_already_stays() -> None:
    with ms.workspace() as work:
        file = work.root / "params.yaml"
        before = file.read_text()
        work.set("params.yaml", {"train.rate": 0.001})
        assert file.read_text() == before

        work.set("params.yaml", {"train.rate": 0.5, "new.deep": [1]})

        assert file.read_text() == "train:\n  rate: 0.5\n  'on': 'yes'\nnew:\n  deep:\n  - 1\n"


def test_metrics_are_the_numbers_of_a_file() -> None:
    with ms.workspace() as work:
        yaml = b"auc: 0.5\nby: hand\nok: true\nval: {loss: 1e-2}\n"
        work.put(ms.Files({"m.yaml": yaml, "l.json": b"[1]"}))

        assert work.metrics("m.yaml").values == {"auc": 0.5, "val.loss": 0.01}
        with pytest.raises(Invalid, match="no table"):
            work.metrics("l.json")


def test_paths_stay_in_the_workspace() -> None:
    with ms.workspace() as work:
        for act in (work.take, work.metrics, lambda p: work.put(ms.Files({p: b""}))):
            with pytest.raises(Invalid, match="not a plain relative path"):
                act("../x")


def test_files_are_the_same_before_and_after_they_are_kept(tmp_path: Path) -> None:
    content = {"a.txt": b"a", "deep/b.bin": bytes(range(256))}
    files = ms.Files(content)
    blobs = LocalBlobs(tmp_path / "blobs")

    stored = encode(files, blobs, scratch=tmp_path, project=None, what="it")
    back = decode(stored, ms.Files, blobs, scratch=tmp_path)

    assert (stored.kind, stored.summary) == (ValueKind.FILES, "2 files, 257 bytes")
    assert dict(back) == dict(files) == content
    assert back == files and repr(back) == repr(files)
    assert encode(back, blobs, scratch=tmp_path, project=None, what="it") == stored
    assert dict(pickle.loads(pickle.dumps(back))) == content
    for each in (files, back):
        target = tmp_path / each.__class__.__name__
        target.mkdir(exist_ok=True)
        (target / "a.txt").write_text("in the way")
        assert each.lay_out(target) == target
        assert (target / "a.txt").read_bytes() == b"a"
        with pytest.raises(KeyError):
            each["gone"]
        with pytest.raises(KeyError):
            each["deep"]


def test_files_in_lists_are_kept_item_by_item(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    value = [ms.Files({"a": b"1"}), ms.Files({"a": b"2"})]

    stored = encode(value, blobs, scratch=tmp_path, project=None, what="it")

    assert stored.kind is ValueKind.LIST
    assert [dict(each) for each in decode(stored, list[ms.Files], blobs, scratch=tmp_path)] == [
        {"a": b"1"},
        {"a": b"2"},
    ]


def test_the_folder_behind_files_goes_with_them() -> None:
    files = ms.Files({"a": b"1"})
    folder = files._folder
    assert folder.is_dir()

    del files
    gc.collect()

    assert not folder.exists()


def test_an_empty_folder_that_a_command_made_goes_along(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    with ms.workspace() as work:
        work.run("mkdir -p out/empty", makes=["out"])
        stored = encode(work.take("out"), blobs, scratch=tmp_path, project=None, what="it")

    files = decode(stored, ms.Files, blobs, scratch=tmp_path)

    assert (len(files), stored.summary) == (0, "0 files, 0 bytes")
    with ms.workspace() as work:
        work.put(files)
        assert (work.root / "out" / "empty").is_dir()
