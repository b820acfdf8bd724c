"""Files that come in several parts, as clients send large ones: begun, each part at an address of its own, ended.

A part's address is signed and expires. Nothing is named before all parts are there and are what was sent, so an
upload that breaks off anywhere leaves the artifacts as they were.
"""

import asyncio
import ntpath
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from mainspring.api.mlflow.artifacts import answering, store, writable
from mainspring.api.mlflow.handle import Endpoint, app_for, read_params
from mainspring.api.mlflow.locations import Location
from mainspring.api.mlflow.tickets import PartTicket, Tickets, address_of
from mainspring.api.mlflow.wire import Params
from mainspring.api.parts import MAX_PARTS, Part, Upload, Uploads
from mainspring.app import App
from mainspring.kernel.errors import Invalid, NotFound

# Clients ask for all addresses at once, and can't ask for new ones.
_GOOD_FOR = timedelta(hours=12)
# Joining keeps a thread and the disk busy for as long as the file is large; all else goes on beside it.
_JOINING = anyio.CapacityLimiter(4)
# Well below the two minutes of silence after which clients give up.
_PATIENCE_SECONDS = 20.0


def _create(app: App, uploads: Uploads, tickets: Tickets) -> Endpoint:
    async def create(request: Request) -> Response:
        params = await read_params(request)
        location = await run_in_threadpool(_target, app_for(app, request), params)
        count = params.integer("num_parts", 1)
        if count > MAX_PARTS:
            # 501 is what clients understand as: send it as one stream then.
            raise Invalid(
                f"an upload has at most {MAX_PARTS} parts, not {count}",
                code="not_implemented",
                hint="Raise MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE.",
            )
        wanted = Upload(root=location.root, path=location.path, part_count=count)
        id_ = await run_in_threadpool(uploads.begin, wanted)
        until = app.clock.now() + _GOOD_FOR
        parts = [PartTicket(upload=id_, number=number) for number in range(1, count + 1)]
        return JSONResponse(
            {
                "upload_id": id_,
                "credentials": [
                    {
                        "url": address_of(request, app.settings, tickets.sign(part, until)),
                        "part_number": part.number,
                        "headers": {},
                    }
                    for part in parts
                ],
            }
        )

    return answering(app, create)


def _complete(app: App, uploads: Uploads) -> Endpoint:
    async def complete(request: Request) -> Response:
        params, as_asker = await read_params(request), app_for(app, request)
        work = anyio.to_thread.run_sync(_join, as_asker, uploads, params, limiter=_JOINING)
        return await answer_when_done(work, _PATIENCE_SECONDS)

    return answering(app, complete)


def _join(app: App, uploads: Uploads, params: Params) -> None:
    location, id_ = _checked(app, uploads, params)
    parts = [
        Part(number=each.integer("part_number"), digest=each.text("etag").strip('"'))
        for each in params.items("parts")
    ]
    with uploads.joined(id_, parts) as stream:
        store(app, location, stream)
    uploads.end(id_)


def _abort(app: App, uploads: Uploads) -> Endpoint:
    async def abort(request: Request) -> Response:
        params, as_asker = await read_params(request), app_for(app, request)
        await run_in_threadpool(_forget, as_asker, uploads, params)
        return JSONResponse({})

    return answering(app, abort)


def _forget(app: App, uploads: Uploads, params: Params) -> None:
    uploads.end(_checked(app, uploads, params)[1])


def _checked(app: App, uploads: Uploads, params: Params) -> tuple[Location, str]:
    """Where an upload goes, and its id; raises `NotFound` unless it was begun for just that place."""
    location, id_ = _target(app, params), params.text("upload_id")
    found = uploads.find(id_)
    if (found.root, found.path) != (location.root, location.path):
        raise NotFound(f"there is no upload {id_!r} at {location.path!r}", code="no_such_upload")
    return location, id_


def _target(app: App, params: Params) -> Location:
    """The place of an upload: a folder in the address, and in the body the file's name.

    Clients before 3.18 send the whole path that the file has on their disk, whichever way its slashes lean.
    """
    name = ntpath.basename(params.text("path"))
    if not name:
        raise Invalid("Invalid path")
    return writable(app, f"{params.text('folder').strip('/')}/{name}")


async def answer_when_done(work: Awaitable[None], patience_seconds: float) -> Response:
    """`{}` once the work is done; while it takes long, blanks before it, so that nobody gives up.

    Work that fails later than that can only break the answer off.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task}, timeout=patience_seconds)
    if done:
        task.result()
        return JSONResponse({})

    async def blanks() -> AsyncIterator[bytes]:
        while not task.done():
            yield b" "
            await asyncio.wait({task}, timeout=patience_seconds)
        task.result()
        yield b"{}"

    return StreamingResponse(blanks(), media_type="application/json")


def multipart_routes(app: App, prefix: str, uploads: Uploads, tickets: Tickets) -> list[Route]:
    """The calls below `/api` or `/ajax-api`; parts themselves go to signed addresses."""
    base = f"{prefix}/2.0/mlflow-artifacts/mpu"
    ends = {
        "create": _create(app, uploads, tickets),
        "complete": _complete(app, uploads),
        "abort": _abort(app, uploads),
    }
    return [
        Route(f"{base}/{verb}/{{folder:path}}", end, methods=["POST"]) for verb, end in ends.items()
    ]
