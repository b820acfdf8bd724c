"""Pushing to and pulling from a remote; here one that is a folder (the same, on S3: `tests/contract/s3`)."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mainspring.app import App, open_app
from mainspring.blobs.exchange import Exchange
from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.object_store import Objects
from mainspring.blobs.trees import lay_out, put_folder, read_manifest
from mainspring.cli.bytes_in_use import walk
from mainspring.config import Settings
from mainspring.datasets.exchange import Exchanged, RemoteVersions
from mainspring.datasets.requests import (
    AddRemote,
    GetDatasetVersion,
    ListDatasetVersions,
    ListRemotes,
    RemoveRemote,
)
from mainspring.datasets.tables import read_table
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.quality.intake import add_data

MEGABYTE = 1 << 20


@pytest.fixture
def other(tmp_path: Path) -> Iterator[App]:
    """Another person's installation."""
    app = open_app(Settings(home=tmp_path / "other"))
    yield app
    app.close()


def on(app: App, folder: Path) -> RemoteVersions:
    """An installation's view of the remote in a folder."""
    remote = app.call(AddRemote(name="origin", url=f"file://{folder}"))
    return RemoteVersions(app.call, app.blobs, remote, app.settings.home / "remotes")


def push(app: App, folder: Path, name: str = "rides") -> Exchanged:
    versions = app.call(ListDatasetVersions(dataset=name))
    return on(app, folder).push([each for each in versions if each.state == "accepted"])


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A hundred small files and a large one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number}.png").write_bytes(b"%d" % (number // 2) * number)
    (folder / "large.bin").write_bytes(random.Random(1).randbytes(10 * MEGABYTE))
    return folder


def test_what_one_pushes_another_pulls(app: App, other: App, tmp_path: Path) -> None:
    for value in (1, 2):
        add_data(app.call, app.blobs, "rides", pl.DataFrame({"a": [value]}), note=f"day {value}")
    remote = tmp_path / "remote"

    pushed = push(app, remote)
    pulled = on(other, remote).pull([])

    assert pushed.numbers == pulled.numbers == {"rides": (1, 2)}
    ours = app.call(ListDatasetVersions(dataset="rides"))
    theirs = other.call(ListDatasetVersions(dataset="rides"))
    assert [(v.manifest, v.note, v.columns) for v in ours] == [
        (v.manifest, v.note, v.columns) for v in theirs
    ]
    assert_frame_equal(read_table(other.blobs, theirs[0].manifest), pl.DataFrame({"a": [2]}))
    assert walk(other).problems == []


def test_nothing_travels_twice(app: App, other: App, tmp_path: Path, pictures: Path) -> None:
    add_data(app.call, app.blobs, "rides", pictures)
    remote = tmp_path / "remote"
    push(app, remote)

    assert push(app, remote).object_count == 0
    on(other, remote).pull(["rides"])
    assert on(other, remote).pull(["rides"]).object_count == 0
    assert push(other, remote).object_count == 0


