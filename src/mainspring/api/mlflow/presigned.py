"""Signed addresses for single files, and what answers at them."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainspring.api.mlflow.artifacts import answering, bytes_of, checked_file, store, writable
from mainspring.api.mlflow.handle import Endpoint, app_for, read_params
from mainspring.api.mlflow.locations import Location, location_of, model_root, run_root
from mainspring.api.mlflow.runs import run_id_of
from mainspring.api.mlflow.tickets import (
    SIGNED,
    FileTicket,
    PartTicket,
    ReadTicket,
    Tickets,
    address_of,
    lifetime,
)
from mainspring.api.mlflow.wire import Json, Params
from mainspring.api.parts import Uploads
from mainspring.api.uploads import read_body
from mainspring.app import App
from mainspring.kernel.errors import Denied, Invalid
from mainspring.tracking.requests import GetLoggedModel, GetRun

# As long as MLflow's are; clients that need more time ask for another.
_READ_SECONDS = 300
_WRITE_SECONDS = 900


async def signed_read(
    app: App, tickets: Tickets, request: Request, location: Location, seconds: int = _READ_SECONDS
) -> Json:
    """An address from which a file can be read in ranges; its bytes are compared with their digest now."""
    artifact = await run_in_threadpool(checked_file, app, location)
    ticket = ReadTicket(digest=artifact.digest, name=artifact.path.rpartition("/")[2])
    signed = tickets.sign(ticket, app.clock.now() + lifetime(seconds))
    return {
        "url": address_of(request, app.settings, signed),
        "headers": {},
        "file_size": artifact.size_bytes,
    }


def _presign(app: App, tickets: Tickets) -> Endpoint:
    async def presign(request: Request) -> Response:
        location = location_of(request.path_params["path"])
        return JSONResponse(await signed_read(app_for(app, request), tickets, request, location))

    return answering(app, presign)


def _download_url(app: App, tickets: Tickets) -> Endpoint:
    async def download_url(request: Request) -> Response:
        params, as_asker = await read_params(request), app_for(app, request)
        path, seconds = params.text("path"), params.integer("expiration", _READ_SECONDS)
        root = run_root(await run_in_threadpool(as_asker.call, GetRun(run=run_id_of(params))))
        location = location_of(f"{root}/{path}")
        found = await signed_read(as_asker, tickets, request, location, seconds)
        return JSONResponse({"presigned_url": found.pop("url"), **found})

    return answering(app, download_url)


def _upload_url(app: App, tickets: Tickets) -> Endpoint:
    async def upload_url(request: Request) -> Response:
        params, as_asker = await read_params(request), app_for(app, request)
        seconds = params.integer("expiration", _WRITE_SECONDS)
        where = await run_in_threadpool(_wanted_at, as_asker, params)
        ticket = FileTicket(location=where, actor=as_asker.actor)
        signed = tickets.sign(ticket, app.clock.now() + lifetime(seconds))
        url = address_of(request, app.settings, signed)
        return JSONResponse({"presigned_url": url, "headers": {}})

    return answering(app, upload_url)


def _wanted_at(app: App, params: Params) -> str:
    """Where a file of a run or of a logged model shall go."""
    run, model = params.optional_text("run_id"), params.optional_text("model_id")
    if bool(run) == bool(model):
        raise Invalid("Exactly one of run_id and model_id must be provided.")
    root = (
        run_root(app.call(GetRun(run=run)))
        if run
        else model_root(app.call(GetLoggedModel(model=model)))
    )
    where = f"{root}/{params.text('path')}"
    writable(app, where)
    return where


def _put(app: App, uploads: Uploads, tickets: Tickets) -> Endpoint:
    async def put(request: Request) -> Response:
        """Answers with the digest of what came, which names a part when its upload is completed."""
        match tickets.read(request.path_params["ticket"], app.clock.now()):
            case PartTicket(upload=id_, number=number):
                digest = await read_body(request, lambda body: uploads.put(id_, number, body))
            case FileTicket(location=where, actor=actor):
                as_asker = app.acting_as(actor)
                location = await run_in_threadpool(writable, as_asker, where)
                digest = await read_body(request, lambda body: store(as_asker, location, body))
            case _:
                raise Denied("this address is for reading", code="bad_ticket")
        return Response(headers={"ETag": f'"{digest}"'})

    return answering(app, put)


def _get(app: App, tickets: Tickets) -> Endpoint:
    async def get(request: Request) -> Response:
        ticket = tickets.read(request.path_params["ticket"], app.clock.now())
        if not isinstance(ticket, ReadTicket):
            raise Denied("this address is for sending", code="bad_ticket")
        # What it names was compared with its digest when the address was given.
        return await run_in_threadpool(bytes_of, app, ticket.digest, ticket.name)

    return answering(app, get)


def presigned_routes(app: App, prefix: str, tickets: Tickets) -> list[Route]:
    """The calls that give addresses, below `/api` or `/ajax-api`."""
    return [
        Route(f"{prefix}/2.0/mlflow-artifacts/presigned/{{path:path}}", _presign(app, tickets)),
        Route(
            f"{prefix}/2.0/mlflow/artifacts/presigned-download-url",
            _download_url(app, tickets),
            methods=["POST"],
        ),
        Route(
            f"{prefix}/2.0/mlflow/artifacts/presigned-upload-url",
            _upload_url(app, tickets),
            methods=["POST"],
        ),
    ]


def signed_routes(app: App, uploads: Uploads, tickets: Tickets) -> list[Route]:
    """What answers at signed addresses; the ticket is the login."""
    path = SIGNED + "{ticket}"
    return [
        Route(path, _put(app, uploads, tickets), methods=["PUT"]),
        Route(path, _get(app, tickets), methods=["GET"]),
    ]
