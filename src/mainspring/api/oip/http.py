"""The little HTTP that this edge needs: reading a body within limits, and sending JSON."""

import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from mainspring.kernel.errors import Invalid, MainspringError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]

MAX_BODY_BYTES = 32 << 20

_JSON = (b"content-type", b"application/json")
_CLOSE = (b"connection", b"close")


class TooLarge(Invalid):
    """The body, or what it unpacks to, is larger than this server reads."""


class NotThisWay(MainspringError):
    """A status that no other error has: wrong method, wrong media type, a foreign origin."""

    kind = "invalid"

    def __init__(self, status: int, message: str, *, allow: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.allow = allow


class Disconnected(Exception):
    """The caller went away before its request was complete; nobody is left to answer."""


async def read_body(receive: Receive, headers: Headers) -> bytes:
    """The whole body, unpacked; raises `TooLarge`, `Invalid` or `Disconnected`."""
    length = headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Disconnected
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _rest(receive, body)
    encoding = headers.get(b"content-encoding")
    if encoding is None or encoding == b"identity":
        return body
    return _unpack(body, encoding)


async def send_json(
    send: Send,
    status: int,
    body: bytes,
    *,
    closing: bool = False,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """A JSON answer; with `closing` the caller is asked to open a new connection next time."""
    headers = [_JSON, (b"content-length", str(len(body)).encode()), *more]
    if closing:
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_bytes(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    *,
    closing: bool = False,
    more: tuple[tuple[bytes, bytes], ...] = (),
) -> None:
    """An answer of any type."""
    headers = [
        (b"content-type", content_type),
        (b"content-length", str(len(body)).encode()),
        *more,
    ]
    if closing:
        headers.append(_CLOSE)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _rest(receive: Receive, first: bytes) -> bytes:
    parts, size, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        parts.append(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def _unpack(body: bytes, encoding: bytes) -> bytes:
    if encoding.strip().lower() not in (b"gzip", b"deflate"):
        raise NotThisWay(
            415, f"the content encoding {encoding.decode('latin-1')!r} is not read here"
        )
    # 32: gzip or zlib, told by its first bytes.
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = unpacker.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Invalid(f"the body is not {encoding.decode()}: {error}") from error
    if len(plain) > MAX_BODY_BYTES:
        raise _too_large()
    if not unpacker.eof:
        raise Invalid(f"the {encoding.decode()} body ends too early")
    return plain


def _too_large() -> TooLarge:
    return TooLarge(
        f"the body is larger than {MAX_BODY_BYTES >> 20} MiB",
        code="body_too_large",
        hint="Send the rows in several requests.",
    )
