"""The folder that holds bytes: where each form of them lies, which are there, and how new ones come to lie there whole.

Three forms, by what is best for them: a file of its own (`<root>/ab/<64 hex digits>`), a piece of a pack
(`packs/`), where many small ones came at once, and a recipe of pieces (`recipes/`), where a large one is mostly like
another. All are written to a temporary name, synced, then renamed; whoever reads sees no difference.
"""

import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from mainspring.blobs.index import Piece, named, raw
from mainspring.blobs.packs import Containers, PackWriter, sync_folder
from mainspring.blobs.recipes import PiecesReader, Recipe, decode_recipe, encode_recipe
from mainspring.kernel.digests import Digest, digest_stream, hex_part, parse_digest
from mainspring.kernel.errors import Corrupt, NotFound, Unavailable

_READER_BYTES = 256 << 10


class BlobFolder:
    """Bytes in a folder on a local disk, by digest.

    A crash leaves at most a file under `tmp/`, which a sweep clears once it is old.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.temporary = root / "tmp"
        self._recipes = root / "recipes"
        packs, cuts = root / "packs", root / "cuts"
        try:
            for folder in (self.temporary, self._recipes, packs, cuts):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unavailable(error, root) from error
        self.containers = Containers(packs, cuts, self.whole_path)

    @contextmanager
    def new_file(self) -> Iterator[tuple[int, Path]]:
        """A new file to write to; removed at the end unless it was put in its place."""
        try:
            handle, name = tempfile.mkstemp(dir=self.temporary)
        except OSError as error:
            raise unavailable(error, self.root) from error
        temporary = Path(name)
        try:
            yield handle, temporary
        except OSError as error:
            raise unavailable(error, self.root) from error
        finally:
            os.close(handle)
            temporary.unlink(missing_ok=True)

    def put_in_place(self, handle: int, temporary: Path, target: Path) -> None:
        """Give a new file its name once all of it is on disk."""
        os.fsync(handle)
        temporary.chmod(0o444)
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            sync_folder(self.root)
        os.replace(temporary, target)
        sync_folder(target.parent)

    def add_recipe(self, digest: Digest, recipe: Recipe) -> None:
        """Keep bytes as pieces, which are all stored."""
        with self.new_file() as (handle, temporary):
            write_all(handle, encode_recipe(recipe))
            self.put_in_place(handle, temporary, self.recipe_path(digest))

    def new_pack(self) -> PackWriter:
        """A pack to write pieces to; `finish` makes them visible."""
        return PackWriter(self.root / "packs", self.temporary)

    @contextmanager
    def sharing(self, *, alone: bool = False) -> Iterator[None]:
        """Hold off sweeps while it is decided what is there already; a sweep is `alone` while it deletes."""
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

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

    def open(self, digest: Digest) -> BinaryIO:
        with suppress(FileNotFoundError):
            return self.whole_path(hex_part(parse_digest(digest))).open("rb")
        recipe = self.recipe(digest)
        if recipe is None:
            raise NotFound(f"there are no bytes {digest}", code="blob_missing")
        return self.open_pieces(recipe)

    def read(self, digest: Digest) -> bytes:
        with self.open(digest) as stream:
            data = stream.read()
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise corrupt(digest)
        return data

    def verify(self, digest: Digest) -> None:
        """Read the bytes and raise `Corrupt` unless they are those that were stored."""
        with self.open(digest) as stream:
            if digest_stream(stream) != digest:
                raise corrupt(digest)

    def exists(self, digest: Digest) -> bool:
        return (
            self.whole_path(hex_part(parse_digest(digest))).exists()
            or self.containers.find(raw(digest)) is not None
            or self.recipe_path(digest).exists()
        )

    def is_whole(self, digest: Digest) -> bool:
        """Whether bytes are there and, if they are made of pieces, all of those; whether they are sound, only reading tells."""
        if not self.exists(digest):
            return False
        if self.whole_path(hex_part(digest)).exists():
            return True
        return all(self.exists(named(piece)) for piece, _ in self.recipe(digest) or ())

    def size_bytes(self, digest: Digest) -> int:
        try:
            return self.whole_path(hex_part(parse_digest(digest))).stat().st_size
        except FileNotFoundError as error:
            recipe = self.recipe(digest)
            if recipe is None:
                raise NotFound(f"there are no bytes {digest}", code="blob_missing") from error
            return sum(length for _, length in recipe)

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
            raise corrupt(digest) from error

    def open_pieces(self, recipe: Recipe, *, as_kept: bool = False) -> BinaryIO:
        """Pieces as one stream, repaired ones in place of damaged ones unless `as_kept`; not verified."""
        read = self.read_kept_piece if as_kept else self.read_piece
        return cast(BinaryIO, BufferedReader(PiecesReader(recipe, read), _READER_BYTES))

    def check_piece(self, piece: Piece, data: bytes) -> None:
        """Raise `Corrupt` unless these are the bytes of that piece."""
        if hashlib.sha256(data).digest() != piece.digest:
            raise corrupt(named(piece.digest))

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
        yield from self.temporary.iterdir()

    def whole_path(self, digits: str) -> Path:
        """Where bytes lie that are a file of their own, by their digest's hex digits."""
        return self.root / digits[:2] / digits

    def cut_path(self, digits: str) -> Path:
        """Where it is noted what pieces a file of its own has."""
        return self.root / "cuts" / f"{digits}.index"

    def recipe_path(self, digest: Digest) -> Path:
        """Where the pieces of bytes are listed that are kept as such."""
        return self._recipes / hex_part(parse_digest(digest))


def write_all(handle: int, data: bytes) -> None:
    """Write all of some bytes to an open file."""
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def corrupt(digest: Digest) -> Corrupt:
    """What is raised when stored bytes are no longer those that were stored."""
    return Corrupt(
        f"the bytes stored as {digest} are no longer those bytes",
        hint="The disk or somebody changed them. `mainspring fsck` lists all that is damaged.",
    )


def unavailable(error: OSError, root: Path) -> Unavailable:
    """What is raised when the folder can't be written to."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            f"the disk that holds {root} is full",
            code="disk_full",
            hint="Free some space and try again. Nothing was half-written.",
        )
    return Unavailable(f"{root} can't be written: {error.strerror}", code="blobs_unwritable")
