"""Every operation as HTTP, and beside them the blobs, the live events and the description of it all."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from mainspring.api.errors import answer, unexpected
from mainspring.api.rest.blobs import blob_handlers
from mainspring.api.rest.decode import MSGPACK, has_body, request_of
from mainspring.api.rest.openapi import described, openapi
from mainspring.api.rest.paths import MethodNotAllowed, Paths
from mainspring.api.rest.stream import EventHub, stream_handler
from mainspring.app import App
from mainspring.kernel.errors import MainspringError
from mainspring.operations.operation import Kind, Operation
from mainspring.operations.table import OPERATIONS

PREFIX = "/api/v1"
# Writers take turns in the store; more threads would only wait, and keep readers from theirs.
_WRITERS = 8

T = TypeVar("T")
Handler = Callable[[Request, dict[str, str]], Awaitable[Response]]


class RestApi:
    """The ASGI application below `/api/v1`."""

    def __init__(self, app: App, hub: EventHub) -> None:
        self._app = app
        self._paths: Paths[Handler] = Paths()
        self._writers = anyio.CapacityLimiter(_WRITERS)
        for operation in OPERATIONS:
            self._paths.add(operation.route, partial(self._operate, operation))
        for route, handler in blob_handlers(app).items():
            self._paths.add(route, handler)
        self._paths.add("GET /events/stream", stream_handler(hub))
        self._paths.add("GET /openapi.json", _answers(openapi))
        self._paths.add("GET /operations", _answers(described))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            handler, fields = self._paths.find(scope["method"], _raw_path(scope))
            response = await handler(request, fields)
        except MethodNotAllowed as error:
            response = answer(error, headers={"Allow": ", ".join(error.allowed)})
        except MainspringError as error:
            response = answer(error, home=self._app.settings.home)
        except Exception as error:
            response = unexpected(error, method=request.method, path=request.url.path)
        await response(scope, receive, send)

    async def _operate(
        self, operation: Operation, request: Request, fields: dict[str, str]
    ) -> Response:
        request.state.operation = operation.name
        body = await request.body() if has_body(operation) else b""
        as_msgpack = MSGPACK in request.headers.get("accept", "")

        def work() -> bytes:
            asked = request_of(
                operation,
                path_fields=fields,
                query=request.scope["query_string"],
                body=body,
                content_type=request.headers.get("content-type", ""),
            )
            result = self._app.acting_as(request.state.actor).call(asked)
            return _encoded(result, as_msgpack)

        content = await self._in_thread(operation, work)
        return Response(content, media_type=MSGPACK if as_msgpack else "application/json")

    async def _in_thread(self, operation: Operation, work: Callable[[], T]) -> T:
        limiter = None if operation.kind is Kind.QUERY else self._writers
        return await anyio.to_thread.run_sync(work, limiter=limiter)


def routes(app: App, hub: EventHub) -> list[BaseRoute]:
    """What to mount for our own API."""
    return [Mount(PREFIX, RestApi(app, hub))]


def _raw_path(scope: Scope) -> str:
    """The path of a request below the prefix, still percent-encoded."""
    raw = scope.get("raw_path")
    path = raw.decode("latin-1") if raw else quote(scope["path"])
    return path.partition("?")[0].partition(PREFIX)[2]


def _encoded(result: Any, as_msgpack: bool) -> bytes:
    # JSON has no NaN: it becomes null there. MessagePack, which our client speaks, keeps it.
    return msgspec.msgpack.encode(result) if as_msgpack else msgspec.json.encode(result)


def _answers(make: Callable[[], bytes]) -> Handler:
    async def handler(request: Request, fields: dict[str, str]) -> Response:
        return Response(make(), media_type="application/json")

    return handler
