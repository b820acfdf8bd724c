"""Storing many small files at once: read in batches, some ahead, and appended to packs."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mainspring.blobs.folder import BlobFolder, unavailable
from mainspring.blobs.index import named
from mainspring.blobs.packs import PACK_BYTES
from mainspring.blobs.taking import Stamp, read_whole
from mainspring.kernel.digests import Digest

_BATCH_BYTES = 8 << 20
_BATCH_FILES = 256
_READ_AHEAD = 4


def put_small(
    folder: BlobFolder,
    paths: Sequence[Path | str],
    sizes: list[int],
    small: list[int],
    found: list[tuple[Digest, Stamp] | None],
) -> None:
    """Read and digest small files in batches, some ahead, and append the new ones to packs."""

    def read(batch: list[int]) -> list[tuple[int, bytes, bytes, Stamp]]:
        taken = []
        for at in batch:
            data, stamp = read_whole(paths[at])
            taken.append((at, hashlib.sha256(data).digest(), data, stamp))
        return taken

    if not small:
        return
    batches = _batches(small, sizes)
    pack = folder.new_pack()
    try:
        with ThreadPoolExecutor(2) as pool:
            ahead = [pool.submit(read, batch) for batch in batches[:_READ_AHEAD]]
            for number in range(len(batches)):
                taken = ahead.pop(0).result()
                if number + _READ_AHEAD < len(batches):
                    ahead.append(pool.submit(read, batches[number + _READ_AHEAD]))
                there = folder.touch(named(digest) for _, digest, _, _ in taken)
                for at, digest, data, stamp in taken:
                    found[at] = (named(digest), stamp)
                    if named(digest) not in there:
                        pack.add(digest, data)
                if pack.size_bytes > PACK_BYTES:
                    pack.finish()
                    pack = folder.new_pack()
        pack.finish()
    except OSError as error:
        raise unavailable(error, folder.root) from error
    finally:
        pack.abandon()


def _batches(small: list[int], sizes: list[int]) -> list[list[int]]:
    batches: list[list[int]] = []
    room = 0
    for at in small:
        if not batches or room < sizes[at] or len(batches[-1]) == _BATCH_FILES:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(at)
        room -= sizes[at]
    return batches
