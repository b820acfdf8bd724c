"""Killed at every single write: nothing that was there is lost, nothing is half there, and the next try succeeds."""

import os
import random
import signal
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.seen import SeenFolders
from mainspring.blobs.sweep import Sweep
from mainspring.blobs.trees import put_folder, put_manifest, read_manifest
from mainspring.datasets.checkout import checkout
from mainspring.domain.dataset import Manifest
from mainspring.kernel.digests import Digest
from mainspring.testing.datasets import a_version_of

MEGABYTE = 1 << 20
_WRITES = (
    "write",
    "pwrite",
    "copy_file_range",
    "fsync",
    "replace",
    "unlink",
    "utime",
    "mkdir",
    "rmdir",
)


def killed_at(point: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed just before its n-th write; False if it ended before that."""
    child = os.fork()
    if child == 0:
        left = iter(range(point))
        for name in _WRITES:
            setattr(os, name, _counted(getattr(os, name), left))
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def _counted(function: Callable[..., Any], left: Iterator[int]) -> Callable[..., Any]:
    def counted(*arguments: Any, **options: Any) -> Any:
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    return counted


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hundred small files, a large one, an empty folder."""
    path = tmp_path / "data"
    (path / "empty").mkdir(parents=True)
    for number in range(100):
        (path / f"{number}").write_bytes(b"%d" % number)
    (path / "large").write_bytes(random.Random(1).randbytes(9 * MEGABYTE))
    return path


def change(folder: Path) -> None:
    """Make it the next version: some files new, some gone, some bytes inserted in the large one."""
    data = (folder / "large").read_bytes()
    (folder / "large").write_bytes(data[:MEGABYTE] + b"inserted" + data[MEGABYTE:])
    for number in range(90):
        (folder / f"{number}").write_bytes(b"changed %d" % number)
    (folder / "99").unlink()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def verify(blobs: LocalBlobs, manifest: Manifest) -> None:
    """Read all that a version needs, and all else that is stored."""
    for entry in manifest.entries:
        blobs.verify(entry.digest)
    for digest in blobs.digests():
        blobs.verify(digest)


@pytest.mark.slow
def test_adding(tmp_path: Path, folder: Path) -> None:
    root, seen = tmp_path / "blobs", SeenFolders(tmp_path / "seen")
    first = put_folder(LocalBlobs(root), folder)
    change(folder)

    def add() -> Digest:
        blobs = LocalBlobs(root)
        known = seen.load(folder)
        near = {entry.path: entry.digest for entry in first.entries}
        manifest = put_folder(blobs, folder, seen=known, near=near)
        seen.save(known)
        return put_manifest(blobs, manifest)

    point = 0
    while killed_at(point, add):
        verify(LocalBlobs(root), first)
        point += 1

    assert point > 10
    blobs = LocalBlobs(root)
    second = read_manifest(blobs, add())
    verify(blobs, second)
    assert {e.path: blobs.read(e.digest) for e in second.entries} == contents(folder)


@pytest.mark.slow
def test_checking_out(tmp_path: Path, folder: Path) -> None:
    blobs, seen = LocalBlobs(tmp_path / "blobs"), SeenFolders(tmp_path / "seen")
    first = a_version_of(blobs, folder)
    change(folder)
    second = a_version_of(blobs, folder)
    out = tmp_path / "out"

    for point in range(0, 120, 7):
        if not killed_at(point, lambda: checkout(blobs, first, out, seen=seen)):
            break
        assert not out.exists()
    checkout(blobs, first, out, seen=seen)

    point = 0
    while killed_at(point, lambda: checkout(blobs, second, out, seen=seen)):
        # Whatever is there is of one version or the other, and either can be had from it.
        point += 7 if point > 20 else 1
    assert point > 10
    checkout(blobs, second, out, seen=seen)
    assert contents(out) == contents(folder)
    assert (out / "empty").is_dir()


@pytest.mark.slow
def test_sweeping(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "blobs"
    blobs = LocalBlobs(root)
    first = put_folder(blobs, folder)
    change(folder)
    near = {entry.path: entry.digest for entry in first.entries}
    second = put_folder(blobs, folder, near=near)
    needed = {entry.digest for entry in second.entries}

    def sweep() -> None:
        Sweep(LocalBlobs(root), needed, before=inf).run(delete=True)

    point = 0
    while killed_at(point, sweep):
        verify(LocalBlobs(root), second)
        point += 1

    assert point > 3
    verify(LocalBlobs(root), second)
    assert Sweep(LocalBlobs(root), needed, before=inf).run(delete=True).blob_count == 0
