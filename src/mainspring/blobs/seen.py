"""What a folder looked like when it was last stored or laid out: an unchanged file need not be read again.

It is kept with its SHA-256 behind it, so that a file that a bit changed in counts as none.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from mainspring.blobs.taking import Stamp
from mainspring.kernel.digests import Digest

# Clocks of file systems tick; a file changed within a tick of its stamp may change again without a trace.
_TICK_NS = 100_000_000
_COARSE_TICK_NS = 2_000_000_000
_SECOND_NS = 1_000_000_000
_DIGEST_BYTES = 32


class SeenFile(msgspec.Struct, frozen=True, array_like=True):
    """A file's stamp and digest. A stamp of None proves nothing: the file has to be read again."""

    stamp: tuple[int, int, int, int] | None
    digest: Digest


class SeenFolder(msgspec.Struct, kw_only=True):
    """A folder by its absolute path, and which version of which dataset it held, if any."""

    root: str
    dataset: str | None = None
    number: int | None = None
    manifest: Digest | None = None
    files: dict[str, SeenFile] = {}  # msgspec gives each its own

    def digest_of(self, path: str, stamp: Stamp) -> Digest | None:
        """The digest of a file that has not changed since."""
        known = self.files.get(path)
        return known.digest if known is not None and known.stamp == _key(stamp) else None

    def replace_files(self, found: Mapping[str, tuple[Digest, Stamp]], *, at_ns: int) -> None:
        """Remember files as they were found by a look that began at `at_ns` (nanoseconds since the epoch)."""
        self.files = {
            path: SeenFile(_key(stamp) if _is_settled(stamp, at_ns) else None, digest)
            for path, (digest, stamp) in found.items()
        }


class SeenFolders:
    """Where it is kept what folders looked like, a file for each. Losing one costs reading a folder again."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def load(self, root: Path) -> SeenFolder:
        """What is known of a folder; nothing, if it was never seen."""
        # A path that is no text is written out, so that it can be kept and shown.
        absolute = os.path.realpath(root).encode(errors="backslashreplace").decode()
        seen = _read(self._path(absolute))
        return seen if seen and seen.root == absolute else SeenFolder(root=absolute)

    def lie_in(self, root: Path) -> bool:
        """Whether this very folder is below another, which can't be stored then without changing."""
        return self._home.resolve().is_relative_to(root.resolve())

    def save(self, seen: SeenFolder) -> None:
        """Remember a folder; a full disk or a folder that can't be written only makes the next look slower."""
        target = self._path(seen.root)
        with suppress(OSError):
            self._home.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._home, prefix="tmp-")
            try:
                with os.fdopen(handle, "wb") as file:
                    data = msgspec.msgpack.encode(seen)
                    file.write(data + hashlib.sha256(data).digest())
                os.replace(name, target)
            finally:
                Path(name).unlink(missing_ok=True)

    def all(self) -> list[SeenFolder]:
        """Every folder that is known, by path."""
        found: list[SeenFolder] = []
        with suppress(OSError):
            found = [seen for path in self._home.glob("*.seen") if (seen := _read(path))]
        return sorted(found, key=lambda seen: seen.root)

    def _path(self, root: str) -> Path:
        name = hashlib.sha256(root.encode()).hexdigest()[:32]
        return self._home / f"{name}.seen"


def _read(path: Path) -> SeenFolder | None:
    """What a file tells, if it is there and whole."""
    with suppress(
        OSError, ValueError
    ):  # msgspec's errors and those of broken text are `ValueError`s
        data = path.read_bytes()
        body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
        if hashlib.sha256(body).digest() == digest:
            return msgspec.msgpack.decode(body, type=SeenFolder)
    return None


def _key(stamp: Stamp) -> tuple[int, int, int, int]:
    return (stamp.size_bytes, stamp.mtime_ns, stamp.ctime_ns, stamp.inode)


def _is_settled(stamp: Stamp, at_ns: int) -> bool:
    newest = max(stamp.mtime_ns, stamp.ctime_ns)
    is_coarse = stamp.mtime_ns % _SECOND_NS == 0 and stamp.ctime_ns % _SECOND_NS == 0
    return newest < at_ns - (_COARSE_TICK_NS if is_coarse else _TICK_NS)
