"""DVC's objects by md5: found, verified, and stored here."""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec

from mainspring.blobs.trees import check_relative
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.codec import decode
from mainspring.kernel.digests import Digest, digest_stream
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.takeover.dvc.metafiles import Out
from mainspring.takeover.dvc.places import Place
from mainspring.takeover.home import Home
from mainspring.takeover.requests import DigestAlias, FindAliases, TakeOverAliases

ALIASES_AT_ONCE = 1000
_TEXT = bytes(range(32, 127)) + b"\n\r\t\f\b"
_LOOK_BYTES = 512
_PIECE_BYTES = 1 << 20

Tracked = Callable[[str], BinaryIO | None]
"""The bytes that git itself keeps at a path, for data that DVC was told not to cache."""


class _Listed(msgspec.Struct):
    md5: str
    relpath: str


@dataclass(slots=True, kw_only=True)
class Objects:
    """The objects of one repository, and what of them is here already."""

    home: Home
    places: Sequence[Place]
    _known: dict[str, Digest] = field(default_factory=dict)
    _fresh: list[DigestAlias] = field(default_factory=list)

    def files_of(self, out: Out, tracked: Tracked) -> list[tuple[str, str]]:
        """The path and md5 of each file of an out; a single file goes by its own name.

        Raises `NotFound` or `Corrupt` for a folder's list.
        """
        if not out.is_folder:
            return [(out.path.rpartition("/")[2], out.md5)]
        if out.files is not None:
            return sorted(out.files)
        with self._opened(out.key, out.path, tracked) as stream:
            data = stream.read()
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != out.md5:
            raise Corrupt(f"the list of the folder {out.path} ({out.key}) is damaged")
        listed = decode(data, list[_Listed], what=out.key)
        return sorted((each.relpath, each.md5) for each in listed)

    def store(self, out: Out, tracked: Tracked) -> Manifest:
        """Store the bytes of an out, each verified by its md5; what is here already is not read again.

        Raises `NotFound` for objects that are nowhere and `Corrupt` for damaged ones, naming the file.
        """
        files = self.files_of(out, tracked)
        for path, _md5 in files:
            check_relative(path)
        self._look_up(md5 for _path, md5 in files)
        entries = []
        for path, md5 in files:
            digest = self._known.get(md5)
            if digest is None:
                digest = self._stored(md5, _named(out, path), tracked, is_legacy=out.is_legacy)
                self.name(md5, digest)
            size = self.home.blobs.size_bytes(digest)
            entries.append(ManifestEntry(path=path, digest=digest, size_bytes=size))
        return Manifest(entries=tuple(sorted(entries, key=lambda entry: entry.path)))

    def missing(self, out: Out, tracked: Tracked) -> Iterator[str]:
        """The files of an out whose objects are nowhere, without reading them."""
        try:
            files = self.files_of(out, tracked)
        except (NotFound, Corrupt, Invalid) as error:
            yield str(error)
            return
        for path, md5 in files:
            try:
                self._opened(md5, _named(out, path), tracked).close()
            except NotFound as error:
                yield str(error)

    def read(self, out: Out, tracked: Tracked) -> Iterator[tuple[str, bytes]]:
        """The small files of an out in memory, by their paths in the repository, each verified."""
        for path, md5 in self.files_of(out, tracked):
            what = _named(out, path)
            with self._opened(md5, what, tracked) as stream:
                hashing = Hashing(stream)
                data = hashing.read()
            if md5 not in hashing.names(is_legacy=out.is_legacy):
                raise Corrupt(f"the object {md5} of {what} is damaged")
            yield what, data

    def digest_over_there(self, out: Out, path: str, md5: str, tracked: Tracked) -> Digest:
        """Read an object for its digest alone."""
        with self._opened(md5, _named(out, path), tracked) as stream:
            return digest_stream(stream)

    def name(self, key: str, digest: Digest) -> None:
        """Remember what a md5 is here; told in groups, so that little is read twice after a crash."""
        alias = DigestAlias(alias=f"md5:{key}", digest=digest)
        self._fresh.append(alias)
        if not key.endswith(".dir"):
            self._known[key] = digest
        if len(self._fresh) >= ALIASES_AT_ONCE:
            self.tell()

    def tell(self) -> None:
        """Have the home keep all names that were given."""
        if self._fresh:
            self.home.call(TakeOverAliases(aliases=tuple(self._fresh)))
            self._fresh = []

    def _look_up(self, keys: Iterable[str]) -> None:
        unknown = sorted({key for key in keys if key not in self._known})
        for start in range(0, len(unknown), ALIASES_AT_ONCE):
            names = tuple(f"md5:{key}" for key in unknown[start : start + ALIASES_AT_ONCE])
            for each in self.home.call(FindAliases(aliases=names)):
                # Bytes that were swept meanwhile must come again.
                if self.home.blobs.exists(each.digest):
                    self._known[each.alias.removeprefix("md5:")] = each.digest

    def _stored(self, md5: str, what: str, tracked: Tracked, *, is_legacy: bool) -> Digest:
        damaged = []
        for name, stream in self._everywhere(md5, what, tracked):
            with stream:
                hashing = Hashing(stream)
                digest = self.home.blobs.put(hashing)  # type: ignore[arg-type]  # it is only read
            if md5 in hashing.names(is_legacy=is_legacy):
                return digest
            damaged.append(name)
        if damaged:
            raise Corrupt(f"the object {md5} of {what} is damaged in {', '.join(damaged)}")
        raise _nowhere(md5, what)

    def _opened(self, key: str, what: str, tracked: Tracked) -> BinaryIO:
        for _name, stream in self._everywhere(key, what, tracked):
            return stream
        raise _nowhere(key, what)

    def _everywhere(self, key: str, what: str, tracked: Tracked) -> Iterator[tuple[str, BinaryIO]]:
        for place in self.places:
            if (stream := place.open(key)) is not None:
                yield place.name, stream
        if (stream := tracked(what)) is not None:
            yield "git", stream


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


def _is_text(block: bytes) -> bool:
    """Whether DVC 2 took a file for a text: by the first bytes, of which few may be anything else."""
    if b"\0" in block:
        return False
    return len(block.translate(None, _TEXT)) <= 0.3 * len(block)


def _named(out: Out, path: str) -> str:
    return f"{out.path}/{path}" if out.is_folder else out.path


def _nowhere(key: str, what: str) -> NotFound:
    return NotFound(f"the object {key} of {what} is nowhere", code="object_missing")
