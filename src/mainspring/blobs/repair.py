"""Putting sound bytes in the place of damaged ones."""

import hashlib
import os
from pathlib import Path

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.packs import Container
from mainspring.kernel.digests import Digest


def replace(blobs: LocalBlobs, digest: Digest, path: Path) -> None:
    """Keep the bytes in a file as `digest`, in the place of damaged or missing ones; raises `Corrupt` for others.

    They become a file of their own: what they were a piece of, or were made of, is not asked for them any more.
    """
    blobs.put_again(digest, path)
    blobs.recipe_path(digest).unlink(missing_ok=True)


def drop_damaged_pieces(blobs: LocalBlobs) -> int:
    """Write packs anew that hold damaged pieces or a damaged index, without those; how many pieces were dropped.

    A damaged piece must not stay where it was: the same bytes, added again, would be taken for stored.
    """
    dropped = 0
    for container in blobs.containers:
        if container.is_pack:
            damaged = _damaged(container)
            if damaged or container.is_rescued:
                dropped += len(damaged)
                _write_anew(blobs, container, damaged)
    return dropped


def _damaged(container: Container) -> set[bytes]:
    with container.path.open("rb", buffering=0) as file:
        return {
            piece.digest
            for piece in container.index.pieces()
            if hashlib.sha256(os.pread(file.fileno(), piece.length, piece.offset)).digest()
            != piece.digest
        }


def _write_anew(blobs: LocalBlobs, container: Container, without: set[bytes]) -> None:
    pack = blobs.new_pack()
    try:
        with container.path.open("rb", buffering=0) as file:
            for piece in sorted(container.index.pieces(), key=lambda each: each.offset):
                if piece.digest not in without:
                    data = os.pread(file.fileno(), piece.length, piece.offset)
                    blobs.check_piece(piece, data)
                    pack.add(piece.digest, data)
        made = pack.finish()
    finally:
        pack.abandon()
    if made != container.path:
        with blobs.sharing(alone=True):
            container.path.unlink(missing_ok=True)
    blobs.containers.forget()
