"""DVC's objects by md5: found, verified, and stored here."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

from mainspring.blobs.taking import Stamp
from mainspring.blobs.trees import check_relative
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.codec import decode
from mainspring.kernel.digests import Digest, digest_stream
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.takeover.dvc.hashing import Hashing, stamp_if_sound
from mainspring.takeover.dvc.metafiles import Out
from mainspring.takeover.dvc.places import Place
from mainspring.takeover.home import Home
from mainspring.takeover.requests import DigestAlias, FindAliases, TakeOverAliases

ALIASES_AT_ONCE = 1000
_AT_ONCE = 8

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
    _found: dict[str, Digest] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)
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

    def store(
        self, out: Out, tracked: Tracked, near: Mapping[str, Digest] | None = None
    ) -> Manifest:
        """Store the bytes of an out, each verified by its md5; what is here already is not read again.

        `near` gives stored bytes, by path, that these may be a later version of. Raises `NotFound` for objects
        that are nowhere and `Corrupt` for damaged ones, naming the file.
        """
        files = self.files_of(out, tracked)
        for path, _md5 in files:
            check_relative(path)
        self._look_up(md5 for _path, md5 in files)
        lacking = {md5: path for path, md5 in files if md5 not in self._known}
        items = list(lacking.items())
        for start in range(0, len(items), ALIASES_AT_ONCE):
            self._store_files(items[start : start + ALIASES_AT_ONCE], out, near or {})
        rest = [(md5, path) for md5, path in items if md5 not in self._known]
        for start in range(0, len(rest), ALIASES_AT_ONCE):
            self._fetch(rest[start : start + ALIASES_AT_ONCE], out, tracked)
        entries = [
            ManifestEntry(path=path, digest=self._known[md5], size_bytes=self._size(md5))
            for path, md5 in files
        ]
        return Manifest(entries=tuple(sorted(entries, key=lambda entry: entry.path)))

    def missing(self, out: Out, tracked: Tracked) -> Iterator[str]:
        """The files of an out whose objects are nowhere, without reading them."""
        try:
            files = self.files_of(out, tracked)
        except (NotFound, Corrupt, Invalid) as error:
            yield str(error)
            return
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = pool.map(lambda each: any(place.has(each[1]) for place in self.places), files)
            lacking = [each for each, is_there in zip(files, found, strict=True) if not is_there]
        for path, md5 in lacking:
            if (stream := tracked(_named(out, path))) is None:
                yield str(_nowhere(md5, _named(out, path)))
            else:
                stream.close()

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
                self._found[each.alias.removeprefix("md5:")] = each.digest
        # Bytes that were swept meanwhile must come again, and the others must stay until the version names them.
        here = self.home.blobs.touch(self._found.values())
        self._known |= {key: digest for key, digest in self._found.items() if digest in here}
        self._found = {}

    def _store_files(
        self, items: Sequence[tuple[str, str]], out: Out, near: Mapping[str, Digest]
    ) -> None:
        """Store those of some objects together that lie as sound files in a folder here."""
        there = [(md5, path, file) for md5, path in items if (file := self._file_of(md5))]

        def stamp(each: tuple[str, str, Path]) -> Stamp | None:
            return stamp_if_sound(each[2], each[0], is_legacy=out.is_legacy)

        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            stamps = list(pool.map(stamp, there))
        sound = [(each, mark) for each, mark in zip(there, stamps, strict=True) if mark is not None]
        stored = self.home.blobs.put_files(
            [file for (_md5, _path, file), _mark in sound],
            [near.get(path) for (_md5, path, _file), _mark in sound],
        )
        for ((md5, _path, _file), mark), (digest, after) in zip(sound, stored, strict=True):
            # Else it was written to between the two readings, and has to be read once more.
            if after == mark:
                self._sizes[md5] = mark.size_bytes
                self.name(md5, digest)

    def _file_of(self, md5: str) -> Path | None:
        return next((file for place in self.places if (file := place.find(md5))), None)

    def _fetch(self, items: Sequence[tuple[str, str]], out: Out, tracked: Tracked) -> None:
        """Store objects one by one, several at once: from remotes, or what is damaged in the first place.

        Raises the first error once all have been tried.
        """

        def attempt(each: tuple[str, str]) -> Digest | Corrupt | NotFound:
            md5, path = each
            try:
                return self._stored(md5, _named(out, path), is_legacy=out.is_legacy)
            except (Corrupt, NotFound) as error:
                return error

        first: Corrupt | NotFound | None = None
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for (md5, path), result in zip(items, pool.map(attempt, items), strict=True):
                found = result
                if isinstance(found, Corrupt | NotFound):
                    found = self._from_git(md5, _named(out, path), tracked, out) or found
                if isinstance(found, Corrupt | NotFound):
                    first = first or found
                else:
                    self.name(md5, found)
        if first is not None:
            raise first

    def _from_git(self, md5: str, what: str, tracked: Tracked, out: Out) -> Digest | None:
        """Store what git itself keeps, if that is what the md5 names."""
        stream = tracked(what)
        if stream is None:
            return None
        with stream:
            hashing = Hashing(stream)
            digest = self.home.blobs.put(hashing)  # type: ignore[arg-type]  # it is only read
        return digest if md5 in hashing.names(is_legacy=out.is_legacy) else None

    def _size(self, md5: str) -> int:
        if md5 not in self._sizes:
            self._sizes[md5] = self.home.blobs.size_bytes(self._known[md5])
        return self._sizes[md5]

    def _stored(self, md5: str, what: str, *, is_legacy: bool) -> Digest:
        damaged = []
        for place in self.places:
            stream = place.open(md5)
            if stream is None:
                continue
            with stream:
                hashing = Hashing(stream)
                digest = self.home.blobs.put(hashing)  # type: ignore[arg-type]  # it is only read
            if md5 in hashing.names(is_legacy=is_legacy):
                return digest
            damaged.append(place.name)
        if damaged:
            raise Corrupt(f"the object {md5} of {what} is damaged in {', '.join(damaged)}")
        raise _nowhere(md5, what)

    def _opened(self, key: str, what: str, tracked: Tracked) -> BinaryIO:
        for place in self.places:
            if (stream := place.open(key)) is not None:
                return stream
        if (stream := tracked(what)) is not None:
            return stream
        raise _nowhere(key, what)


def _named(out: Out, path: str) -> str:
    return f"{out.path}/{path}" if out.is_folder else out.path


def _nowhere(key: str, what: str) -> NotFound:
    return NotFound(f"the object {key} of {what} is nowhere", code="object_missing")
