"""The md5s that bytes go by in DVC."""

import hashlib
import io
import os
from pathlib import Path
from typing import BinaryIO

from mainspring.blobs.taking import Stamp

_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_LOOK_BYTES = 512
_PIECE_BYTES = 1 << 20


class Hashing(io.RawIOBase):
    """A stream that takes the md5 of what is read through it, in both ways that DVC had."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._plain = hashlib.md5(usedforsecurity=False)
        self._unix = hashlib.md5(usedforsecurity=False)
        self._is_text: bool | None = None
        self._held = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._plain.update(data)
        if self._is_text is None:
            self._is_text = _is_text(data[:_LOOK_BYTES])
        if self._is_text:
            # DVC 2 went by pieces of this size, and left a CR LF that lies across two of them.
            self._held += data
            while len(self._held) >= _PIECE_BYTES:
                self._unix.update(_with_unix_lines(self._held[:_PIECE_BYTES]))
                self._held = self._held[_PIECE_BYTES:]
        return data

    def names(self, *, is_legacy: bool) -> tuple[str, ...]:
        """The md5s that the bytes may go by."""
        plain = self._plain.hexdigest()
        if not (is_legacy and self._is_text):
            return (plain,)
        unix = self._unix.copy()
        unix.update(_with_unix_lines(self._held))
        return plain, unix.hexdigest()


def _with_unix_lines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def stamp_if_sound(path: Path, md5: str, *, is_legacy: bool) -> Stamp | None:
    """The stamp of a file whose bytes go by a md5; None for other bytes, or for what is no plain file there."""
    try:
        if path.is_symlink():
            return None
        with path.open("rb") as stream:
            hashing = Hashing(stream)
            while hashing.read(_PIECE_BYTES):
                pass
            stamp = Stamp.of(os.fstat(stream.fileno()))
    except OSError:
        return None
    return stamp if md5 in hashing.names(is_legacy=is_legacy) else None


def _is_text(block: bytes) -> bool:
    """Whether DVC 2 took a file for a text: by the first bytes, of which few may be anything else."""
    if b"\0" in block:
        return False
    return len(block.translate(None, _TEXT)) <= 0.3 * len(block)
