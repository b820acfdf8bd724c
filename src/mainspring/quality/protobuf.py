"""Reading protocol buffers' binary format, and files of records of them, without their library."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.quality.pbtxt import Message

Fields = Mapping[int, "tuple[str, Any]"]
"""By a field's number its name and kind: `uint`, `double`, `float`, `text`, a tuple of an enum's words, or a `Kind`."""

_DEEPEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of message. Fields that it does not know are skipped, as the format asks."""

    fields: Fields


def parse_binary(data: bytes, kind: Kind, *, depth: int = 0) -> Message:
    """A message's fields by name, as `parse_pbtxt` gives them; raises `Invalid` for what is none."""
    if depth > _DEEPEST:
        raise _bad("messages are nested too deep")
    found: Message = {}
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not number:
            raise _bad("a field has no number")
        value, at = _value(data, at, wire)
        if number in kind.fields:
            name, type_ = kind.fields[number]
            found.setdefault(name, []).append(_read(value, wire, type_, name, depth))
    return found


def records(data: bytes) -> Iterator[bytes] | None:
    """The records of a TFRecord file, every checksum verified; None for another file. Raises `Invalid` if it is damaged."""
    if len(data) < 12 or _masked(data[:8]) != struct.unpack_from("<I", data, 8)[0]:
        return None
    return _records(data)


def _records(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        if at + 12 > len(data) or _masked(data[at : at + 8]) != _uint32(data, at + 8):
            raise _bad("a record's length is damaged, or the file is cut short")
        (length,) = struct.unpack_from("<Q", data, at)
        end = at + 12 + length
        if end + 4 > len(data):
            raise _bad("the file is cut short")
        record = data[at + 12 : end]
        if _masked(record) != _uint32(data, end):
            raise _bad("a record is damaged")
        yield record
        at = end + 4


def _value(data: bytes, at: int, wire: int) -> tuple[Any, int]:
    match wire:
        case 0:
            return _varint(data, at)
        case 1:
            end = at + 8
        case 2:
            length, at = _varint(data, at)
            end = at + length
        case 5:
            end = at + 4
        case _:
            raise _bad(f"a field is of the unknown wire type {wire}")
    if end > len(data):
        raise _bad("a field reaches beyond the end")
    return data[at:end], end


def _read(value: Any, wire: int, type_: Any, name: str, depth: int) -> Any:
    match type_, wire:
        case Kind(), 2:
            return parse_binary(value, type_, depth=depth + 1)
        case "text", 2:
            return bytes(value).decode("utf-8", "replace")
        case "double", 1:
            return struct.unpack("<d", value)[0]
        case "float", 5:
            return struct.unpack("<f", value)[0]
        case "uint", 0:
            return value
        case tuple(), 0:
            return type_[value] if value < len(type_) else str(value)
    raise _bad(f"{name} is of the wrong wire type {wire}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise _bad("a number does not end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _bad("a number is too long")


def _uint32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _masked(data: bytes) -> int:
    """The checksum of TFRecord: CRC-32C, rotated and moved by a constant."""
    crc = _crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc32c(data: bytes) -> int:
    table, crc = _table(), 0xFFFFFFFF
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    """Of the Castagnoli polynomial, bits reversed."""
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return tuple(table)


def _bad(what: str) -> Invalid:
    return Invalid(f"not in protocol buffers' format: {what}", code="bad_protobuf")
