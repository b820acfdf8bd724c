"""The bytes of the protocol's binary extension: little-endian values; texts each with a length before it."""

import struct
from typing import Any

CODES = {
    "BOOL": "?",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
_LENGTH = struct.Struct("<I")


def unpack(datatype: str, data: bytes, count: int) -> list[Any]:
    """Values from their bytes; raises `ValueError` with what is wrong with them.

    >>> unpack("INT16", bytes([1, 0, 2, 0]), 2)
    [1, 2]
    """
    if datatype == "BYTES":
        return _unpack_texts(data, count)
    code = CODES.get(datatype)
    if code is None:
        raise ValueError(f"binary {datatype} is not read here")
    size = struct.calcsize(f"<{count}{code}")
    if len(data) != size:
        raise ValueError(f"has {len(data)} binary bytes; {count} values of {datatype} take {size}")
    return list(struct.unpack(f"<{count}{code}", data))


def pack(datatype: str, values: list[Any]) -> bytes:
    """The bytes of values of one type.

    >>> pack("BYTES", ["a"])
    b'\\x01\\x00\\x00\\x00a'
    """
    if datatype == "BYTES":
        encoded = [str(value).encode() for value in values]
        return b"".join(_LENGTH.pack(len(text)) + text for text in encoded)
    return struct.pack(f"<{len(values)}{CODES[datatype]}", *values)


def _unpack_texts(data: bytes, count: int) -> list[Any]:
    values: list[Any] = []
    offset = 0
    while offset + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, offset)
        offset += _LENGTH.size
        text = data[offset : offset + length]
        if len(text) != length:
            break
        try:
            values.append(text.decode())
        except UnicodeDecodeError as error:
            raise ValueError(f"value {len(values)} is not UTF-8") from error
        offset += length
    if offset != len(data) or len(values) != count:
        raise ValueError(f"its binary data does not hold {count} texts")
    return values
