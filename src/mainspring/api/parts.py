"""Uploads that come in several parts: kept apart below the home's scratch space until they are all there.

An upload is a folder: `upload.json` says what it is for, and each part is a file named by its number and the
digest of its bytes. A crash leaves the folder, and nothing else; `sweep` clears it once it is old.
"""

import errno
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, cast

from mainspring.kernel.codec import decode, encode
from mainspring.kernel.digests import CHUNK_BYTES
from mainspring.kernel.errors import Conflict, Corrupt, Invalid, NotFound, Unavailable

MAX_PARTS = 10_000
_ID = re.compile(r"[0-9a-f]{32}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_FOLDER = "uploads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What an upload is for: a path below a root, in so many parts."""

    root: str
    path: str
    part_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part that arrived, as its sender names it: by number and by the SHA-256 it was told."""

    number: int
    digest: str


class Uploads:
    """The uploads that are under way in one home."""

    def __init__(self, work: Path) -> None:
        self._root = work / _FOLDER

    def begin(self, upload: Upload) -> str:
        """Make room for an upload; gives its id."""
        if not 1 <= upload.part_count <= MAX_PARTS:
            raise Invalid(f"an upload has from 1 to {MAX_PARTS} parts, not {upload.part_count}")
        id_ = token_hex(16)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            # Seen with its description in it or not at all.
            temporary = Path(tempfile.mkdtemp(dir=self._root, prefix="new-"))
            (temporary / "upload.json").write_bytes(encode(upload))
            temporary.rename(self._root / id_)
        except OSError as error:
            raise _unavailable(error) from error
        return id_

    def find(self, id_: str) -> Upload:
        """What an upload is for; raises `NotFound` for one that is over or never was."""
        try:
            return decode((self._folder(id_) / "upload.json").read_bytes(), Upload, what="upload")
        except FileNotFoundError as error:
            raise _gone(id_) from error

    def put(self, id_: str, number: int, stream: BinaryIO) -> str:
        """Keep a part and give the SHA-256 of its bytes; the same part may come again."""
        upload, folder = self.find(id_), self._folder(id_)
        if not 1 <= number <= upload.part_count:
            raise Invalid(f"this upload has {upload.part_count} parts; there is no part {number}")
        state = hashlib.sha256()
        try:
            handle, name = tempfile.mkstemp(dir=folder, prefix="new-")
            try:
                with os.fdopen(handle, "wb") as target:
                    while chunk := stream.read(CHUNK_BYTES):
                        state.update(chunk)
                        target.write(chunk)
                os.replace(name, folder / _name(number, state.hexdigest()))
            finally:
                Path(name).unlink(missing_ok=True)
        except FileNotFoundError as error:
            raise _gone(id_) from error  # aborted meanwhile
        except OSError as error:
            raise _unavailable(error) from error
        return state.hexdigest()

    def joined(self, id_: str, parts: Sequence[Part]) -> BinaryIO:
        """All parts as one stream, each compared with its digest; raises `Conflict` if one is lacking."""
        upload, folder = self.find(id_), self._folder(id_)
        if [part.number for part in parts] != list(range(1, upload.part_count + 1)):
            raise Conflict(
                f"all parts from 1 to {upload.part_count} are needed, in this order, once each",
                code="parts_missing",
            )
        for part in parts:
            if not _DIGEST.match(part.digest) or not (folder / _file(part)).exists():
                raise Conflict(
                    f"part {part.number} did not arrive as it is named",
                    code="parts_missing",
                    hint="Name it by the ETag that its upload was answered with.",
                )
        return cast(BinaryIO, _Joined(_chunks(folder, parts)))

    def end(self, id_: str) -> None:
        """Forget an upload with its parts; nothing happens if it is over."""
        shutil.rmtree(self._folder(id_), ignore_errors=True)

    def sweep(self, older_than_seconds: float) -> int:
        """Forget uploads to which nothing has come for so long; gives how many."""
        limit = time.time() - older_than_seconds
        count = 0
        for folder in self._root.iterdir() if self._root.exists() else ():
            # A folder's time is that of its last new part.
            if folder.stat().st_mtime <= limit:
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count

    def _folder(self, id_: str) -> Path:
        if not _ID.match(id_):
            raise _gone(id_)
        return self._root / id_


class _Joined(RawIOBase):
    """Chunks of bytes as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; b"" at the end."""
        if size < 0:
            return self._take(len(self._left)) + b"".join(self._chunks)
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._left = chunk
        return self._take(size)

    def _take(self, size: int) -> bytes:
        taken, self._left = self._left[:size], self._left[size:]
        return taken


def _chunks(folder: Path, parts: Sequence[Part]) -> Iterator[bytes]:
    for part in parts:
        state = hashlib.sha256()
        try:
            with (folder / _file(part)).open("rb") as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    state.update(chunk)
                    yield chunk
        except FileNotFoundError as error:
            raise _gone(folder.name) from error  # aborted, or completed by another, meanwhile
        if state.hexdigest() != part.digest:
            raise Corrupt(
                f"the bytes of part {part.number} are no longer those that came",
                hint="Upload the file again.",
            )


def _file(part: Part) -> str:
    return _name(part.number, part.digest)


def _name(number: int, digest: str) -> str:
    return f"{number:05}-{digest}"


def _gone(id_: str) -> NotFound:
    return NotFound(
        f"there is no upload {id_[:64]!r}",
        code="no_such_upload",
        hint="It was completed, aborted or swept, or never begun. Begin another.",
    )


def _unavailable(error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable("the disk is full", code="disk_full", hint="Free some space, try again.")
    return Unavailable(f"parts can't be kept: {error.strerror}", code="blobs_unwritable")
