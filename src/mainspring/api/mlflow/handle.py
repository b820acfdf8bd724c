"""From an HTTP request to a function of `(call, params)` and back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mainspring.api.mlflow.errors import answer
from mainspring.api.mlflow.wire import Json, Params
from mainspring.app import App
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import MainspringError

Handler = Callable[[App, Params], Json]
"""Answers one call; the app acts as whoever called. Runs in a thread of its own."""

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the protocol: where it is, and what answers it."""

    method: str
    path: str
    handler: Handler


def app_for(app: App, request: Request) -> App:
    """The installation, acting as the one who asks."""
    actor = getattr(request.state, "actor", None)
    return app.acting_as(actor) if actor is not None else app


def endpoint(app: App, handler: Handler) -> Endpoint:
    """A Starlette endpoint that answers in MLflow's JSON, errors included."""

    async def answering(request: Request) -> Response:
        try:
            params = await _params(request)
            result = await run_in_threadpool(handler, app_for(app, request), params)
        except MainspringError as error:
            return answer(error, app.settings.home)
        return Response(encode(result), media_type="application/json")

    return answering


async def _params(request: Request) -> Params:
    """Parameters of the body (JSON), of the query, and of the path, which has the last word."""
    values: dict[str, Any] = {}
    for name in request.query_params:
        found = request.query_params.getlist(name)
        values[name] = found[0] if len(found) == 1 else found
    if request.method != "GET" and (body := await request.body()):
        values.update(decode(body, dict[str, Any], what="body"))
    values.update(request.path_params)
    return Params(values)
