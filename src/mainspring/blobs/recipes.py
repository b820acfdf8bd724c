"""Large files as pieces: where to cut them, and how one is told by the pieces it is made of.

Cuts are chosen by content (FastCDC, Xia et al. 2020), so that bytes inserted in a file move the cuts around them and
no others. A file is cut when a later version of it arrives: until then it is kept whole, and read at full speed.
"""

import hashlib
import mmap
import struct
from collections.abc import Callable
from io import RawIOBase
from pathlib import Path

from mainspring.blobs.index import Piece

CUT_BYTES = 8 << 20
"""Smaller files are kept whole: what cutting them saves is less than what it costs."""
_LEAST, _AIM, _MOST = 64 << 10, 128 << 10, 512 << 10
_MARK = b"msmade1\n"
_FOOTER = struct.Struct(f"<Q32s{len(_MARK)}s")

Recipe = tuple[tuple[bytes, int], ...]
"""The pieces of a file in their order: digest (raw) and length in bytes."""


def cut(path: Path) -> list[Piece]:
    """Cut a file that nothing writes to any more."""
    from pyfastcdc import FastCDC

    with path.open("rb") as file:
        if not path.stat().st_size:
            return []
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    with memoryview(data) as view:
        cutter = FastCDC(avg_size=_AIM, min_size=_LEAST, max_size=_MOST)
        places = [(chunk.offset, chunk.length) for chunk in cutter.cut_buf(view)]
        return [
            Piece(hashlib.sha256(view[start : start + length]).digest(), start, length)
            for start, length in places
        ]


def encode_recipe(recipe: Recipe) -> bytes:
    """The bytes that a recipe is kept as."""
    body = b"".join([digest for digest, _ in recipe])
    body += struct.pack(f"<{len(recipe)}I", *[length for _, length in recipe])
    return body + _FOOTER.pack(len(recipe), hashlib.sha256(body).digest(), _MARK)


def decode_recipe(data: bytes) -> Recipe:
    """Raises `ValueError` if a bit of it changed."""
    if len(data) < _FOOTER.size:
        raise ValueError("it is cut short")
    count, digest, mark = _FOOTER.unpack_from(data, len(data) - _FOOTER.size)
    body = data[: -_FOOTER.size]
    if mark != _MARK or len(body) != count * 36 or hashlib.sha256(body).digest() != digest:
        raise ValueError("its digest is another")
    lengths = struct.unpack_from(f"<{count}I", body, count * 32)
    return tuple((body[at * 32 : at * 32 + 32], lengths[at]) for at in range(count))


class PiecesReader(RawIOBase):
    """Pieces that lie anywhere as one stream of bytes, which can be read from any place."""

    def __init__(self, recipe: Recipe, read: Callable[[bytes, int, int], bytes]) -> None:
        """`read(digest, start, length)` gives bytes of a piece."""
        self._recipe = recipe
        self._read = read
        self._ends: list[int] = []
        total = 0
        for _, length in recipe:
            total += length
            self._ends.append(total)
        self._size = total
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        start = {0: 0, 1: self._at, 2: self._size}[whence]
        if start + offset < 0:
            raise ValueError("a place before the beginning")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed knows no plain buffers
        from bisect import bisect_right

        number = bisect_right(self._ends, self._at)
        if number == len(self._ends):
            return 0
        digest, length = self._recipe[number]
        start = self._at - (self._ends[number] - length)
        data = self._read(digest, start, min(len(buffer), length - start))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
