"""All routes of MLflow's protocol, at the places where its clients and pages look for them."""

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from mainspring.api.mlflow import (
    artifacts,
    experiments,
    histories,
    logged_models,
    logging,
    models,
    multipart,
    older_traces,
    page_files,
    presigned,
    runs,
    trace_assessments,
    traces,
    versions,
    webhooks,
)
from mainspring.api.mlflow.errors import answer
from mainspring.api.mlflow.handle import Endpoint, endpoint
from mainspring.api.mlflow.tickets import tickets_of
from mainspring.api.parts import Uploads
from mainspring.app import App
from mainspring.kernel.errors import NotFound

# The version whose protocol we speak; clients decide by it what they may send.
PROTOCOL_VERSION = "3.17.2"

_CALLS = (
    *experiments.CALLS,
    *runs.CALLS,
    *logging.CALLS,
    *histories.CALLS,
    *logged_models.CALLS,
    *artifacts.CALLS,
    *models.CALLS,
    *versions.CALLS,
    *webhooks.CALLS,
)
_TRACE_CALLS = (*trace_assessments.CALLS, *traces.CALLS, *older_traces.CALLS)
_PREFIXES = ("/api", "/ajax-api")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def routes(app: App) -> list[BaseRoute]:
    """What a server mounts at its root; see `handle.py` for who the calls act as."""
    uploads, tickets = Uploads(app.settings.work_path), tickets_of(app.settings.home)
    found: list[BaseRoute] = [
        Route("/version", _version, methods=["GET"]),
        *presigned.signed_routes(app, uploads, tickets),
    ]
    for prefix in _PREFIXES:
        found += artifacts.file_routes(app, prefix)
        found += page_files.page_routes(app, prefix, tickets)
        found += multipart.multipart_routes(app, prefix, uploads, tickets)
        found += presigned.presigned_routes(app, prefix, tickets)
        found += [
            Route(
                f"{prefix}/2.0/mlflow{call.path}",
                endpoint(app, call),
                methods=[call.method],
            )
            for call in _CALLS
        ]
        found += [
            Route(
                f"{prefix}/{version}/mlflow{call.path}",
                endpoint(app, call),
                methods=[call.method],
            )
            for version in ("2.0", "3.0")
            for call in _TRACE_CALLS
        ]
        found.append(Route(f"{prefix}/3.0/mlflow/server-info", _server_info(app), methods=["GET"]))
        found += [
            Route(f"{prefix}/{version}/{part}/{{rest:path}}", _unknown(app), methods=_METHODS)
            for version in ("2.0", "3.0")
            for part in ("mlflow", "mlflow-artifacts")
        ]
    return [*found, *page_files.plain_routes(app, tickets)]


async def _version(request: Request) -> Response:
    return PlainTextResponse(PROTOCOL_VERSION)


def _server_info(app: App) -> Endpoint:
    async def server_info(request: Request) -> Response:
        """What clients ask before they move files or use newer parts of the protocol."""
        # Clients that are told so go to addresses that we give: those must be right, also through a proxy.
        is_address_known = bool(app.settings.public_url)
        return JSONResponse(
            {
                "store_type": "SqlStore",
                "workspaces_enabled": False,
                "trace_archival_enabled": False,
                "multipart_uploads_enabled": is_address_known,
                "multipart_downloads_enabled": is_address_known,
                "artifacts_presigned_only": False,
                "artifact_serving_enabled": True,
                "presigned_upload_run_id_supported": True,
                "presigned_upload_model_id_supported": True,
                "model_artifact_presigned_downloads_supported": True,
            }
        )

    return server_info


def _unknown(app: App) -> Endpoint:
    async def unknown(request: Request) -> Response:
        error = NotFound(
            f"{request.method} {request.url.path[:200]} is not part of the protocol that is spoken here",
            code="no_such_endpoint",
        )
        return answer(error, app.settings.home)

    return unknown
