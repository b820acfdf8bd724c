"""Folders and files that are in the way of a checkout, or are no files that could be stored."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.blobs.seen import SeenFolders
from mainspring.blobs.taking import PART
from mainspring.blobs.trees import put_manifest
from mainspring.datasets import checkout as checkouts
from mainspring.datasets.checkout import checkout
from mainspring.datasets.folders import status
from mainspring.datasets.ingest import ingest
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersion, Manifest, ManifestEntry
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.quality.intake import add_data


def recorded(app: App, source: Path) -> DatasetVersion:
    taken = ingest(app.blobs, source)
    return app.call(
        AddDatasetVersion(
            dataset="photos",
            manifest=taken.manifest,
            file_count=taken.file_count,
            size_bytes=taken.size_bytes,
        )
    )


def made(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_large_files_whose_names_begin_alike_are_each_written_right(
    app: App, tmp_path: Path
) -> None:
    files = {f"{'p' * 100}{at}": bytes([at]) * 3_000_000 for at in range(8)}
    version = recorded(app, made(tmp_path / "in", files))
    out = made(tmp_path / "out", {"old": b"x"})

    checkout(app.blobs, version, out, force=True)

    assert contents(out) == files


@pytest.mark.parametrize("name", ["n" * 255, "ж" * 127, "🦀" * 63], ids=["ascii", "two", "four"])
def test_names_may_be_as_long_as_names_can_be(app: App, tmp_path: Path, name: str) -> None:
    version = recorded(app, made(tmp_path / "in", {name: b"1"}))
    out = made(tmp_path / "out", {"old": b"x"})

    checkout(app.blobs, version, out, force=True)
    checkout(app.blobs, version, tmp_path / name)

    assert contents(out) == contents(tmp_path / name) == {name: b"1"}


def test_a_folder_that_another_checkout_is_writing_beside_is_left_alone(
    app: App, tmp_path: Path
) -> None:
    version = recorded(app, made(tmp_path / "in", {"a": b"1"}))
    out = made(tmp_path / "out", {f".cats-x{PART}/a": b"half", "old": b"x"})
    old = made(tmp_path / f"out/.dogs-x{PART}", {"b": b"dead"})
    os.utime(old, (0, 0))

    checkout(app.blobs, version, out, force=True)

    assert contents(out) == {"a": b"1", f".cats-x{PART}/a": b"half"}


def test_a_leftover_that_vanishes_or_leads_nowhere_stops_no_checkout(
    app: App, tmp_path: Path
) -> None:
    version = recorded(app, made(tmp_path / "in", {"a": b"1"}))
    (tmp_path / f".out-x{PART}").symlink_to(tmp_path / "nowhere")

    checkout(app.blobs, version, tmp_path / "out")

    assert contents(tmp_path / "out") == {"a": b"1"}


def test_a_folder_where_a_file_has_to_be_is_a_conflict(app: App, tmp_path: Path) -> None:
    version = recorded(app, made(tmp_path / "in", {"a": b"1", "b/c": b"2"}))

    for name, only in (("a/mine", "a"), ("b", "b/c")):
        out = made(tmp_path / only.replace("/", "-"), {name: b"mine"})
        with pytest.raises(Conflict, match="in one place"):
            checkout(app.blobs, version, out, only=[only])
        assert contents(out) == {name: b"mine"}


def test_checkouts_of_one_folder_wait_for_each_other(app: App, tmp_path: Path) -> None:
    one = recorded(app, made(tmp_path / "in1", {f"{at}": b"1" * 100_000 for at in range(60)}))
    two = recorded(app, made(tmp_path / "in2", {f"{at}": b"2" * 100_000 for at in range(60)}))
    out = tmp_path / "out"
    checkout(app.blobs, one, out)
    errors: list[BaseException] = []

    def run(version: DatasetVersion) -> None:
        try:
            for _ in range(5):
                checkout(app.blobs, version, out)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(set(contents(out).values())) == 1


def test_a_manifest_never_names_what_is_unfinished(app: App, tmp_path: Path) -> None:
    planted = tmp_path / "out" / f"link{PART}"
    planted.parent.mkdir()
    planted.symlink_to(tmp_path)
    digest = app.blobs.put_bytes(b"x")
    entry = ManifestEntry(path=f"link{PART}/here", digest=digest, size_bytes=1)
    manifest = put_manifest(app.blobs, Manifest(entries=(entry,)))
    version = app.call(
        AddDatasetVersion(dataset="photos", manifest=manifest, file_count=1, size_bytes=1)
    )

    with pytest.raises(Invalid, match="unfinished"):
        checkout(app.blobs, version, tmp_path / "out")

    assert not (tmp_path / "here").exists()


def test_folders_whose_names_differ_in_case_only_are_refused_where_case_is_ignored(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such a file system can't be mounted by a test without rights; only the answer to "does it?" is given here.
    monkeypatch.setattr(checkouts, "_ignores_case", lambda target: True)
    version = recorded(app, made(tmp_path / "in", {"Cats/x/a": b"1", "cats/y/b": b"2"}))

    with pytest.raises(Conflict, match="ignores case"):
        checkout(app.blobs, version, tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_a_full_disk_says_so_and_leaves_nothing_unfinished(app: App, tmp_path: Path) -> None:
    version = recorded(app, made(tmp_path / "in", {"a": b"1" * 3_000_000}))
    out = made(tmp_path / "out", {"old": b"x"})
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from mainspring.config import load_settings\n"
        "from mainspring.app import opened_app\n"
        "from mainspring.datasets.checkout import checkout\n"
        "from mainspring.datasets.requests import GetDatasetVersion\n"
        f"with opened_app(load_settings(home={str(app.settings.home)!r})) as app:\n"
        "    version = app.call(GetDatasetVersion(dataset='photos'))\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "    try: checkout(app.blobs, version, Path(sys.argv[1]), force=True)\n"
        "    except Exception as error: print(type(error).__name__, error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, str(out)], capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith("Invalid") and "can't be written" in done.stdout, done
    assert list(out.iterdir()) == []
    assert version.number == 1


@pytest.mark.parametrize("what", ["pipe", "device"])
def test_what_is_no_file_is_not_stored(app: App, tmp_path: Path, what: str) -> None:
    path = Path("/dev/zero")
    if what == "pipe":
        path = tmp_path / "pipe"
        os.mkfifo(path)

    with pytest.raises(Invalid, match="not a regular file"):
        ingest(app.blobs, path)


def test_a_folder_that_holds_the_home_is_refused_clearly(app: App, tmp_path: Path) -> None:
    made(app.settings.home.parent, {"a": b"1"})
    seen = SeenFolders(app.settings.seen_path)

    with pytest.raises(Invalid, match="holds the home folder"):
        add_data(app.call, app.blobs, "all", app.settings.home.parent, seen=seen)


def test_a_folder_whose_name_is_no_text_is_added_and_compared(app: App, tmp_path: Path) -> None:
    folder = made(Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xff")), {"a": b"1"})
    seen = SeenFolders(app.settings.seen_path)

    version = add_data(app.call, app.blobs, "photos", folder, seen=seen).version
    checkout(app.blobs, version, folder.with_name("c\udcff"), seen=seen)

    assert status(app.blobs, folder, seen).is_clean
    assert status(app.blobs, folder.with_name("c\udcff"), seen).is_clean


def test_a_name_that_is_too_long_is_told(app: App, tmp_path: Path) -> None:
    version = recorded(app, made(tmp_path / "in", {"a": b"1"}))

    with pytest.raises(Invalid, match="too long"):
        ingest(app.blobs, tmp_path / ("n" * 300))
    with pytest.raises(Invalid, match="too long"):
        checkout(app.blobs, version, tmp_path / ("n" * 300))
