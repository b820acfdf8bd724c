"""Bytes in a folder.

Three forms, by what is best for them: a file of its own (`<root>/ab/<64 hex digits>`), a piece of a pack
(`packs/`), where many small ones came at once, and a recipe of pieces (`recipes/`), where a large one is mostly like
another. All are written to a temporary name, synced, then renamed; whoever reads sees no difference.
"""

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BufferedReader, BytesIO, FileIO
from itertools import groupby
from pathlib import Path
from typing import BinaryIO, cast

from mainspring.blobs.index import Piece, encode_index, named, raw
from mainspring.blobs.packs import PACK_BYTES, Container, Containers, PackWriter, sync_folder
from mainspring.blobs.recipes import (
    CUT_BYTES,
    PiecesReader,
    Recipe,
    cut,
    decode_recipe,
    encode_recipe,
)
from mainspring.blobs.taking import (
    Stamp,
    copy_digested,
    copy_whole,
    damaged,
    new_target,
    read_whole,
    size_of,
)
from mainspring.kernel.digests import (
    CHUNK_BYTES,
    Digest,
    digest_stream,
    hex_part,
    parse_digest,
)
from mainspring.kernel.errors import Corrupt, NotFound, Unavailable

SMALL_BYTES = 1 << 20
"""Files below this are packed, where `MANY` or more of them come at once."""
MANY = 64
_BATCH_BYTES = 8 << 20
_BATCH_FILES = 256
_READ_AHEAD = 4
# A version that shares less than this with what is there is kept whole: it reads faster so.
_WORTH_SHARING = 0.3
_READER_BYTES = 256 << 10


