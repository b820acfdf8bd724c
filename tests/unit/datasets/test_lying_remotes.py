"""A remote that somebody else writes to may hold anything: it is told, and nothing of it is taken in."""

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.app import App, open_app
from mainspring.blobs.index import Index, Piece, encode_index
from mainspring.blobs.recipes import decode_recipe, encode_recipe
from mainspring.blobs.trees import put_manifest
from mainspring.config import Settings
from mainspring.datasets.exchange import RemoteVersions
from mainspring.datasets.requests import AddRemote, ListDatasets, ListDatasetVersions
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Corrupt, NotFound
from mainspring.quality.intake import add_data

Change = Callable[[Path], object]


def on(app: App, folder: Path) -> RemoteVersions:
    remote = app.call(AddRemote(name="origin", url=f"file://{folder}"))
    return RemoteVersions(app.call, app.blobs, remote, app.settings.home / "remotes")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A remote with a version of small files, an empty one and a large one."""
    root = tmp_path_factory.mktemp("honest")
    (root / "in").mkdir()
    for number in range(70):
        (root / f"in/{number}").write_text(str(number))
    (root / "in/empty").touch()
    (root / "in/large").write_bytes(random.Random(1).randbytes(9 << 20))
    app = open_app(Settings(home=root / "home"))
    add_data(app.call, app.blobs, "rides", root / "in")
    on(app, root / "remote").push(list(app.call(ListDatasetVersions(dataset="rides"))))
    app.close()
    return root / "remote"


@pytest.fixture
def remote(honest: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(honest, tmp_path / "remote"))


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[App]:
    """An installation that has nothing yet."""
    app = open_app(Settings(home=tmp_path / "fresh"))
    yield app
    app.close()


def told(**fields: object) -> Change:
    def change(remote: Path) -> None:
        (path,) = (remote / "versions/rides").iterdir()
        path.write_text(json.dumps(json.loads(path.read_bytes()) | fields))

    return change


def indexed(make: Callable[[Piece], Piece]) -> Change:
    def change(remote: Path) -> None:
        for path in (remote / "index").iterdir():
            pieces = [make(piece) for piece in Index(path).pieces()]
            path.unlink()
            path.write_bytes(encode_index(pieces))

    return change


def made_of(make: Callable[[bytes, int], tuple[bytes, int]]) -> Change:
    def change(remote: Path) -> None:
        for path in (remote / "recipes").iterdir():
            recipe = decode_recipe(path.read_bytes())
            path.write_bytes(encode_recipe(tuple(make(*each) for each in recipe)))

    return change


def cut_short(remote: Path) -> None:
    for path in (remote / "packs").iterdir():
        path.chmod(0o644)
        os.truncate(path, 100)


def written(data: bytes) -> Change:
    def change(remote: Path) -> None:
        (path,) = (remote / "versions/rides").iterdir()
        path.write_bytes(data)

    return change


@pytest.mark.parametrize(
    "change",
    [
        told(dataset="../../x"),
        told(dataset="other"),
        told(dataset="a\x1b[2J"),
        told(manifest="../../etc/passwd"),
        told(profile="sha256:zz"),
        told(manifest=digest_bytes(b"0")),
        told(file_count=1),
        told(size_bytes=-1),
        told(size_bytes=2**70),
        told(row_count=2**64),
        told(note="a\0b"),
        told(created_at="2026-01-01T00:00:00"),
        written(b""),
        written(b"{"),
        written(b'{"a":' + b"[" * 100_000),
        indexed(lambda piece: Piece(piece.digest, piece.offset, 2**32 - 1)),
        indexed(lambda piece: Piece(piece.digest, piece.offset, 0)),
        indexed(lambda piece: Piece(piece.digest, piece.offset + 1, piece.length)),
        indexed(lambda piece: Piece(piece.digest, 2**64 - 1, piece.length)),
        indexed(lambda piece: Piece(piece.digest, 2**63 - 5, piece.length)),
        indexed(lambda piece: Piece(b"x" * 32, piece.offset, piece.length)),
        made_of(lambda piece, length: (piece, 2**32 - 1)),
        made_of(lambda piece, length: (piece, 0)),
        made_of(lambda piece, length: (b"x" * 32, length)),
        cut_short,
        lambda remote: shutil.rmtree(remote / "packs"),
    ],
)
def test_lies_are_told_and_nothing_is_taken_in(remote: Path, fresh: App, change: Change) -> None:
    change(remote)

    with pytest.raises((Corrupt, NotFound), match=r"remote|not a manifest"):
        on(fresh, remote).pull([])

    assert fresh.call(ListDatasets()) == ()


def test_a_recipe_made_of_itself_ends(remote: Path, fresh: App) -> None:
    for path in (remote / "recipes").iterdir():
        path.write_bytes(encode_recipe(((bytes.fromhex(path.name), 9 << 20),) * 3))

    with pytest.raises(NotFound, match="lacks 1"):
        on(fresh, remote).pull([])


def test_a_version_whose_paths_leave_its_folder_is_not_taken_in(
    app: App, fresh: App, tmp_path: Path
) -> None:
    there = on(app, tmp_path / "remote")
    digest = app.blobs.put_bytes(b"x")
    entry = ManifestEntry(path="../../evil", digest=digest, size_bytes=1)
    manifest = put_manifest(app.blobs, Manifest(entries=(entry,)))
    (tmp_path / "in").write_bytes(b"x")
    add_data(app.call, app.blobs, "rides", tmp_path / "in")
    there.push(list(app.call(ListDatasetVersions(dataset="rides"))))
    there.bytes.send([digest, manifest])
    told(manifest=manifest)(tmp_path / "remote")

    with pytest.raises(Corrupt, match="evil"):
        on(fresh, tmp_path / "remote").pull([])

    assert fresh.call(ListDatasets()) == ()


def test_what_others_leave_beside_our_objects_is_passed_over(remote: Path, fresh: App) -> None:
    for name in ("index/.DS_Store", f"index/{'a' * 250}", "versions/README", "versions/rides/x"):
        (remote / name).write_text("not ours")

    assert on(fresh, remote).pull([]).numbers == {"rides": (1,)}


def test_an_empty_file_is_fetched_alone(remote: Path, fresh: App, tmp_path: Path) -> None:
    on(fresh, remote).bytes.fetch_to(digest_bytes(b""), tmp_path / "empty")

    assert (tmp_path / "empty").read_bytes() == b""
