"""Bytes in a folder: `<root>/ab/<64 hex digits>`, written to a temporary name, synced, then renamed."""

import errno
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mainspring.kernel.digests import (
    CHUNK_BYTES,
    Digest,
    digest_stream,
    hex_part,
    parse_digest,
)
from mainspring.kernel.errors import Conflict, Corrupt, NotFound, Unavailable


class LocalBlobs:
    """A `BlobStore` in a folder on a local disk.

    A crash leaves at most a file under `tmp/`, which `remove_leftovers` clears once it is old.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / "tmp"
        try:
            self._temporary.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unavailable(error, root) from error

    def put(self, stream: BinaryIO) -> Digest:
        """Store all that is left in a stream."""
        state = hashlib.sha256()
        try:
            handle, name = tempfile.mkstemp(dir=self._temporary)
        except OSError as error:
            raise _unavailable(error, self._root) from error
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as target:
                while chunk := stream.read(CHUNK_BYTES):
                    state.update(chunk)
                    target.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            digest = Digest("sha256:" + state.hexdigest())
            self._keep(temporary, digest)
        except OSError as error:
            raise _unavailable(error, self._root) from error
        finally:
            temporary.unlink(missing_ok=True)
        return digest

    def put_bytes(self, data: bytes) -> Digest:
        return self.put(BytesIO(data))

    def put_file(self, path: Path) -> Digest:
        """Store a file's bytes; raises `Conflict` if the file changes while it is read."""
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            digest = self.put(stream)
            after = os.fstat(stream.fileno())
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise Conflict(
                f"{path} changed while it was read",
                code="file_changed",
                hint="Add it again once nothing writes to it.",
            )
        return digest

    def read(self, digest: Digest) -> bytes:
        with self.open(digest) as stream:
            data = stream.read()
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            raise _corrupt(digest)
        return data

    def open(self, digest: Digest) -> BinaryIO:
        try:
            return self.path_of(digest).open("rb")
        except FileNotFoundError as error:
            raise NotFound(f"there are no bytes {digest}", code="blob_missing") from error

    def exists(self, digest: Digest) -> bool:
        return self.path_of(digest).exists()

    def size_bytes(self, digest: Digest) -> int:
        try:
            return self.path_of(digest).stat().st_size
        except FileNotFoundError as error:
            raise NotFound(f"there are no bytes {digest}", code="blob_missing") from error

    def verify(self, digest: Digest) -> None:
        """Read the bytes and raise `Corrupt` unless they are those that were stored."""
        with self.open(digest) as stream:
            if digest_stream(stream) != digest:
                raise _corrupt(digest)

    def delete(self, digest: Digest) -> None:
        self.path_of(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[Digest]:
        for folder in sorted(self._root.iterdir()):
            if len(folder.name) == 2:
                for path in sorted(folder.iterdir()):
                    yield parse_digest("sha256:" + path.name)

    def path_of(self, digest: Digest) -> Path:
        """Where the bytes lie; read only. Other processes open models and snapshots from here."""
        name = hex_part(parse_digest(digest))
        return self._root / name[:2] / name

    def remove_leftovers(self, older_than_seconds: float = 86400.0) -> int:
        """Delete temporary files of writers that died; returns how many."""
        limit = time.time() - older_than_seconds
        count = 0
        for path in self._temporary.iterdir():
            if path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
                count += 1
        return count

    def _keep(self, temporary: Path, digest: Digest) -> None:
        target = self.path_of(digest)
        if target.exists():
            # Say that it is still wanted: the sweeper spares what was touched lately.
            os.utime(target)
            return
        temporary.chmod(0o444)
        target.parent.mkdir(exist_ok=True)
        os.replace(temporary, target)
        _sync_folder(target.parent)


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
