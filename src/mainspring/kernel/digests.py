"""Content digests, written `sha256:<64 hex digits>`."""

import hashlib
import re
from collections.abc import Iterable
from typing import BinaryIO, NewType

from mainspring.kernel.errors import Invalid

Digest = NewType("Digest", str)

CHUNK_BYTES = 1 << 20
_PATTERN = re.compile(r"sha256:[0-9a-f]{64}\Z")


def digest_bytes(data: bytes) -> Digest:
    """The digest of bytes in memory.

    >>> digest_bytes(b"")[:20]
    'sha256:e3b0c44298fc1'
    """
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def digest_stream(stream: BinaryIO) -> Digest:
    """The digest of all that is left in a stream, read in chunks."""
    state = hashlib.sha256()
    while chunk := stream.read(CHUNK_BYTES):
        state.update(chunk)
    return Digest("sha256:" + state.hexdigest())


def digest_of_parts(parts: Iterable[str]) -> Digest:
    """The digest of a sequence of strings; the boundaries between them count.

    >>> digest_of_parts(["ab", "c"]) == digest_of_parts(["a", "bc"])
    False
    """
    state = hashlib.sha256()
    for part in parts:
        data = part.encode()
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return Digest("sha256:" + state.hexdigest())


def parse_digest(text: str) -> Digest:
    """Check that a string is a digest; raises `Invalid` otherwise."""
    if not _PATTERN.match(text):
        raise Invalid(
            f"{text[:80]!r} is not a digest", hint="A digest is 'sha256:' and 64 hex digits."
        )
    return Digest(text)


def hex_part(digest: Digest) -> str:
    """The hex digits of a digest, for use in a path."""
    return digest.removeprefix("sha256:")
