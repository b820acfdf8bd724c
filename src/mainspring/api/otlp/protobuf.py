"""Reading protobuf's wire format, as far as OTLP's traces use it.

A message is a sequence of fields: a number and a wire type in one varint, then a varint, 8 bytes, 4 bytes, or
a length and that many bytes. Unknown fields are passed over, so that newer senders are understood.
"""

import struct
from collections.abc import Iterator

from mainspring.kernel.errors import Invalid

Field = tuple[int, int | bytes]
"""A field's number and its value: an integer as it stands on the wire (not yet signed), or bytes."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_UINT64 = struct.Struct("<Q").unpack_from
_UINT32 = struct.Struct("<I").unpack_from
_DOUBLE = struct.Struct("<d").unpack
_AS_BYTES = struct.Struct("<Q").pack


def fields(data: bytes) -> Iterator[Field]:
    """The fields of a message, in the order of the wire; raises `Invalid` where it is not one.

    >>> list(fields(b"\\x08\\x96\\x01\\x12\\x02hi"))
    [(1, 150), (2, b'hi')]
    """
    position, end = 0, len(data)
    while position < end:
        # Most keys and lengths are below 128: one byte, without a call.
        key = data[position]
        position += 1
        if key > 127:
            key, position = _varint(data, position - 1)
        wire_type = key & 7
        if wire_type == _BYTES:
            if position >= end:
                raise _cut()
            size = data[position]
            position += 1
            if size > 127:
                size, position = _varint(data, position - 1)
            if size > end - position:
                raise _cut()
            yield key >> 3, data[position : position + size]
            position += size
        elif wire_type == _VARINT:
            value, position = _varint(data, position)
            yield key >> 3, value
        elif wire_type == _FIXED64:
            if end - position < 8:
                raise _cut()
            yield key >> 3, _UINT64(data, position)[0]
            position += 8
        elif wire_type == _FIXED32:
            if end - position < 4:
                raise _cut()
            yield key >> 3, _UINT32(data, position)[0]
            position += 4
        else:
            raise Invalid(f"no protobuf: there is no wire type {wire_type}", code="bad_protobuf")


def text(value: int | bytes) -> str:
    """A string field; what is not UTF-8 becomes a replacement sign, so that one odd byte loses no span."""
    return message(value).decode(errors="replace")


def message(value: int | bytes) -> bytes:
    """The bytes of an embedded message, a string or bytes; raises `Invalid` for a number in their place."""
    if isinstance(value, int):
        raise Invalid("no OTLP: a number where a message should be", code="bad_protobuf")
    return value


def number(value: int | bytes) -> int:
    """An unsigned integer; raises `Invalid` for bytes in its place."""
    if not isinstance(value, int):
        raise Invalid("no OTLP: bytes where a number should be", code="bad_protobuf")
    return value


def signed(value: int | bytes) -> int:
    """A signed 64-bit integer.

    >>> signed(2**64 - 1)
    -1
    """
    found = number(value)
    return found - 2**64 if found >= 2**63 else found


def double(value: int | bytes) -> float:
    """A double, which came as 8 bytes."""
    found: float = _DOUBLE(_AS_BYTES(number(value)))[0]
    return found


def varint(value: int) -> bytes:
    """An unsigned integer on the wire.

    >>> varint(150)
    b'\\x96\\x01'
    """
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def string_field(field_number: int, value: str) -> bytes:
    """A string field on the wire."""
    data = value.encode()
    return varint(field_number << 3 | _BYTES) + varint(len(data)) + data


def integer_field(field_number: int, value: int) -> bytes:
    """An integer field on the wire."""
    return varint(field_number << 3 | _VARINT) + varint(value)


def read_size(data: bytes, position: int) -> tuple[int, int]:
    """A length at a position that is there, and where it ends."""
    size = data[position]
    return (size, position + 1) if size < 128 else _varint(data, position)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    for index in range(position, min(position + _MAX_VARINT_BYTES, len(data))):
        byte = data[index]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, index + 1
        shift += 7
    raise _cut()


def _cut() -> Invalid:
    return Invalid("no protobuf: it ends in the middle of a field", code="bad_protobuf")
