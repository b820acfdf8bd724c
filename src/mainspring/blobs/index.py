"""Where pieces lie in a container: the index at the end of a pack, or beside a large file.

Layout, all numbers little-endian: digests of 32 bytes in order, then offsets (u64) and lengths (u32) in the same
order, then a footer: the count (u64), SHA-256 of all of the index before it, and a mark that names the format.
"""

import hashlib
import mmap
import os
import struct
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mainspring.kernel.digests import Digest

MARK = b"mspack1\n"
_DIGEST_BYTES = 32
# Finding one takes about so many steps of reading all.
_PROBES = 16
_ENTRY_BYTES = _DIGEST_BYTES + 8 + 4
_FOOTER = struct.Struct(f"<Q32s{len(MARK)}s")
HEADER = struct.Struct("<4s32sI")
"""What stands before every piece in a pack, so that a damaged index can be made again: mark, digest, length."""
PIECE_MARK = b"piec"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a container's bytes, named by their own digest (raw, 32 bytes)."""

    digest: bytes
    offset: int
    length: int


def raw(digest: Digest) -> bytes:
    """The 32 bytes of a digest."""
    return bytes.fromhex(digest[7:])


def named(data: bytes) -> Digest:
    """The digest that 32 bytes stand for."""
    return Digest("sha256:" + data.hex())


def encode_index(pieces: list[Piece]) -> bytes:
    """The index of pieces, in order of their digests."""
    ordered = sorted(pieces, key=lambda piece: piece.digest)
    body = b"".join(
        (
            b"".join([piece.digest for piece in ordered]),
            struct.pack(f"<{len(ordered)}Q", *[piece.offset for piece in ordered]),
            struct.pack(f"<{len(ordered)}I", *[piece.length for piece in ordered]),
        )
    )
    return body + _FOOTER.pack(len(ordered), hashlib.sha256(body).digest(), MARK)


class Index:
    """The pieces of one container, looked up on disk: nothing is read before it is asked for."""

    def __init__(self, path: Path) -> None:
        """Open the index at the end of a file; raises `ValueError` if it is damaged, `OSError` if it is gone."""
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size < _FOOTER.size:
                raise ValueError("it is cut short")
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        footer: tuple[int, bytes, bytes] = _FOOTER.unpack_from(data, size - _FOOTER.size)
        count, digest, mark = footer
        start = size - _FOOTER.size - count * _ENTRY_BYTES
        if mark != MARK or start < 0:
            raise ValueError("it has no footer")
        with memoryview(data)[start : size - _FOOTER.size] as body:
            if hashlib.sha256(body).digest() != digest:
                raise ValueError("its digest is another")
        self._data = data
        self._start = start
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> bytes:
        """The digest at a place, in order of digests."""
        start = self._start + number * _DIGEST_BYTES
        return self._data[start : start + _DIGEST_BYTES]

    def find(self, digest: bytes) -> Piece | None:
        """The piece of that digest, if it is here."""
        number = bisect_left(self, digest)
        if number == self._count or self[number] != digest:
            return None
        return self._piece(number)

    def find_many(self, digests: Set[bytes]) -> Iterator[Piece]:
        """The pieces of those digests that are here."""
        if len(digests) * _PROBES < self._count:
            yield from (piece for digest in digests if (piece := self.find(digest)))
        else:
            yield from (piece for piece in self.pieces() if piece.digest in digests)

    def pieces(self) -> Iterator[Piece]:
        """Every piece, in order of digests."""
        names = self._start + self._count * _DIGEST_BYTES
        offsets = struct.unpack_from(f"<{self._count}Q", self._data, names)
        lengths = struct.unpack_from(f"<{self._count}I", self._data, names + self._count * 8)
        data = self._data[self._start : names]
        places = range(0, len(data), _DIGEST_BYTES)
        for at, offset, length in zip(places, offsets, lengths, strict=True):
            yield Piece(data[at : at + _DIGEST_BYTES], offset, length)

    def _piece(self, number: int) -> Piece:
        offsets = self._start + self._count * _DIGEST_BYTES
        lengths = offsets + self._count * 8
        (offset,) = struct.unpack_from("<Q", self._data, offsets + number * 8)
        (length,) = struct.unpack_from("<I", self._data, lengths + number * 4)
        return Piece(self[number], offset, length)


class RescuedIndex:
    """Pieces of a file whose index is damaged, as they were found without it."""

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._found = {piece.digest: piece for piece in pieces}

    def find(self, digest: bytes) -> Piece | None:
        """The piece of that digest, if it is here."""
        return self._found.get(digest)

    def find_many(self, digests: Set[bytes]) -> Iterator[Piece]:
        """The pieces of those digests that are here."""
        yield from (self._found[digest] for digest in digests & self._found.keys())

    def pieces(self) -> Iterator[Piece]:
        """Every piece, in the order in which they were written."""
        yield from self._found.values()


def scan(path: Path) -> Iterator[Piece]:
    """The pieces of a pack by the headers before them, as far as those are sound."""
    with path.open("rb") as file, suppress(struct.error):
        size = os.fstat(file.fileno()).st_size
        offset = 0
        while True:
            mark, digest, length = HEADER.unpack(file.read(HEADER.size))
            offset += HEADER.size
            if mark != PIECE_MARK or offset + length > size:
                return
            yield Piece(digest, offset, length)
            offset += length
            file.seek(offset)
