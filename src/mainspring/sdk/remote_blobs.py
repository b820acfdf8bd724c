"""A server's bytes: a `BlobStore` over HTTP. Everything is verified on both ends."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from mainspring.blobs.taking import Stamp, changed, new_target
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.digests import CHUNK_BYTES, Digest, digest_bytes, digest_stream, parse_digest
from mainspring.kernel.errors import Corrupt, Denied, NotFound

if TYPE_CHECKING:
    import httpx

# Streams are kept in memory up to here on their way, then in a temporary file.
_SPOOL_BYTES = 16 << 20
_MOST_ASKED = 10_000


class Wire(Protocol):
    """What a `RemoteClient` does for its blobs."""

    def request(
        self, method: str, path: str, *, repeatable: bool, **given: Any
    ) -> "httpx.Response": ...
    def download(self, path: str, target: BinaryIO) -> None: ...


class RemoteBlobs:
    """Bytes by digest on a server. Bytes that are there already are not sent again."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def put(self, stream: BinaryIO) -> Digest:
        """Store all that is left in a stream."""
        with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as spooled:
            state = hashlib.sha256()
            while chunk := stream.read(CHUNK_BYTES):
                state.update(chunk)
                spooled.write(chunk)
            digest = Digest("sha256:" + state.hexdigest())
            self._upload(digest, cast(BinaryIO, spooled))
        return digest

    def put_files(
        self, paths: Sequence[Path | str], near: Sequence[Digest | None] = ()
    ) -> list[tuple[Digest, Stamp]]:
        """Store many files; only those are sent whose bytes the server does not have."""
        found = [_digested(path) for path in paths]
        missing = {digest for digest, _ in found} - self.touch(digest for digest, _ in found)
        for path, (digest, stamp) in zip(paths, found, strict=True):
            if digest in missing:
                missing.remove(digest)
                self._send(path, digest, stamp)
        return found

    def touch(self, digests: Iterable[Digest]) -> set[Digest]:
        """Which of some bytes are stored; the server's sweep spares those as if they had just come."""
        asked = list(dict.fromkeys(digests))
        missing: set[Digest] = set()
        for start in range(0, len(asked), _MOST_ASKED):
            content = encode(asked[start : start + _MOST_ASKED])
            answer = self._wire.request("POST", "/blobs/missing", repeatable=True, content=content)
            missing |= set(decode(answer.content, list[Digest], what="answer"))
        return set(asked) - missing

    def copy_out(
        self, files: Sequence[tuple[Digest, str]], target: Path, *, replace: bool = False
    ) -> None:
        """Write bytes to files below a folder, verified; the folders are there already."""
        for digest, path in files:
            with (
                new_target(f"{target}/{path}", replace=replace) as handle,
                os.fdopen(os.dup(handle), "wb") as file,
                self.open(digest) as source,
            ):
                shutil.copyfileobj(source, file, CHUNK_BYTES)

    def _send(self, path: Path | str, digest: Digest, stamp: Stamp) -> None:
        with Path(path).open("rb") as stream:
            try:
                self._wire.request("PUT", _path(digest), repeatable=False, content=_chunks(stream))
            finally:
                # Told first: that other bytes came than were announced is only what follows from it.
                if Stamp.of(os.fstat(stream.fileno())) != stamp:
                    raise changed(path)

    def put_bytes(self, data: bytes) -> Digest:
        digest = digest_bytes(data)
        self._upload(digest, BytesIO(data))
        return digest

    def put_file(self, path: Path) -> Digest:
        """Store a file's bytes; raises `Conflict` if the file changes while it is read."""
        return self.put_files([os.path.realpath(path)])[0][0]

    def read(self, digest: Digest) -> bytes:
        data = self._wire.request("GET", _path(digest), repeatable=True).content
        if digest_bytes(data) != digest:
            raise _corrupt(digest)
        return data

    def open(self, digest: Digest) -> BinaryIO:
        """The bytes as a temporary file, verified: they were fetched whole."""
        temporary = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115  # the caller closes it
        spooled = cast(BinaryIO, temporary)
        try:
            self._wire.download(_path(digest), spooled)
            spooled.seek(0)
            if digest_stream(spooled) != digest:
                raise _corrupt(digest)
        except BaseException:
            spooled.close()
            raise
        spooled.seek(0)
        return spooled

    def exists(self, digest: Digest) -> bool:
        try:
            self._wire.request("HEAD", _path(digest), repeatable=True)
        except NotFound:
            return False
        return True

    def size_bytes(self, digest: Digest) -> int:
        return int(
            self._wire.request("HEAD", _path(digest), repeatable=True).headers["content-length"]
        )

    def verify(self, digest: Digest) -> None:
        """Fetch the bytes and raise `Corrupt` unless they are those that were stored."""
        self.open(digest).close()

    def digests(self) -> Iterator[Digest]:
        raise Denied("a server does not list its bytes", code="server_only")

    def _upload(self, digest: Digest, stream: BinaryIO) -> None:
        if self.exists(digest):
            return
        # The same bytes under the same name: sending them twice changes nothing.
        stream.seek(0)
        self._wire.request("PUT", _path(digest), repeatable=False, content=_chunks(stream))


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _digested(path: Path | str) -> tuple[Digest, Stamp]:
    with Path(path).open("rb") as stream:
        before = Stamp.of(os.fstat(stream.fileno()))
        digest = digest_stream(stream)
        if Stamp.of(os.fstat(stream.fileno())) != before:
            raise changed(path)
    return digest, before


def _path(digest: Digest) -> str:
    return f"/blobs/{parse_digest(digest)}"


def _corrupt(digest: Digest) -> Corrupt:
    return Corrupt(f"the bytes that came for {digest} are other bytes", code="corrupt")
