"""Deleting bytes that nothing needs, and keeping what others are made of."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mainspring.blobs.index import Piece, raw
from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.packs import Container
from mainspring.kernel.digests import Digest, digest_stream, hex_part
from mainspring.kernel.errors import Corrupt

# A pack with less dead weight than this is left as it is: writing it anew costs more than it frees.
_DEAD_SHARE = 0.25
_LEFTOVER_SECONDS = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """How much was found that nothing needs; deleted too, if that was asked for."""

    blob_count: int
    size_bytes: int


class Sweep:
    """One pass over a folder of bytes.

    `needed` are the digests that rows need, however far. What was stored or wanted since `before` (seconds since the
    epoch) is spared: rows that name it may be on their way. Killed anywhere, nothing needed is gone.
    """

    def __init__(self, blobs: LocalBlobs, needed: set[Digest], *, before: float) -> None:
        self._blobs = blobs
        self._before = before
        self._needed = needed
        self._cut = {each.path: each for each in blobs.containers if not each.is_pack}
        self._pieces = {raw(digest) for digest in needed}
        for path in blobs.recipes():
            digest = Digest("sha256:" + path.name)
            if digest in needed or not self._is_old(path):
                with suppress(FileNotFoundError):
                    self._pieces |= {piece for piece, _ in blobs.recipe_of(digest)}

    def run(self, *, delete: bool) -> Swept:
        """Count what nothing needs, and delete it if asked to."""
        count = size = 0
        for path in self._dead_files():
            with suppress(FileNotFoundError):
                length = path.stat().st_size
                if delete and not self._remove(path):
                    continue
                count, size = count + 1, size + length
        for container, dead in self._dead_weight():
            if delete and not self._pack_anew(container, dead):
                continue
            count, size = count + len(dead), size + sum(piece.length for piece in dead)
        if delete:
            self._clear_leftovers()
        return Swept(blob_count=count, size_bytes=size)

    def _dead_files(self) -> Iterator[Path]:
        """Recipes and whole files that nothing needs, and files of what pieces hold as well."""
        for path in self._blobs.recipes():
            if Digest("sha256:" + path.name) not in self._needed and self._is_old(path):
                yield path
        for path in self._blobs.whole_files():
            digest = Digest("sha256:" + path.name)
            if not self._is_old(path) or not self._is_old(self._blobs.cut_path(path.name)):
                continue
            if raw(digest) in self._pieces:
                if self._is_kept_in_pieces(digest):
                    yield path
            elif not self._live_pieces_of(path):
                yield path

    def _dead_weight(self) -> Iterator[tuple[Container, list[Piece]]]:
        """Containers of which enough is dead to write the rest anew, with what is dead."""
        for container in self._blobs.containers:
            if not container.is_pack:
                digest = Digest("sha256:" + container.path.name)
                if digest in self._needed or not self._live_pieces_of(container.path):
                    continue
            elif not self._is_old(container.path):
                continue
            pieces = list(container.index.pieces())
            dead = [piece for piece in pieces if piece.digest not in self._pieces]
            weight = sum(piece.length for piece in dead)
            if len(dead) == len(pieces) or weight > _DEAD_SHARE * sum(p.length for p in pieces):
                yield container, dead

    def _live_pieces_of(self, whole: Path) -> list[Piece]:
        """Pieces of a whole file that others are made of."""
        container = self._cut.get(whole)
        if container is None:
            return []
        return [piece for piece in container.index.pieces() if piece.digest in self._pieces]

    def _is_kept_in_pieces(self, digest: Digest) -> bool:
        """Whether bytes can be had without their file: it was made for somebody who reads files only."""
        try:
            recipe = self._blobs.recipe(digest)
        except Corrupt:
            return False
        if recipe is None or self._blobs.whole_path(hex_part(digest)) in self._cut:
            return False  # its pieces lie in this very file
        with self._blobs.open_pieces(recipe, as_kept=True) as stream:
            return digest_stream(stream) == digest

    def _pack_anew(self, container: Container, dead: list[Piece]) -> bool:
        """Write what is live of a container to a new pack, then delete it; False if it is wanted again."""
        gone = {piece.digest for piece in dead}
        pack = self._blobs.new_pack()
        try:
            with container.path.open("rb", buffering=0) as file:
                for piece in sorted(container.index.pieces(), key=lambda each: each.offset):
                    if piece.digest in gone:
                        continue
                    data = os.pread(file.fileno(), piece.length, piece.offset)
                    self._blobs.check_piece(piece, data)
                    pack.add(piece.digest, data)
            pack.finish()
        finally:
            pack.abandon()
        return self._remove(container.path)

    def _remove(self, path: Path) -> bool:
        cuts = self._blobs.cut_path(path.name)
        with self._blobs.sharing(alone=True):
            if not (self._is_old(path) and self._is_old(cuts)):
                return False
            if path.parent.name == path.name[:2]:
                cuts.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
        return True

    def _is_old(self, path: Path) -> bool:
        """Whether nobody asked for it lately; what is not there asks for nothing."""
        try:
            return path.stat().st_mtime <= self._before
        except FileNotFoundError:
            return True

    def _clear_leftovers(self) -> None:
        limit = time.time() - _LEFTOVER_SECONDS
        for path in self._blobs.leftovers():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()
