"""An unchanged file is not read again; a changed one always is."""

import os
import time
from pathlib import Path

import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.seen import SeenFolder, SeenFolders
from mainspring.blobs.sweep import Sweep
from mainspring.blobs.trees import put_folder
from mainspring.domain.dataset import Manifest


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose files were written a while ago."""
    path = tmp_path / "data"
    path.mkdir()
    for number in range(5):
        (path / f"{number}.bin").write_bytes(b"%d" % number)
    time.sleep(0.12)
    return path


def put(blobs: LocalBlobs, folder: Path, seen: SeenFolders) -> tuple[Manifest, SeenFolder]:
    known = seen.load(folder)
    manifest = put_folder(blobs, folder, seen=known)
    seen.save(known)
    return manifest, known


def test_an_unchanged_folder_is_not_read_again(
    blobs: LocalBlobs, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = SeenFolders(tmp_path / "seen")
    first, _ = put(blobs, folder, seen)
    monkeypatch.setattr(blobs, "put_files", lambda paths, near: [1 / 0 for _ in paths])

    assert put(blobs, folder, seen)[0] == first


def test_an_edit_that_keeps_size_and_time_is_noticed(
    blobs: LocalBlobs, folder: Path, tmp_path: Path
) -> None:
    seen = SeenFolders(tmp_path / "seen")
    first, _ = put(blobs, folder, seen)
    path = folder / "3.bin"
    stamp = path.stat()
    path.write_bytes(b"X")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))

    again, _ = put(blobs, folder, seen)

    assert [
        one.path for one, two in zip(first.entries, again.entries, strict=True) if one != two
    ] == ["3.bin"]


def test_a_file_written_just_before_it_was_seen_is_read_again(
    blobs: LocalBlobs, folder: Path, tmp_path: Path
) -> None:
    (folder / "new.bin").write_bytes(b"new")

    _, known = put(blobs, folder, SeenFolders(tmp_path / "seen"))

    assert [path for path, file in known.files.items() if file.stamp is None] == ["new.bin"]


def test_bytes_that_were_swept_meanwhile_are_stored_again(
    blobs: LocalBlobs, folder: Path, tmp_path: Path
) -> None:
    seen = SeenFolders(tmp_path / "seen")
    first, _ = put(blobs, folder, seen)
    Sweep(blobs, set(), before=time.time() + 60).run(delete=True)

    assert put(blobs, folder, seen)[0] == first
    for entry in first.entries:
        blobs.verify(entry.digest)


def test_a_damaged_memory_is_no_memory(blobs: LocalBlobs, folder: Path, tmp_path: Path) -> None:
    seen = SeenFolders(tmp_path / "seen")
    first, _ = put(blobs, folder, seen)
    (path,) = (tmp_path / "seen").iterdir()
    path.write_bytes(b"no msgpack")

    assert seen.load(folder).files == {}
    assert seen.all() == []
    assert put(blobs, folder, seen)[0] == first


def test_two_folders_are_remembered_apart(blobs: LocalBlobs, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "0.bin").write_bytes(b"other")
    seen = SeenFolders(tmp_path / "seen")
    put(blobs, folder, seen)
    put(blobs, other, seen)

    assert [each.root for each in seen.all()] == [str(folder), str(other)]
    assert seen.load(other).files.keys() == {"0.bin"}


def test_a_bit_that_changed_in_what_was_seen_only_costs_reading_again(
    blobs: LocalBlobs, folder: Path, tmp_path: Path
) -> None:
    seen = SeenFolders(tmp_path / "seen")
    first, _ = put(blobs, folder, seen)
    (path,) = (tmp_path / "seen").iterdir()
    whole = path.read_bytes()

    for at in range(0, len(whole) * 8, 5):
        broken = bytearray(whole)
        broken[at // 8] ^= 1 << at % 8
        path.write_bytes(broken)
        assert not seen.load(folder).files
        assert not seen.all()

    path.write_bytes(whole[:100])
    assert put(blobs, folder, seen)[0] == first
