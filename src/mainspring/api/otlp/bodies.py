"""Bodies of exports: unpacked, with a limit on what comes out."""

import zlib

from mainspring.kernel.errors import Invalid

MAX_UNPACKED_BYTES = 64 << 20
# What zlib is told of the frame around its data: gzip's, its own, or none.
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


def unpack(body: bytes, encoding: str) -> bytes:
    """A body as it was before its Content-Encoding; raises `Invalid` for one that can't be read.

    >>> unpack(zlib.compress(b"hello"), "deflate")
    b'hello'
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip":
            return _inflate(body, _GZIP, encoding)
        case "deflate":
            # The name means zlib's frame; some senders leave it out.
            framed = len(body) > 1 and body[0] & 15 == 8 and not (body[0] << 8 | body[1]) % 31
            return _inflate(body, _ZLIB if framed else _RAW, encoding)
        case _:
            raise Invalid(
                f"the content encoding {encoding[:40]!r} is not understood",
                code="unsupported_media_type",
                hint="Send gzip, deflate or no encoding.",
            )


def _inflate(body: bytes, frame: int, encoding: str) -> bytes:
    unpacker = zlib.decompressobj(frame)
    try:
        found = unpacker.decompress(body, MAX_UNPACKED_BYTES + 1)
    except zlib.error as error:
        raise Invalid(f"the body is no {encoding}: {error}", code="bad_encoding") from error
    if len(found) > MAX_UNPACKED_BYTES:
        raise Invalid(
            f"the body is larger than {MAX_UNPACKED_BYTES >> 20} MiB when it is unpacked",
            code="too_large",
            hint="Send smaller exports.",
        )
    if not unpacker.eof:
        raise Invalid(f"the body ends before its {encoding} does", code="bad_encoding")
    return found
