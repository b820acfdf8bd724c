"""Files by the run, logged model or version that they belong to, as pages and other clients ask for them.

With `presigned=true` the files of models are answered with an address to read them from.
"""

from io import BytesIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mainspring.api.mlflow.artifacts import answering, plain_path, sent, store, writable
from mainspring.api.mlflow.handle import Endpoint, app_for
from mainspring.api.mlflow.locations import (
    Location,
    location_of,
    model_root,
    run_root,
    version_root,
)
from mainspring.api.mlflow.presigned import signed_read
from mainspring.api.mlflow.runs import run_id_of
from mainspring.api.mlflow.tickets import Tickets
from mainspring.api.mlflow.wire import Params
from mainspring.app import App
from mainspring.kernel.errors import Invalid
from mainspring.registry.requests import GetModelVersion
from mainspring.tracking.requests import GetLoggedModel, GetRun

_MAX_FROM_PAGE = 10 << 20


def _of_run(app: App) -> Endpoint:
    async def get(request: Request) -> Response:
        as_asker = app_for(app, request)
        params = Params(request.query_params)
        asked, path = GetRun(run=run_id_of(params)), plain_path(params)
        root = run_root(await run_in_threadpool(as_asker.call, asked))
        return await sent(as_asker, location_of(f"{root}/{path}"))

    return answering(app, get)


def _of_version(app: App, tickets: Tickets) -> Endpoint:
    async def get(request: Request) -> Response:
        as_asker = app_for(app, request)
        params = Params(request.query_params)
        path = plain_path(params)
        asked = GetModelVersion(model=params.text("name"), number=params.integer("version"))
        root = version_root(await run_in_threadpool(as_asker.call, asked))
        return await _sent_or_signed(as_asker, tickets, request, location_of(f"{root}/{path}"))

    return answering(app, get)


def _of_logged_model(app: App, tickets: Tickets) -> Endpoint:
    async def get(request: Request) -> Response:
        as_asker = app_for(app, request)
        path = plain_path(Params(request.query_params), "artifact_file_path")
        asked = GetLoggedModel(model=request.path_params["model_id"])
        root = model_root(await run_in_threadpool(as_asker.call, asked))
        return await _sent_or_signed(as_asker, tickets, request, location_of(f"{root}/{path}"))

    return answering(app, get)


async def _sent_or_signed(
    app: App, tickets: Tickets, request: Request, location: Location
) -> Response:
    if request.query_params.get("presigned") == "true":
        return JSONResponse(await signed_read(app, tickets, request, location))
    return await sent(app, location)


def _from_page(app: App) -> Endpoint:
    async def post(request: Request) -> Response:
        """A small file of a run, as MLflow's pages send it."""
        params, as_asker = Params(request.query_params), app_for(app, request)
        run = params.optional_text("run_id") or params.optional_text("run_uuid")
        if not run:
            raise Invalid("Request must specify run_id or run_uuid.")
        if not params.optional_text("path"):
            raise Invalid("Request must specify path.")
        path, body = plain_path(params), await request.body()
        if not body:
            raise Invalid("Request must specify data.")
        if len(body) > _MAX_FROM_PAGE:
            raise Invalid("Artifact size is too large. Max size is 10MB.")
        root = run_root(await run_in_threadpool(as_asker.call, GetRun(run=run)))
        location = await run_in_threadpool(writable, as_asker, f"{root}/{path}")
        await run_in_threadpool(store, as_asker, location, BytesIO(body))
        return JSONResponse({})

    return answering(app, post)


def page_routes(app: App, prefix: str, tickets: Tickets) -> list[Route]:
    """What lies below `/api` or `/ajax-api`."""
    return [
        Route(f"{prefix}/2.0/mlflow/upload-artifact", _from_page(app), methods=["POST"]),
        Route(
            f"{prefix}/2.0/mlflow/logged-models/{{model_id}}/artifacts/files",
            _of_logged_model(app, tickets),
            methods=["GET"],
        ),
    ]


def plain_routes(app: App, tickets: Tickets) -> list[Route]:
    """What lies below neither."""
    return [
        Route("/get-artifact", _of_run(app), methods=["GET"]),
        Route("/model-versions/get-artifact", _of_version(app, tickets), methods=["GET"]),
    ]
