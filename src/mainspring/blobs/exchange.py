"""Bytes on a remote: which pieces are there, sending those that are not, fetching those that are not here.

A remote holds packs (`packs/`), the index of each (`index/`), recipes of large files (`recipes/`), all named by their
content and written in that order, and never changed. So whoever finds a recipe or an index finds what it names; a
transfer that was killed left nothing wrong and goes on where it was; and two at once can only send the same twice.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from mainspring.blobs.cuts import cut_recipe
from mainspring.blobs.index import Index, Piece, encode_index, named, raw
from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.object_store import Objects
from mainspring.blobs.packs import PackWriter
from mainspring.blobs.recipes import CUT_BYTES, Recipe, decode_recipe, encode_recipe
from mainspring.kernel.digests import Digest, digest_stream, hex_part
from mainspring.kernel.errors import Corrupt, NotFound, Unavailable

_PACK_BYTES = 32 << 20
_LOCAL_PACK_BYTES = 256 << 20
_AT_ONCE = 4
_INDEX_NAME = re.compile(r"[0-9a-f]{40}")
# So many bytes are asked for in one go from one pack.
_FETCH_BYTES = 16 << 20


@dataclass(slots=True, kw_only=True)
class Moved:
    """What travelled: objects and bytes; `missing` could not be found where it should be."""

    object_count: int = 0
    size_bytes: int = 0
    missing: list[Digest] = field(default_factory=list)


class Exchange:
    """Bytes between a folder of this machine and a remote."""

    def __init__(self, blobs: LocalBlobs, objects: Objects, cache: Path) -> None:
        """`cache` is a folder that keeps the remote's indexes, which never change."""
        self._blobs = blobs
        self._objects = objects
        self._cache = cache
        self._indexes: dict[str, Index] = {}
        self._recipes: set[str] | None = None

    # Sending.

    def send(self, digests: Iterable[Digest]) -> Moved:
        """Send what the remote does not have; raises `Corrupt` for damaged bytes, `NotFound` for missing ones."""
        self._look()
        moved = Moved()
        recipes: dict[Digest, Recipe] = {}
        with _Sender(self._objects, moved) as sender:
            for digest in dict.fromkeys(digests):
                for piece in self._pieces_to_send(digest, recipes):
                    sender.add(piece, self._read(piece))
        for digest, recipe in recipes.items():
            data = encode_recipe(recipe)
            self._objects.put(f"recipes/{hex_part(digest)}", data)
            moved.object_count += 1
            moved.size_bytes += len(data)
        return moved

    def _pieces_to_send(self, digest: Digest, recipes: dict[Digest, Recipe]) -> Iterator[bytes]:
        if self._blobs.size_bytes(digest) < CUT_BYTES:
            if self._place(raw(digest)) is None:
                yield raw(digest)
            return
        if hex_part(digest) in self._known_recipes():
            return
        self._blobs.verify(digest)
        recipe = cut_recipe(self._blobs, digest)
        recipes[digest] = recipe
        for piece in dict.fromkeys(piece for piece, _ in recipe):
            if self._place(piece) is None:
                yield piece

    def _read(self, piece: bytes) -> bytes:
        digest = named(piece)
        size = self._blobs.size_bytes(digest)
        data = self._blobs.read_piece(piece, 0, size)
        self._blobs.check_piece(Piece(piece, 0, size), data)
        return data

    # Fetching.

    def fetch(self, digests: Iterable[Digest]) -> Moved:
        """Fetch what is not here; what the remote does not have either is told by the result."""
        self._look()
        moved = Moved()
        asked = list(dict.fromkeys(digests))
        there = self._blobs.touch(asked)
        recipes: dict[Digest, Recipe] = {}
        pieces: dict[bytes, Digest] = {}
        for digest in asked:
            if digest in there:
                continue
            if hex_part(digest) in self._known_recipes():
                recipes[digest] = self._recipe(digest)
                pieces |= {piece: digest for piece, _ in recipes[digest]}
            else:
                pieces[raw(digest)] = digest
        have = self._blobs.touch(named(piece) for piece in pieces)
        wanted = {piece: owner for piece, owner in pieces.items() if named(piece) not in have}
        self._fetch_pieces(wanted, moved)
        for digest, recipe in recipes.items():
            if digest not in moved.missing:
                with self._blobs.open_pieces(recipe) as stream:
                    if digest_stream(stream) != digest:
                        raise _bad(self._objects, digest)
                self._blobs.add_recipe(digest, recipe)
        return moved

    def fetch_to(self, digest: Digest, target: Path) -> None:
        """Write bytes of the remote to a file, whatever is here; raises `NotFound` or `Corrupt`."""
        self._look()
        is_whole = hex_part(digest) not in self._known_recipes()
        recipe = ((raw(digest), 0),) if is_whole else self._recipe(digest)
        with target.open("wb") as file:
            for piece, _ in recipe:
                place = self._place(piece)
                if place is None:
                    raise NotFound(
                        f"{self._objects.url} has no bytes {digest}", code="blob_missing"
                    )
                name, found = place
                file.write(self._get((name, [found]))[0][1])
        with target.open("rb") as stream:
            if digest_stream(stream) != digest:
                raise _bad(self._objects, digest)

    def _fetch_pieces(self, wanted: dict[bytes, Digest], moved: Moved) -> None:
        by_pack: dict[str, list[Piece]] = {}
        for piece, owner in wanted.items():
            place = self._place(piece)
            if place is None:
                moved.missing.append(owner)
                continue
            by_pack.setdefault(place[0], []).append(place[1])
        asked = [(name, group) for name, found in by_pack.items() for group in _groups(found)]
        pack = self._blobs.new_pack()
        try:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                for answer in _some_ahead(pool, asked, self._get):
                    for one, data in answer:
                        pack.add(one.digest, data)
                        moved.size_bytes += len(data)
                    moved.object_count += 1
                    if pack.size_bytes > _LOCAL_PACK_BYTES:
                        pack.finish()
                        pack = self._blobs.new_pack()
            pack.finish()
        finally:
            pack.abandon()

    def _get(self, asked: tuple[str, list[Piece]]) -> list[tuple[Piece, bytes]]:
        name, pieces = asked
        spans = [(piece.offset, piece.length) for piece in pieces if piece.length]
        found = iter(self._ranges(f"packs/{name}", spans) if spans else ())
        answer = [(piece, next(found) if piece.length else b"") for piece in pieces]
        for piece, data in answer:
            if hashlib.sha256(data).digest() != piece.digest:
                raise _bad(self._objects, named(piece.digest))
        return answer

    def _ranges(self, name: str, spans: list[tuple[int, int]]) -> list[bytes]:
        try:
            return self._objects.get_ranges(name, spans)
        except (ValueError, Unavailable) as error:
            # Servers answer in many ways when they are asked for what lies behind the end.
            if self._objects.size_bytes(name) >= max(start + length for start, length in spans):
                raise
            raise Corrupt(
                f"{name} of {self._objects.url} is shorter than its index says",
                code="remote_damaged",
                hint="Push again from a machine that has the data; the damaged object may be deleted.",
            ) from error

    # What is there.

    def _look(self) -> None:
        """Read the indexes that came since the last look."""
        self._cache.mkdir(parents=True, exist_ok=True)
        # Anything else there is not ours: consoles leave markers of folders, file managers notes.
        names = [name.rpartition("/")[2] for name in self._objects.names("index/")]
        names = [name for name in names if _INDEX_NAME.fullmatch(name)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            new = [name for name in names if name not in self._indexes]
            for name, index in zip(new, pool.map(self._index, new), strict=True):
                self._indexes[name] = index

    def _index(self, name: str) -> Index:
        path = self._cache / name
        try:
            return Index(path)
        except (OSError, ValueError):
            pass
        _write_whole(path, self._objects.get(f"index/{name}"))
        try:
            return Index(path)
        except ValueError as error:
            path.unlink()
            raise Corrupt(
                f"the index {name} of {self._objects.url} is damaged: {error}",
                code="remote_damaged",
                hint="Push again from a machine that has the data; the damaged object may be deleted.",
            ) from error

    def _known_recipes(self) -> set[str]:
        if self._recipes is None:
            self._recipes = {n.rpartition("/")[2] for n in self._objects.names("recipes/")}
        return self._recipes

    def _recipe(self, digest: Digest) -> Recipe:
        try:
            return decode_recipe(self._objects.get(f"recipes/{hex_part(digest)}"))
        except ValueError as error:
            raise _bad(self._objects, digest) from error

    def _place(self, piece: bytes) -> tuple[str, Piece] | None:
        for name, index in self._indexes.items():
            if found := index.find(piece):
                return name, found
        return None


class _Sender:
    """Packs pieces and sends the packs, some at once; all that was added is there when the block ends."""

    def __init__(self, objects: Objects, moved: Moved) -> None:
        self._objects = objects
        self._moved = moved
        self._stack = ExitStack()
        self._waiting: set[Future[int]] = set()

    def __enter__(self) -> "_Sender":
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory("-mainspring")))
        self._pool = self._stack.enter_context(ThreadPoolExecutor(_AT_ONCE))
        self._pack = PackWriter(self._folder, self._folder)
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None:
                self._send()
                self._settle(0)
        finally:
            self._pack.abandon()
            self._stack.close()

    def add(self, digest: bytes, data: bytes) -> None:
        """Take in a piece; waits while too much is under way."""
        self._pack.add(digest, data)
        if self._pack.size_bytes > _PACK_BYTES:
            self._send()
            self._pack = PackWriter(self._folder, self._folder)
            self._settle(_AT_ONCE)

    def _send(self) -> None:
        path = self._pack.finish()
        if path is not None:
            self._waiting.add(self._pool.submit(self._upload, path))

    def _upload(self, path: Path) -> int:
        index = encode_index(list(Index(path).pieces()))
        size = path.stat().st_size
        self._objects.put(f"packs/{path.stem}", path)
        self._objects.put(f"index/{path.stem}", index)
        path.unlink()
        return size + len(index)

    def _settle(self, allowed: int) -> None:
        while len(self._waiting) > allowed:
            done, self._waiting = wait(self._waiting, return_when=FIRST_COMPLETED)
            for future in done:
                self._moved.size_bytes += future.result()
                self._moved.object_count += 2


def _groups(pieces: list[Piece]) -> Iterator[list[Piece]]:
    """Pieces of one pack in the order in which they lie, some at a time."""
    group: list[Piece] = []
    size = 0
    for piece in sorted(pieces, key=lambda each: each.offset):
        group.append(piece)
        size += piece.length
        if size > _FETCH_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _some_ahead(
    pool: ThreadPoolExecutor,
    asked: Sequence[tuple[str, list[Piece]]],
    get: Callable[[tuple[str, list[Piece]]], list[tuple[Piece, bytes]]],
) -> Iterator[list[tuple[Piece, bytes]]]:
    """Answers in order, of which no more than a few wait in memory."""
    ahead = [pool.submit(get, each) for each in asked[: _AT_ONCE + 1]]
    for number in range(len(asked)):
        yield ahead.pop(0).result()
        if number + _AT_ONCE + 1 < len(asked):
            ahead.append(pool.submit(get, asked[number + _AT_ONCE + 1]))


def _write_whole(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def _bad(objects: Objects, digest: Digest) -> Corrupt:
    return Corrupt(
        f"what {objects.url} gives for {digest} are other bytes",
        code="remote_damaged",
        hint="Push again from a machine that has the data.",
    )