class LocalBlobs:
    """A `BlobStore` in a folder on a local disk.

    A crash leaves at most a file under `tmp/`, which a sweep clears once it is old.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._temporary = root / "tmp"
        self._recipes = root / "recipes"
        packs, cuts = root / "packs", root / "cuts"
        try:
            for folder in (self._temporary, self._recipes, packs, cuts):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable(error, root) from error
        self.containers = Containers(packs, cuts, self.whole_path)

    # Storing.

    def put(self, stream: BinaryIO) -> Digest:
        """Store all that is left in a stream."""
        state = hashlib.sha256()
        with self._new_file() as (handle, temporary):
            while chunk := stream.read(CHUNK_BYTES):
                state.update(chunk)
                _write_all(handle, chunk)
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
        self._put_small(paths, sizes, small, found)
        rest = [at for at in range(len(paths)) if found[at] is None]
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            futures = [
                pool.submit(self._put_large, paths[at], near[at] if near else None) for at in rest
            ]
            for at, future in zip(rest, futures, strict=True):
                found[at] = future.result()
        return [each for each in found if each is not None]

    def put_again(self, digest: Digest, path: Path) -> None:
        """Store bytes as a file of their own although they seem to be there; raises `Corrupt` if they are others."""
        with self._new_file() as (handle, temporary):
            if copy_whole(path, handle)[0] != digest:
                raise _corrupt(digest)
            self._put_in_place(handle, temporary, digest)

    def add_recipe(self, digest: Digest, recipe: Recipe) -> None:
        """Keep bytes as pieces that are all stored; with an empty pack of new ones nothing is copied."""
        target = self.recipe_path(digest)
        with self._new_file() as (handle, temporary):
            _write_all(handle, encode_recipe(recipe))
            self._put_in_place(handle, temporary, digest, target)

    def new_pack(self) -> PackWriter:
        """A pack to write pieces to; `finish` makes them visible."""
        return PackWriter(self.root / "packs", self._temporary)

    # Reading.

    def read(self, digest: Digest) -> bytes:
        with self.open(digest) as stream:
            data = stream.read()
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise _corrupt(digest)
        return data

    def open(self, digest: Digest) -> BinaryIO:
        with suppress(FileNotFoundError):
            return self.whole_path(hex_part(parse_digest(digest))).open("rb")
        recipe = self.recipe(digest)
        if recipe is None:
            raise NotFound(f"there are no bytes {digest}", code="blob_missing")
        return self.open_pieces(recipe)

    def recipe(self, digest: Digest) -> Recipe | None:
        """The pieces that bytes are made of, if they are no file of their own; None if there are none.

        A small file in a pack is a single piece. Raises `Corrupt` for a damaged recipe.
        """
        place = self.containers.find(raw(digest))
        if place is not None:
            return ((raw(digest), place[1].length),)
        try:
            return self.recipe_of(digest)
        except FileNotFoundError:
            return None

    def recipe_of(self, digest: Digest) -> Recipe:
        """A recipe as it is kept; raises `FileNotFoundError` if there is none, `Corrupt` if it is damaged."""
        try:
            return decode_recipe(self.recipe_path(digest).read_bytes())
        except ValueError as error:
            raise _corrupt(digest) from error

    def open_pieces(self, recipe: Recipe, *, as_kept: bool = False) -> BinaryIO:
        """Pieces as one stream, repaired ones in place of damaged ones unless `as_kept`; not verified."""
        read = self.read_kept_piece if as_kept else self.read_piece
        return cast(BinaryIO, BufferedReader(PiecesReader(recipe, read), _READER_BYTES))

    def check_piece(self, piece: Piece, data: bytes) -> None:
        """Raise `Corrupt` unless these are the bytes of that piece."""
        if hashlib.sha256(data).digest() != piece.digest:
            raise _corrupt(named(piece.digest))

    def exists(self, digest: Digest) -> bool:
        return (
            self.whole_path(hex_part(parse_digest(digest))).exists()
            or self.containers.find(raw(digest)) is not None
            or self.recipe_path(digest).exists()
        )

    def size_bytes(self, digest: Digest) -> int:
        try:
            return self.whole_path(hex_part(parse_digest(digest))).stat().st_size
        except FileNotFoundError as error:
            recipe = self.recipe(digest)
            if recipe is None:
                raise NotFound(f"there are no bytes {digest}", code="blob_missing") from error
            return sum(length for _, length in recipe)

    def verify(self, digest: Digest) -> None:
        """Read the bytes and raise `Corrupt` unless they are those that were stored."""
        with self.open(digest) as stream:
            if digest_stream(stream) != digest:
                raise _corrupt(digest)

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
        packed: list[tuple[Container, Piece, str]] = []
        rest: list[tuple[Digest, str]] = []
        places = self.containers.find_many(raw(parse_digest(digest)) for digest, _ in files)
        for digest, path in files:
            place = places.get(raw(digest))
            if place is not None and place[0].is_pack:
                packed.append((*place, path))
            else:
                rest.append((digest, path))
        again = self._copy_packed(packed, target, replace=replace)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            futures = [
                pool.submit(self._copy_one, digest, path, target, replace=replace)
                for digest, path in (*rest, *again)
            ]
            for future in futures:
                future.result()

    def digests(self) -> Iterator[Digest]:
        """Every stored digest: files, recipes, pieces of packs; the same may come more than once."""
        for path in (*self.whole_files(), *self.recipes()):
            yield parse_digest("sha256:" + path.name)
        for container in self.containers:
            if container.is_pack:
                for piece in sorted(container.index.pieces(), key=lambda each: each.offset):
                    yield named(piece.digest)

    def whole_files(self) -> Iterator[Path]:
        """Every file that holds some bytes alone."""
        for folder in sorted(self.root.iterdir()):
            if len(folder.name) == 2:
                yield from sorted(folder.iterdir())

    def recipes(self) -> Iterator[Path]:
        """Every list of pieces."""
        yield from sorted(self._recipes.iterdir())

    def leftovers(self) -> Iterator[Path]:
        """Temporary files of writers, at work or dead."""
        yield from self._temporary.iterdir()

    def is_whole(self, digest: Digest) -> bool:
        """Whether bytes are there and, if they are made of pieces, all of those; whether they are sound, only reading tells."""
        if not self.exists(digest):
            return False
        if self.whole_path(hex_part(digest)).exists():
            return True
        return all(self.exists(named(piece)) for piece, _ in self.recipe(digest) or ())

    def touch(self, digests: Iterable[Digest]) -> set[Digest]:
        """Which of some bytes are stored; a sweep spares those from now on as if they had just come."""
        asked = {raw(parse_digest(digest)): digest for digest in digests}
        found: set[Digest] = set()
        with self.sharing():
            places = self.containers.find_many(asked)
            for path in {place[0].index_path for place in places.values()}:
                os.utime(path)
            for name, digest in asked.items():
                if name in places:
                    found.add(digest)
                    continue
                for path in (self.whole_path(hex_part(digest)), self.recipe_path(digest)):
                    with suppress(FileNotFoundError):
                        os.utime(path)
                        found.add(digest)
                        break
        return found

    @contextmanager
    def sharing(self, *, alone: bool = False) -> Iterator[None]:
        """Hold off sweeps while it is decided what is there already; a sweep is `alone` while it deletes."""
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

    # How it is done.

    def _put_small(
        self,
        paths: Sequence[Path | str],
        sizes: list[int],
        small: list[int],
        found: list[tuple[Digest, Stamp] | None],
    ) -> None:
        """Read and digest small files in batches, some ahead, and append the new ones to packs."""

        def read(batch: list[int]) -> list[tuple[int, bytes, bytes, Stamp]]:
            taken = []
            for at in batch:
                data, stamp = read_whole(paths[at])
                taken.append((at, hashlib.sha256(data).digest(), data, stamp))
            return taken

        if not small:
            return
        batches = _batches(small, sizes)
        pack = self.new_pack()
        try:
            with ThreadPoolExecutor(2) as pool:
                ahead = [pool.submit(read, batch) for batch in batches[:_READ_AHEAD]]
                for number in range(len(batches)):
                    taken = ahead.pop(0).result()
                    if number + _READ_AHEAD < len(batches):
                        ahead.append(pool.submit(read, batches[number + _READ_AHEAD]))
                    there = self.touch(named(digest) for _, digest, _, _ in taken)
                    for at, digest, data, stamp in taken:
                        found[at] = (named(digest), stamp)
                        if named(digest) not in there:
                            pack.add(digest, data)
                    if pack.size_bytes > PACK_BYTES:
                        pack.finish()
                        pack = self.new_pack()
            pack.finish()
        except OSError as error:
            raise _unavailable(error, self.root) from error
        finally:
            pack.abandon()

    def _put_large(self, path: Path | str, near: Digest | None) -> tuple[Digest, Stamp]:
        with self._new_file() as (handle, temporary):
            digest, stamp = copy_whole(path, handle)
            is_kept = (
                near is not None
                and stamp.size_bytes >= CUT_BYTES
                and self._keep_what_differs(temporary, digest, near)
            )
            if not is_kept:
                self._keep(handle, temporary, digest)
        return digest, stamp

    def _keep_what_differs(self, temporary: Path, digest: Digest, near: Digest) -> bool:
        """Keep a file by the pieces it shares with others; False if it shares too little, or is there."""
        if self.exists(digest):
            return False
        self.cut_whole(near)
        pieces = cut(temporary)
        with self.sharing():
            places = self.containers.find_many(piece.digest for piece in pieces)
            new = {piece.digest: piece for piece in pieces if piece.digest not in places}
            total = sum(piece.length for piece in pieces)
            if sum(piece.length for piece in new.values()) > (1 - _WORTH_SHARING) * total:
                return False
            for path in {place[0].index_path for place in places.values()}:
                os.utime(path)
            pack = self.new_pack()
            try:
                with temporary.open("rb") as file:
                    for piece in new.values():
                        pack.add(piece.digest, os.pread(file.fileno(), piece.length, piece.offset))
                pack.finish()
            finally:
                pack.abandon()
            self.add_recipe(digest, tuple((piece.digest, piece.length) for piece in pieces))
        return True

    def cut_whole(self, digest: Digest) -> bool:
        """Note where the pieces of a large file lie that is kept whole; False if it is not."""
        if self.cut_path(hex_part(digest)).exists():
            return True
        try:
            pieces = cut(self.whole_path(hex_part(digest)))
        except FileNotFoundError:
            return False
        self._note_cuts(digest, pieces)
        return True

    def _note_cuts(self, digest: Digest, pieces: list[Piece]) -> None:
        target = self.cut_path(hex_part(digest))
        with self._new_file() as (handle, temporary):
            _write_all(handle, encode_index(list({each.digest: each for each in pieces}.values())))
            self._put_in_place(handle, temporary, digest, target)

    def cut_recipe(self, digest: Digest) -> Recipe:
        """The pieces of bytes, cut for it if they are kept whole; raises `NotFound`."""
        path = self.whole_path(hex_part(digest))
        if path.exists():
            pieces = cut(path)
            self._note_cuts(digest, pieces)
            return tuple((piece.digest, piece.length) for piece in pieces)
        recipe = self.recipe(digest)
        if recipe is None:
            raise NotFound(f"there are no bytes {digest}", code="blob_missing")
        return recipe

    def read_piece(self, digest: bytes, start: int, length: int) -> bytes:
        """Bytes of a piece, not verified; raises `NotFound`."""
        with suppress(FileNotFoundError), self.whole_path(digest.hex()).open("rb") as repaired:
            return os.pread(repaired.fileno(), length, start)
        return self.read_kept_piece(digest, start, length)

    def read_kept_piece(self, digest: bytes, start: int, length: int) -> bytes:
        """Bytes of a piece from where it is kept, although it may have been repaired since."""
        for _ in range(2):
            place = self.containers.find(digest)
            if place is None:
                break
            container, piece = place
            try:
                with container.path.open("rb", buffering=0) as file:
                    return os.pread(
                        file.fileno(), min(length, piece.length - start), piece.offset + start
                    )
            except FileNotFoundError:
                self.containers.forget()  # a sweep packed it anew
        raise NotFound(f"there are no bytes {named(digest)}", code="blob_missing")

    def _copy_packed(
        self, packed: list[tuple[Container, Piece, str]], target: Path, *, replace: bool
    ) -> list[tuple[Digest, str]]:
        """Write pieces of packs to files; gives back those whose pack does not have them sound any more."""
        again: list[tuple[Digest, str]] = []
        packed.sort(key=lambda each: (each[0].path, each[1].offset))
        for path, group in groupby(packed, key=lambda each: each[0].path):
            try:
                source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                self.containers.forget()  # a sweep packed it anew
                again += [(named(piece.digest), name) for _, piece, name in group]
                continue
            try:
                for _, piece, name in group:
                    data = os.pread(source, piece.length, piece.offset)
                    if hashlib.sha256(data).digest() != piece.digest:
                        again.append((named(piece.digest), name))
                        continue
                    with new_target(f"{target}/{name}", replace=replace) as handle:
                        _write_all(handle, data)
            finally:
                os.close(source)
        return again

    def _copy_one(self, digest: Digest, path: str, target: Path, *, replace: bool) -> None:
        with self.open(digest) as source, new_target(f"{target}/{path}", replace=replace) as handle:
            if isinstance(source, BufferedReader) and isinstance(source.raw, FileIO):
                found = copy_digested(source.fileno(), handle, os.fstat(source.fileno()).st_size)
            else:
                state = hashlib.sha256()
                while chunk := source.read(CHUNK_BYTES):
                    state.update(chunk)
                    _write_all(handle, chunk)
                found = Digest("sha256:" + state.hexdigest())
            if found != digest:
                raise damaged(path, digest)

    def _write_out(self, digest: Digest, recipe: Recipe) -> None:
        with self._new_file() as (handle, temporary):
            state = hashlib.sha256()
            for piece, length in recipe:
                data = self.read_piece(piece, 0, length)
                state.update(data)
                _write_all(handle, data)
            if "sha256:" + state.hexdigest() != digest:
                raise _corrupt(digest)
            self._put_in_place(handle, temporary, digest)

    def _keep(self, handle: int, temporary: Path, digest: Digest) -> None:
        if not self.touch((digest,)):
            self._put_in_place(handle, temporary, digest)

    def _put_in_place(
        self, handle: int, temporary: Path, digest: Digest, target: Path | None = None
    ) -> None:
        target = target or self.whole_path(hex_part(digest))
        os.fsync(handle)
        temporary.chmod(0o444)
        target.parent.mkdir(exist_ok=True)
        os.replace(temporary, target)
        sync_folder(target.parent)

    @contextmanager
    def _new_file(self) -> Iterator[tuple[int, Path]]:
        """A new file to write to; removed at the end unless it was put in its place."""
        try:
            handle, name = tempfile.mkstemp(dir=self._temporary)
        except OSError as error:
            raise _unavailable(error, self.root) from error
        temporary = Path(name)
        try:
            yield handle, temporary
        except OSError as error:
            raise _unavailable(error, self.root) from error
        finally:
            os.close(handle)
            temporary.unlink(missing_ok=True)

    def whole_path(self, digits: str) -> Path:
        """Where bytes lie that are a file of their own, by their digest's hex digits."""
        return self.root / digits[:2] / digits

    def cut_path(self, digits: str) -> Path:
        """Where it is noted what pieces a file of its own has."""
        return self.root / "cuts" / f"{digits}.index"

    def recipe_path(self, digest: Digest) -> Path:
        """Where the pieces of bytes are listed that are kept as such."""
        return self._recipes / hex_part(parse_digest(digest))


def _batches(small: list[int], sizes: list[int]) -> list[list[int]]:
    batches: list[list[int]] = []
    room = 0
    for at in small:
        if not batches or room < sizes[at] or len(batches[-1]) == _BATCH_FILES:
            batches.append([])
            room = _BATCH_BYTES
        batches[-1].append(at)
        room -= sizes[at]
    return batches


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _corrupt(digest: Digest) -> Corrupt:
    return Corrupt(
        f"the bytes stored as {digest} are no longer those bytes",
        hint="The disk or somebody changed them. `mainspring fsck` lists all that is damaged.",
    )


def _unavailable(error: OSError, root: Path) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            f"the disk that holds {root} is full",
            code="disk_full",
            hint="Free some space and try again. Nothing was half-written.",
        )
    return Unavailable(f"{root} can't be written: {error.strerror}", code="blobs_unwritable")
