"""On a file system that shares blocks between files, storing and checking out copies nothing."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.trees import lay_out, put_folder

MEGABYTE = 1 << 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root"),
]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An XFS of its own."""
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(400 * MEGABYTE)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", disk], check=True)


def used_bytes(disk: Path) -> int:
    os.sync()
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def test_a_large_file_is_on_disk_once(disk: Path) -> None:
    (disk / "in").mkdir()
    (disk / "in/large").write_bytes(random.Random(1).randbytes(100 * MEGABYTE))
    before = used_bytes(disk)
    blobs = LocalBlobs(disk / "blobs")

    manifest = put_folder(blobs, disk / "in")
    lay_out(blobs, manifest, disk / "out")

    assert used_bytes(disk) - before < 5 * MEGABYTE
    assert (disk / "out/large").read_bytes() == (disk / "in/large").read_bytes()
    with (disk / "out/large").open("r+b") as file:
        file.write(b"edited in place")
    blobs.verify(manifest.entries[0].digest)
