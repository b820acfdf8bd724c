"""Messages between the router and its model workers: frames of `length, msgpack` over a socket pair."""

import struct
from typing import Any

import msgspec

HEAD = struct.Struct("<I")
MAX_MESSAGE_BYTES = 1 << 30

Answer = list[Any]


class Batch(msgspec.Struct, array_like=True, gc=False):
    """Requests with the same columns, laid end to end; `sizes` says how many rows each has."""

    names: list[str]
    types: list[str]
    columns: list[list[Any]]
    sizes: list[int]


class Answers(msgspec.Struct, array_like=True, gc=False):
    """One entry per request of a batch: its answers, or what the model raised."""

    outputs: list[Answer | None]
    errors: list[str | None]


class Hello(msgspec.Struct, array_like=True, gc=False):
    """A worker's first word: ready, or why not. `code` is an error's, `load_seconds` how long it took."""

    error: str | None
    code: str
    load_seconds: float


class Frames:
    """Takes bytes as they come and gives whole messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Every message that is complete now."""
        self._buffer += data
        messages, start = [], 0
        while len(self._buffer) - start >= HEAD.size:
            (length,) = HEAD.unpack_from(self._buffer, start)
            end = start + HEAD.size + length
            if end > len(self._buffer):
                break
            messages.append(bytes(self._buffer[start + HEAD.size : end]))
            start = end
        del self._buffer[:start]
        return messages


def frame(message: msgspec.Struct) -> bytearray:
    """A message as it goes over the socket."""
    buffer = bytearray(HEAD.size)
    _encoder.encode_into(message, buffer, HEAD.size)
    HEAD.pack_into(buffer, 0, len(buffer) - HEAD.size)
    return buffer


_encoder = msgspec.msgpack.Encoder()
batch_decoder = msgspec.msgpack.Decoder(Batch)
answers_decoder = msgspec.msgpack.Decoder(Answers)
hello_decoder = msgspec.msgpack.Decoder(Hello)
