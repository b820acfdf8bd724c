import errno
import os
import subprocess
import threading
from io import BytesIO
from pathlib import Path

import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.sweep import Sweep
from mainspring.blobs.trees import check_relative, lay_out, put_folder, put_manifest, read_manifest
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.digests import Digest, digest_bytes
from mainspring.kernel.errors import Conflict, Corrupt, Invalid, NotFound, Unavailable


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def test_what_was_put_is_read_back(blobs: LocalBlobs) -> None:
    digest = blobs.put_bytes(b"hello")

    assert digest == digest_bytes(b"hello")
    assert blobs.read(digest) == b"hello"
    assert list(blobs.digests()) == [digest]


def test_putting_the_same_bytes_twice_keeps_them_once(blobs: LocalBlobs) -> None:
    assert blobs.put_bytes(b"x") == blobs.put_bytes(b"x")
    assert len(list(blobs.digests())) == 1


def test_changed_bytes_are_noticed(blobs: LocalBlobs) -> None:
    digest = blobs.put_bytes(b"hello")
    path = blobs.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(b"hellO")

    with pytest.raises(Corrupt, match="no longer those bytes"):
        blobs.read(digest)
    with pytest.raises(Corrupt):
        blobs.verify(digest)


def test_unknown_bytes_are_not_found(blobs: LocalBlobs) -> None:
    with pytest.raises(NotFound):
        blobs.read(digest_bytes(b"never stored"))


def test_a_digest_that_is_a_path_is_refused(blobs: LocalBlobs) -> None:
    with pytest.raises(Invalid):
        blobs.open(Digest("sha256:../../../etc/passwd"))


class GrowingFile(BytesIO):
    """Fails half-way, as a disk does that fills up."""

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        if not data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return data


def test_a_failed_write_leaves_nothing_behind(blobs: LocalBlobs, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="full"):
        blobs.put(GrowingFile(b"half"))

    assert list(blobs.digests()) == []
    assert list((tmp_path / "blobs" / "tmp").iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_refused(blobs: LocalBlobs, tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(b"x" * 50_000_000)
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab") as file:
            while not stop.is_set():
                file.write(b"y")
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        with pytest.raises(Conflict, match="changed while it was read"):
            blobs.put_file(path)
    finally:
        stop.set()
        thread.join()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=True)
    try:
        blobs = LocalBlobs(small / "blobs")
        kept = blobs.put_bytes(b"kept")

        with pytest.raises(Unavailable, match=r"(?s)is full.*Free some space") as caught:
            blobs.put_bytes(os.urandom(2_000_000))

        assert caught.value.code == "disk_full"
        assert list(blobs.digests()) == [kept]
        assert blobs.read(kept) == b"kept"
        assert blobs.put_bytes(b"fits again")
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_folder_comes_back_as_it_was(blobs: LocalBlobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a").write_bytes(b"1")
    (source / "deep" / "er" / "b c").write_bytes(b"")

    digest = put_manifest(blobs, put_folder(blobs, source))
    lay_out(blobs, read_manifest(blobs, digest), tmp_path / "target")

    found = {
        path.relative_to(tmp_path / "target").as_posix(): path.read_bytes()
        for path in (tmp_path / "target").rglob("*")
        if path.is_file()
    }
    assert found == {"a": b"1", "deep/er/b c": b""}


def test_links_are_refused(blobs: LocalBlobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "link").symlink_to("/etc/passwd")

    with pytest.raises(Invalid, match="not a regular file"):
        put_folder(blobs, source)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a\\b", "a\0b", "a/"]
)
def test_a_path_that_leaves_its_root_is_refused(
    blobs: LocalBlobs, tmp_path: Path, path: str
) -> None:
    with pytest.raises(Invalid, match="not a plain relative path"):
        check_relative(path)

    entry = ManifestEntry(path=path, digest=blobs.put_bytes(b"x"), size_bytes=1)
    with pytest.raises(Invalid):
        lay_out(blobs, Manifest(entries=(entry,)), tmp_path / "target")


def test_damaged_bytes_are_not_laid_out(blobs: LocalBlobs, tmp_path: Path) -> None:
    digest = blobs.put_bytes(b"model")
    blobs.path_of(digest).chmod(0o644)
    blobs.path_of(digest).write_bytes(b"evil!")

    entry = ManifestEntry(path="model", digest=digest, size_bytes=5)
    with pytest.raises(Corrupt, match="stored bytes of model are damaged"):
        lay_out(blobs, Manifest(entries=(entry,)), tmp_path / "target")

    assert not (tmp_path / "target" / "model").exists()


def test_leftovers_of_a_killed_writer_are_removed_once_they_are_old(
    blobs: LocalBlobs, tmp_path: Path
) -> None:
    leftover = tmp_path / "blobs" / "tmp" / "half"
    leftover.write_bytes(b"half")

    Sweep(blobs, set(), before=0).run(delete=True)
    assert leftover.exists()
    os.utime(leftover, (0, 0))
    Sweep(blobs, set(), before=0).run(delete=True)
    assert not leftover.exists()
