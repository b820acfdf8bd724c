"""Bytes in a folder, stored in the form that is best for them and read as if there were one form."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mainspring.blobs import copying_out
from mainspring.blobs.cuts import keep_what_differs
from mainspring.blobs.folder import BlobFolder, corrupt, write_all
from mainspring.blobs.recipes import CUT_BYTES, Recipe
from mainspring.blobs.small_files import put_small
from mainspring.blobs.taking import Stamp, copy_whole, results, size_of
from mainspring.kernel.digests import CHUNK_BYTES, Digest, hex_part, parse_digest

SMALL_BYTES = 1 << 20
"""Files below this are packed, where `MANY` or more of them come at once."""
MANY = 64


class LocalBlobs(BlobFolder):
    """A `BlobStore` in a folder on a local disk."""

    def put(self, stream: BinaryIO) -> Digest:
        """Store all that is left in a stream."""
        state = hashlib.sha256()
        with self.new_file() as (handle, temporary):
            while chunk := stream.read(CHUNK_BYTES):
                state.update(chunk)
                write_all(handle, chunk)
            digest = Digest("sha256:" + state.hexdigest())
            self._keep(handle, temporary, digest)
        return digest

    def put_bytes(self, data: bytes) -> Digest:
        return self.put(BytesIO(data))

    def put_file(self, path: Path) -> Digest:
        """Store a file's bytes; raises `Conflict` if the file changes while it is read."""
        return self._put_large(Path(os.path.realpath(path)), None)[0]

    def put_files(
        self, paths: Sequence[Path | str], near: Sequence[Digest | None] = ()
    ) -> list[tuple[Digest, Stamp]]:
        """Store many files: small ones together, large ones beside each other.

        `near` names, for each path, stored bytes that it may be a later version of: where much is alike, only
        what differs is stored. Raises `Conflict` for a file that changes meanwhile; links are not followed.
        """
        found: list[tuple[Digest, Stamp] | None] = [None] * len(paths)
        sizes = [size_of(path) for path in paths]
        small = [at for at, size in enumerate(sizes) if size < SMALL_BYTES]
        if len(small) < MANY:
            small = []
        put_small(self, paths, sizes, small, found)
        rest = [at for at in range(len(paths)) if found[at] is None]
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            futures = [
                pool.submit(self._put_large, paths[at], near[at] if near else None) for at in rest
            ]
            for at, taken in zip(rest, results(pool, futures), strict=True):
                found[at] = taken
        return [each for each in found if each is not None]

    def put_again(self, digest: Digest, path: Path) -> None:
        """Store bytes as a file of their own although they seem to be there; raises `Corrupt` if they are others."""
        with self.new_file() as (handle, temporary):
            if copy_whole(path, handle)[0] != digest:
                raise corrupt(digest)
            self.put_in_place(handle, temporary, self.whole_path(hex_part(digest)))

    def path_of(self, digest: Digest) -> Path:
        """Where the bytes lie as a file; read only. Other processes open models and snapshots from here.

        Bytes that are no file yet become one (verified); bytes that are not stored would lie there.
        """
        path = self.whole_path(hex_part(parse_digest(digest)))
        if not path.exists() and (recipe := self.recipe(digest)) is not None:
            self._write_out(digest, recipe)
        return path

    def copy_out(
        self, files: Sequence[tuple[Digest, str]], target: Path, *, replace: bool = False
    ) -> None:
        """Write bytes to files below a folder, verified; the folders are there already.

        Small ones are read in the order in which they lie, large ones beside each other.
        """
        copying_out.copy_out(self, files, target, replace=replace)

    def _put_large(self, path: Path | str, near: Digest | None) -> tuple[Digest, Stamp]:
        with self.new_file() as (handle, temporary):
            digest, stamp = copy_whole(path, handle)
            is_kept = (
                near is not None
                and stamp.size_bytes >= CUT_BYTES
                and keep_what_differs(self, temporary, digest, near)
            )
            if not is_kept:
                self._keep(handle, temporary, digest)
        return digest, stamp

    def _keep(self, handle: int, temporary: Path, digest: Digest) -> None:
        if not self.touch((digest,)):
            self.put_in_place(handle, temporary, self.whole_path(hex_part(digest)))

    def _write_out(self, digest: Digest, recipe: Recipe) -> None:
        with self.new_file() as (handle, temporary):
            state = hashlib.sha256()
            for piece, length in recipe:
                data = self.read_piece(piece, 0, length)
                state.update(data)
                write_all(handle, data)
            if "sha256:" + state.hexdigest() != digest:
                raise corrupt(digest)
            self.put_in_place(handle, temporary, self.whole_path(hex_part(digest)))
