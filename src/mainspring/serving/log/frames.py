"""What a segment holds: a header, then frames of `length, CRC-32, msgpack`.

One frame is one answered request, column by column, so that a hundred rows name their columns once.
A frame counts only when it is whole and its checksum fits; what follows the last such frame is a torn tail.
What lies between such frames is damage: the disk changed it, and the frames after it are as good as before.
"""

import mmap
import re
import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from mainspring.domain.check import Scalar
from mainspring.domain.model import ModelVersionId
from mainspring.domain.prediction import Label, Prediction, PredictionId

HEADER = b"MSPRED\x01\n"
FRAME_HEAD = struct.Struct("<II")
MAX_FRAME_BYTES = 1 << 30

Record = Prediction | Label

Bytes = bytes | mmap.mmap

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Every payload is a short msgpack array that begins with its tag.
_PAYLOAD_START = re.compile(rb"[\x90-\x9f]\xa1[PLE]")


class Answered(msgspec.Struct, array_like=True, tag="P", gc=False):
    """The rows of one request that one version answered, or failed to. Times are Unix microseconds."""

    ids: list[PredictionId]
    version: str
    arm: str
    keys: list[str | None] | None
    at: int
    event_at: list[int] | None
    names: list[str]
    columns: list[list[Scalar]]
    outputs: list[float | str | bool | None] | None
    latency_ms: float
    code: int
    error: str | None


class Labelled(msgspec.Struct, array_like=True, tag="L", gc=False):
    """Labels that came together; each names its prediction or its key."""

    values: list[float | str | bool]
    predictions: list[str | None]
    keys: list[str | None]
    at: int


class Sealed(msgspec.Struct, array_like=True, tag="E", gc=False):
    """The last frame of a segment that nobody will append to."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Answered | Labelled | Sealed)


def append_frame(buffer: bytearray, content: Answered | Labelled | Sealed) -> None:
    """Add a frame to a buffer."""
    start = len(buffer)
    body = start + FRAME_HEAD.size
    _encoder.encode_into(content, buffer, body)
    with memoryview(buffer) as view, view[body:] as payload:
        FRAME_HEAD.pack_into(buffer, start, len(payload), zlib.crc32(payload))


def _seal() -> bytes:
    buffer = bytearray()
    append_frame(buffer, Sealed())
    return bytes(buffer)


SEAL = _seal()
"""The bytes at the end of every sealed segment."""


def frames_in(data: bytes, offset: int = 0) -> Iterator[tuple[bytes, int]]:
    """Payloads of whole frames with the offset after each; ends at a torn tail."""
    end = len(data)
    while offset + FRAME_HEAD.size <= end:
        length, checksum = FRAME_HEAD.unpack_from(data, offset)
        after = offset + FRAME_HEAD.size + length
        if after > end or length > MAX_FRAME_BYTES:
            return
        payload = data[after - length : after]
        if zlib.crc32(payload) != checksum:
            return
        yield payload, after
        offset = after


def frame_end(data: Bytes, offset: int) -> int | None:
    """Where the frame at an offset ends; None if no whole frame with a fitting checksum is there."""
    if offset + FRAME_HEAD.size > len(data):
        return None
    length, checksum = FRAME_HEAD.unpack_from(data, offset)
    after = offset + FRAME_HEAD.size + length
    if length == 0 or length > MAX_FRAME_BYTES or after > len(data):
        return None
    return int(after) if zlib.crc32(data[after - length : after]) == checksum else None


def next_frame(data: Bytes, offset: int) -> int:
    """Where the first good frame after damage at an offset begins; the end of the data if there is none.

    The length that the damaged frame tells is believed first: only its content may be damaged, and content
    that callers wrote should not be searched for frames without need.
    """
    if offset + FRAME_HEAD.size <= len(data):
        told = offset + FRAME_HEAD.size + int(FRAME_HEAD.unpack_from(data, offset)[0])
        if frame_end(data, told) is not None:
            return told
    for found in _PAYLOAD_START.finditer(data, offset + 1 + FRAME_HEAD.size):
        start = found.start() - FRAME_HEAD.size
        if frame_end(data, start) is not None:
            return start
    return len(data)


def records_of(payload: bytes, service: str) -> list[Record]:
    """The records in a frame's payload."""
    match _decoder.decode(payload):
        case Answered() as answered:
            return list(_predictions(answered, service))
        case Labelled() as labelled:
            return list(_labels(labelled, service))
    return []


def microseconds(instant: datetime) -> int:
    """An instant as whole microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(microseconds: int) -> datetime:
    """The instant that many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def service_of(segment: Path) -> str:
    """The service whose records a segment holds."""
    from urllib.parse import unquote

    return unquote(segment.parent.name)


def folder_of(root: Path, service: str) -> Path:
    """Where a service's segments lie, whatever characters its name has."""
    from urllib.parse import quote

    return root / quote(service, safe="").replace(".", "%2E")


def _predictions(answered: Answered, service: str) -> Iterator[Record]:
    at = instant(answered.at)
    rows = zip(*answered.columns, strict=True) if answered.columns else None
    for row, id_ in enumerate(answered.ids):
        values = next(rows) if rows is not None else ()
        yield Prediction(
            id=id_,
            service=service,
            version=ModelVersionId(answered.version),
            arm=answered.arm,
            key=answered.keys[row] if answered.keys else None,
            at=at,
            event_at=instant(answered.event_at[row]) if answered.event_at else at,
            inputs=dict(zip(answered.names, values, strict=True)),
            output=answered.outputs[row] if answered.outputs else None,
            latency_ms=answered.latency_ms,
            code=answered.code,
            error=answered.error,
        )


def _labels(labelled: Labelled, service: str) -> Iterator[Record]:
    at = instant(labelled.at)
    for value, prediction, key in zip(
        labelled.values, labelled.predictions, labelled.keys, strict=True
    ):
        yield Label(
            service=service,
            value=value,
            prediction=PredictionId(prediction) if prediction else None,
            key=key,
            at=at,
        )
