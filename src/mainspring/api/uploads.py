"""Request bodies of any size as a file-like stream that a worker thread reads, with flat memory."""

from collections.abc import AsyncIterator, Callable
from io import RawIOBase
from typing import BinaryIO, TypeVar, cast

import anyio
import anyio.from_thread
import anyio.to_thread
from starlette.requests import Request

T = TypeVar("T")

# Slow senders hold a thread each; these are not the threads that answer everything else.
_UPLOADS = anyio.CapacityLimiter(16)


class _Body(RawIOBase):
    """Reads the next chunks from the event loop; the client is held back while nobody reads."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; b"" at the end. Raises what receiving raises, such as a lost client."""
        if not self._left:
            self._left = anyio.from_thread.run(self._receive, size)
        taken, self._left = (self._left, b"") if size < 0 else _split(self._left, size)
        return taken

    async def _receive(self, size: int) -> bytes:
        # One hop between threads per megabyte, not one per packet.
        gathered = bytearray()
        while size < 0 or len(gathered) < size:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                break
            gathered += chunk
        return bytes(gathered)


async def read_body(request: Request, work: Callable[[BinaryIO], T]) -> T:
    """Run `work` in a thread with the body as a stream, and give its result."""
    stream = cast(BinaryIO, _Body(request.stream().__aiter__()))
    return await anyio.to_thread.run_sync(work, stream, limiter=_UPLOADS)


def _split(data: bytes, size: int) -> tuple[bytes, bytes]:
    return data[:size], data[size:]