def test_of_a_changed_large_file_only_what_changed_travels(
    app: App, other: App, tmp_path: Path, pictures: Path
) -> None:
    add_data(app.call, app.blobs, "rides", pictures)
    remote = tmp_path / "remote"
    push(app, remote)
    on(other, remote).pull([])
    data = (pictures / "large.bin").read_bytes()
    (pictures / "large.bin").write_bytes(data[:MEGABYTE] + b"inserted" + data[MEGABYTE:])
    add_data(app.call, app.blobs, "rides", pictures)

    sent = push(app, remote)
    fetched = on(other, remote).pull([])

    assert 0 < sent.size_bytes < MEGABYTE
    assert 0 < fetched.size_bytes < MEGABYTE
    manifest = read_manifest(other.blobs, other.call(GetDatasetVersion(dataset="rides")).manifest)
    lay_out(other.blobs, manifest, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(pictures)


def test_two_that_push_at_once_lose_nothing(app: App, other: App, tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    add_data(app.call, app.blobs, "rides", pl.DataFrame({"a": ["ours"]}))
    add_data(other.call, other.blobs, "rides", pl.DataFrame({"a": ["theirs"]}))

    push(app, remote)
    push(other, remote)
    on(app, remote).pull([])
    on(other, remote).pull([])

    for each in (app, other):
        versions = each.call(ListDatasetVersions(dataset="rides"))
        tables = [read_table(each.blobs, version.manifest)["a"].item() for version in versions]
        assert sorted(tables) == ["ours", "theirs"]


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_a_push_that_breaks_off_anywhere_is_finished_by_the_next(
    app: App, other: App, tmp_path: Path, pictures: Path, after: int
) -> None:
    add_data(app.call, app.blobs, "rides", pictures)
    remote = tmp_path / "remote"
    put, count = Objects.put, iter(range(100))

    def breaking(self: Objects, name: str, data: bytes | Path) -> None:
        if next(count) >= after:
            raise KeyboardInterrupt
        put(self, name, data)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Objects, "put", breaking)
        push(app, remote)
    with pytest.raises(NotFound):
        on(other, remote).pull(["rides"])
    push(app, remote)
    on(other, remote).pull(["rides"])

    manifest = read_manifest(other.blobs, other.call(GetDatasetVersion(dataset="rides")).manifest)
    lay_out(other.blobs, manifest, tmp_path / "out")
    assert contents(tmp_path / "out") == contents(pictures)


def test_a_pull_that_breaks_off_is_finished_by_the_next(
    app: App, other: App, tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_data(app.call, app.blobs, "rides", pictures)
    remote = tmp_path / "remote"
    push(app, remote)
    monkeypatch.setattr(LocalBlobs, "add_recipe", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        on(other, remote).pull([])
    monkeypatch.undo()
    with pytest.raises(NotFound):
        other.call(GetDatasetVersion(dataset="rides"))

    again = on(other, remote).pull([])

    assert again.size_bytes < MEGABYTE
    assert walk(other).problems == []


def test_damaged_objects_are_named_and_not_taken(
    app: App, other: App, tmp_path: Path, pictures: Path
) -> None:
    add_data(app.call, app.blobs, "rides", pictures)
    remote = tmp_path / "remote"
    push(app, remote)
    (pack,) = (remote / "packs").iterdir()
    pack.chmod(0o644)
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.write_bytes(data)

    with pytest.raises(Corrupt, match="are other bytes"):
        on(other, remote).pull([])
    with pytest.raises(NotFound):
        other.call(GetDatasetVersion(dataset="rides"))


def test_objects_that_are_gone_are_told(app: App, other: App, tmp_path: Path) -> None:
    add_data(app.call, app.blobs, "rides", pl.DataFrame({"a": [1]}))
    remote = tmp_path / "remote"
    push(app, remote)
    shutil.rmtree(remote / "index")

    with pytest.raises(NotFound, match="lacks"):
        on(other, remote).pull([])
    with pytest.raises(NotFound, match="has no dataset 'walks'"):
        on(other, remote).pull(["walks"])


def test_pushing_and_pulling_is_the_identity_for_any_tree(tmp_path: Path) -> None:
    random_ = random.Random(7)
    for number in range(5):
        root = tmp_path / str(number)
        for name in range(random_.randrange(1, 120)):
            path = root / "in" / str(name % 5) / f"{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(random_.randbytes(random_.choice([0, 1, 50, 5000, 100_000])))
        ours, theirs = LocalBlobs(root / "ours"), LocalBlobs(root / "theirs")
        objects = Objects(f"file://{root / 'remote'}")
        manifest = put_folder(ours, root / "in")
        digests = [entry.digest for entry in manifest.entries]

        Exchange(ours, objects, root / "one").send(digests)
        moved = Exchange(theirs, objects, root / "two").fetch(digests)
        lay_out(theirs, manifest, root / "out")

        assert moved.missing == []
        assert contents(root / "out") == contents(root / "in")


def test_what_nobody_has_is_missing(tmp_path: Path) -> None:
    exchange = Exchange(
        LocalBlobs(tmp_path / "blobs"), Objects(f"file://{tmp_path / 'remote'}"), tmp_path / "cache"
    )

    assert exchange.fetch([digest_bytes(b"nobody's")]).missing == [digest_bytes(b"nobody's")]


@pytest.mark.parametrize(
    "url", ["", "ftp://host/x", "s3://", "file://relative", "s3://key:secret@bucket", "s3://b?x=1"]
)
def test_an_address_that_can_not_be_right_is_refused(app: App, url: str) -> None:
    with pytest.raises(Invalid, match="is not an address of objects") as caught:
        app.call(AddRemote(name="origin", url=url))
    assert "secret" not in str(caught.value)


def test_remotes_are_listed_replaced_and_forgotten(app: App) -> None:
    app.call(AddRemote(name="b", url="s3://data/b", endpoint="http://localhost:1"))
    app.call(AddRemote(name="a", url="s3://data/a/"))
    app.call(AddRemote(name="b", url="s3://data/c"))

    found = app.call(ListRemotes())
    app.call(RemoveRemote(name="a"))

    assert [(each.name, each.url, each.endpoint) for each in found] == [
        ("a", "s3://data/a", ""),
        ("b", "s3://data/c", ""),
    ]
    assert [each.name for each in app.call(ListRemotes())] == ["b"]
    with pytest.raises(NotFound):
        app.call(RemoveRemote(name="a"))
