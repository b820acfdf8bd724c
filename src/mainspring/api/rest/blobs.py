"""Bytes by digest over HTTP: up (streamed and verified), down, and whether they are there.

Bytes are no state: they mean nothing until an operation writes a row that names them. So they take a
permission but leave no audit entry.
"""

from collections.abc import Awaitable, Callable
from typing import BinaryIO

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from mainspring.api.uploads import read_body
from mainspring.app import App
from mainspring.domain.actor import Actor, Permission
from mainspring.governance.rules import may
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.digests import Digest, parse_digest
from mainspring.kernel.errors import Denied, Invalid, NotFound

Handler = Callable[[Request, dict[str, str]], Awaitable[Response]]

_MOST_ASKED = 10_000
_DIGEST_CHARACTERS = 80
_UPLOADERS = (Permission.ADD_DATA, Permission.TRACK)


def blob_handlers(app: App) -> dict[str, Handler]:
    """What answers below `/blobs`."""

    async def put(request: Request, fields: dict[str, str]) -> Response:
        _require(request.state.actor, _UPLOADERS)
        digest = parse_digest(fields["digest"])
        await read_body(request, lambda stream: _store(app, stream, digest))
        return Response(status_code=204)

    async def get(request: Request, fields: dict[str, str]) -> Response:
        _require(request.state.actor, (Permission.READ,))
        digest = parse_digest(fields["digest"])
        path = await anyio.to_thread.run_sync(app.blobs.path_of, digest)
        if not await anyio.to_thread.run_sync(path.exists):
            raise NotFound(f"there are no bytes {digest}", code="blob_missing")
        if request.method == "HEAD":
            # Whoever asks will leave the upload out: to the sweep the bytes are as fresh as if it came.
            await anyio.to_thread.run_sync(app.blobs.touch, (digest,))
        # Somebody else's bytes: a browser must never take them for a page of ours.
        headers = {
            "ETag": f'"{digest}"',
            "Cache-Control": "private, max-age=31536000, immutable",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Content-Disposition": "attachment",
        }
        return FileResponse(path, headers=headers, media_type="application/octet-stream")

    async def ask(request: Request, fields: dict[str, str]) -> Response:
        _require(request.state.actor, _UPLOADERS)
        asked = await read_body(
            request, lambda stream: stream.read(_MOST_ASKED * _DIGEST_CHARACTERS)
        )
        digests = [parse_digest(each) for each in decode(asked, list[str], what="list of digests")]
        there = await anyio.to_thread.run_sync(app.blobs.touch, digests)
        missing = [digest for digest in digests if digest not in there]
        return Response(encode(missing), media_type="application/json")

    return {"POST /blobs/missing": ask, "PUT /blobs/{digest}": put, "GET /blobs/{digest}": get}


def _store(app: App, stream: BinaryIO, digest: Digest) -> None:
    found = app.blobs.put(stream)
    if found != digest:
        # What was stored under its true name is named by nothing, and swept later.
        raise Invalid(
            f"the bytes that came are {found}, not {digest}",
            code="digest_mismatch",
            hint="They were changed or cut on the way; send them again.",
        )


def _require(actor: Actor, permissions: tuple[Permission, ...]) -> None:
    if not any(may(actor, permission) for permission in permissions):
        wanted = " or ".join(repr(permission.value) for permission in permissions)
        raise Denied(
            f"{actor} ({actor.role.value}) may not do this with bytes: it takes the permission {wanted}",
            hint="Ask an administrator for a token with another role.",
        )
