"""Remotes on a real S3 server, which is killed in the middle of pushing and pulling."""

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mainspring.app import App, open_app
from mainspring.blobs.object_store import Objects
from mainspring.blobs.trees import lay_out, read_manifest
from mainspring.cli.bytes_in_use import walk
from mainspring.config import Settings
from mainspring.datasets.exchange import RemoteVersions
from mainspring.datasets.requests import AddRemote, GetDatasetVersion, ListDatasetVersions
from mainspring.kernel.errors import Denied, NotFound, Unavailable
from mainspring.quality.intake import add_data
from mainspring.testing.s3 import KEY, SECRET, S3Server, s3_server

ROOT = Path(__file__).parents[3]
WEED = ROOT / ".venv-dvc" / "bin" / "weed"
MEGABYTE = 1 << 20

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    if not WEED.exists():
        pytest.fail("there is no .venv-dvc: make it with `make setup-dvc`", pytrace=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        with s3_server(WEED) as server:
            yield server


@pytest.fixture
def other(tmp_path: Path) -> Iterator[App]:
    """Another person's installation."""
    app = open_app(Settings(home=tmp_path / "other"))
    yield app
    app.close()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two hundred small files, an empty one, and large ones."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(200):
        (folder / f"ä{number}.png").write_bytes(random.Random(number).randbytes(number * 50))
    for number in range(4):
        (folder / f"{number}.bin").write_bytes(random.Random(number).randbytes(40 * MEGABYTE))
    return folder


def on(app: App, server: S3Server, prefix: str) -> RemoteVersions:
    remote = app.call(AddRemote(name="origin", url=f"s3://data/{prefix}", endpoint=server.endpoint))
    return RemoteVersions(app.call, app.blobs, remote, app.settings.home / "remotes")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_objects_are_written_read_listed_and_made_once(server: S3Server) -> None:
    objects = Objects("s3://data/objects", endpoint=server.endpoint)

    objects.put("a/ünïcode name", b"0123456789")
    assert objects.get("a/ünïcode name") == b"0123456789"
    assert objects.get_ranges("a/ünïcode name", [(0, 2), (7, 3)]) == [b"01", b"789"]
    assert list(objects.names("a")) == ["a/ünïcode name"]
    assert objects.put_new("a/once", b"first")
    assert not objects.put_new("a/once", b"second")
    assert objects.get("a/once") == b"first"
    objects.delete("a/once")
    with pytest.raises(NotFound, match="has no a/once"):
        objects.get("a/once")


def test_eight_that_make_one_object_at_once_have_one_winner(server: S3Server) -> None:
    objects = Objects("s3://data/race", endpoint=server.endpoint)
    with ThreadPoolExecutor(8) as pool:
        for name in "abcde":
            won = list(pool.map(objects.put_new, [name] * 8, [b"x"] * 8))
            assert won.count(True) == 1


def test_wrong_credentials_are_told_and_never_shown(
    server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")

    with pytest.raises(Denied, match="refuses") as caught:
        Objects("s3://data/x", endpoint=server.endpoint).get("a")
    assert "not-the-secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.blobs.object_store._RETRY_SECONDS", 1)

    with pytest.raises(Unavailable, match="can't be reached"):
        Objects("s3://data/x", endpoint="http://127.0.0.1:9").get("a")


def test_what_one_pushes_another_pulls_bit_for_bit(
    app: App, other: App, server: S3Server, pictures: Path, tmp_path: Path
) -> None:
    add_data(app.call, app.blobs, "pictures", pictures)
    first = on(app, server, "plain").push(list(app.call(ListDatasetVersions(dataset="pictures"))))
    data = (pictures / "0.bin").read_bytes()
    (pictures / "0.bin").write_bytes(data[: 3 * MEGABYTE] + b"inserted" + data[3 * MEGABYTE :])
    add_data(app.call, app.blobs, "pictures", pictures)
    second = on(app, server, "plain").push(list(app.call(ListDatasetVersions(dataset="pictures"))))

    on(other, server, "plain").pull([])

    assert first.size_bytes > 160 * MEGABYTE
    assert second.size_bytes < MEGABYTE
    version = other.call(GetDatasetVersion(dataset="pictures"))
    lay_out(other.blobs, read_manifest(other.blobs, version.manifest), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(pictures)
    assert walk(other).problems == []


def test_the_server_may_be_killed_in_the_middle_of_a_push_and_of_a_pull(
    app: App, other: App, server: S3Server, pictures: Path, tmp_path: Path
) -> None:
    """Both go on by themselves once it is back."""
    add_data(app.call, app.blobs, "pictures", pictures)
    versions = list(app.call(ListDatasetVersions(dataset="pictures")))

    with_the_server_killed(server, lambda: on(app, server, "killed").push(versions))
    with_the_server_killed(server, lambda: on(other, server, "killed").pull([]))

    version = other.call(GetDatasetVersion(dataset="pictures"))
    lay_out(other.blobs, read_manifest(other.blobs, version.manifest), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(pictures)


def with_the_server_killed(server: S3Server, work: Callable[[], object]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.4)
    server.kill()
    was_at_work = thread.is_alive()
    time.sleep(1)
    server.start()
    thread.join(120)
    assert was_at_work, "it was over before the server was killed: make it take longer"
    assert not thread.is_alive()
    assert failures == []


def test_a_push_that_is_killed_is_finished_by_the_next(
    app: App, other: App, server: S3Server, pictures: Path, tmp_path: Path
) -> None:
    add_data(app.call, app.blobs, "pictures", pictures)
    on(app, server, "kill9")
    command = [sys.executable, "-m", "mainspring.cli.main", "data", "push", "pictures"]
    environment = {**os.environ, "MAINSPRING_HOME": str(app.settings.home)}
    for delay in (0.9, 1.2, 1.5):
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(delay)
        process.kill()
        process.wait()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    on(other, server, "kill9").pull([])
    version = other.call(GetDatasetVersion(dataset="pictures"))
    lay_out(other.blobs, read_manifest(other.blobs, version.manifest), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(pictures)
