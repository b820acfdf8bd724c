"""Packs: many small pieces in one file, so that a million small files are not a million inodes."""

import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mainspring.blobs.index import (
    HEADER,
    PIECE_MARK,
    Index,
    Piece,
    RescuedIndex,
    encode_index,
    scan,
)
from mainspring.blobs.recipes import cut

PACK_BYTES = 512 << 20
_BUFFER_BYTES = 4 << 20
_TICK_NS = 50_000_000


class PackWriter:
    """Writes one pack: nothing of it can be seen before `finish`, and nothing of it is lost after."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self._folder = folder
        handle, name = tempfile.mkstemp(dir=temporary, prefix="pack-")
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "wb", buffering=_BUFFER_BYTES)
        self._pieces: dict[bytes, Piece] = {}
        self._offset = 0

    @property
    def size_bytes(self) -> int:
        return self._offset

    def __contains__(self, digest: bytes) -> bool:
        return digest in self._pieces

    def add(self, digest: bytes, data: bytes | memoryview) -> None:
        """Append a piece unless it is there already."""
        if digest in self._pieces:
            return
        self._file.write(HEADER.pack(PIECE_MARK, digest, len(data)))
        self._file.write(data)
        self._offset += HEADER.size
        self._pieces[digest] = Piece(digest, self._offset, len(data))
        self._offset += len(data)

    def finish(self) -> Path | None:
        """Write the index, sync, and put the pack in its place; None if there is nothing in it."""
        if not self._pieces:
            self.abandon()
            return None
        index = encode_index(list(self._pieces.values()))
        self._file.write(index)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.chmod(0o444)
        # The name says which pieces it holds: the same pieces packed twice are the same pack.
        target = self._folder / f"{hashlib.sha256(index).hexdigest()[:40]}.pack"
        os.replace(self._temporary, target)
        sync_folder(self._folder)
        return target

    def abandon(self) -> None:
        """Remove what was written so far."""
        with suppress(OSError):  # what a full disk did not take is not wanted any more
            self._file.close()
        self._temporary.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Container:
    """A file that holds pieces, and the index that says where.

    `index_path` is the file itself for a pack, and a file beside it for a large file that was cut.
    """

    path: Path
    index_path: Path
    index: Index | RescuedIndex

    @property
    def is_pack(self) -> bool:
        return self.path == self.index_path

    @property
    def is_rescued(self) -> bool:
        return isinstance(self.index, RescuedIndex)


class Containers:
    """Every container of a folder of indexes, kept up to date with what other processes add and remove."""

    def __init__(self, packs: Path, cuts: Path, whole_path: Callable[[str], Path]) -> None:
        """`packs` holds packs; `cuts` holds indexes of large files, whose path `whole_path` gives."""
        self._folders = (packs, cuts)
        self._whole_path = whole_path
        self._known: dict[Path, Container] = {}
        self._stamps: tuple[int, ...] = ()
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Container]:
        self.refresh()
        return iter(tuple(self._known.values()))

    def find(self, digest: bytes) -> tuple[Container, Piece] | None:
        """Where a piece lies; looks again on disk before it says no."""
        for container in self._known.values():
            if piece := container.index.find(digest):
                return container, piece
        if not self.refresh():
            return None
        return next(
            ((each, piece) for each in self._known.values() if (piece := each.index.find(digest))),
            None,
        )

    def find_many(self, digests: Iterable[bytes]) -> dict[bytes, tuple[Container, Piece]]:
        """Where pieces lie, those that are in a container."""
        waiting = set(digests)
        found: dict[bytes, tuple[Container, Piece]] = {}
        for container in self:
            if not waiting:
                break
            for piece in container.index.find_many(waiting):
                found[piece.digest] = (container, piece)
            waiting -= found.keys()
        return found

    def forget(self) -> None:
        """Look at everything anew next time: a container that was here is gone."""
        with self._lock:
            self._known, self._stamps = {}, ()

    def refresh(self) -> bool:
        """Read the indexes that are new, forget those that are gone; whether anything changed."""
        with self._lock:
            stamps = tuple(folder.stat().st_mtime_ns for folder in self._folders)
            if stamps == self._stamps:
                return False
            found: dict[Path, Container] = {}
            for folder in self._folders:
                for path in sorted(folder.iterdir()):
                    known = self._known.get(path) or self._open(path)
                    if known is not None:
                        found[path] = known
            # A folder that changed just now may change again within the same tick of its clock.
            is_settled = max(stamps) < time.time_ns() - _TICK_NS
            self._known, self._stamps = found, stamps if is_settled else ()
            return True

    def _open(self, path: Path) -> Container | None:
        is_pack = path.suffix == ".pack"
        holder = path if is_pack else self._whole_path(path.stem)
        try:
            try:
                return Container(holder, path, Index(path))
            except ValueError:
                # What is cut again is cut at the same places: others may be made of these pieces.
                return Container(holder, path, RescuedIndex(scan(path) if is_pack else cut(holder)))
        except FileNotFoundError:
            return None


def sync_folder(path: Path) -> None:
    """Make a rename in a folder last through a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
