"""From an HTTP request to a function of `(call, params)` and back."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mainspring.api.mlflow.errors import answer
from mainspring.api.mlflow.wire import Json, Params
from mainspring.app import App
from mainspring.domain.request import Request as Asked
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import Denied, MainspringError

Handler = Callable[[App, Params], Json]
"""Answers one call; the app acts as whoever called. Runs in a thread of its own."""

Endpoint = Callable[[Request], Awaitable[Response]]


Reporter = Callable[[Params], Asked[Any]]
"""The report that a call makes. It is written together with others, and nothing is said of it but that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the protocol: where it is, and what answers it.

    A call that reports has a `report` for a handler, and may have a quicker way to read its body, which
    gives None for a body that it can't read.
    """

    method: str
    path: str
    handler: Handler | None = None
    report: Reporter | None = None
    read: Callable[[bytes], Asked[Any] | None] | None = None


def app_for(app: App, request: Request) -> App:
    """The installation, acting as the one who asks."""
    actor = getattr(request.state, "actor", None)
    return app.acting_as(actor) if actor is not None else app


def endpoint(app: App, call: Call) -> Endpoint:
    """A Starlette endpoint that answers in MLflow's JSON, errors included."""
    if call.report is not None:
        return _reporting(app, call.report, call.read)
    assert call.handler is not None
    return _answering(app, call.handler)


def _reporting(
    app: App, report: Reporter, read: Callable[[bytes], Asked[Any] | None] | None
) -> Endpoint:
    async def reporting(request: Request) -> Response:
        caller = app_for(app, request)
        try:
            asked = read(await request.body()) if read is not None else None
            asked = asked or report(await read_params(request))
            try:
                written = caller.report(asked)
            except Denied:
                # Refused again, and this time it is audited, for which there is a thread.
                await run_in_threadpool(caller.call, asked)
                raise
            await asyncio.wrap_future(written)
        except MainspringError as error:
            return answer(error, app.settings.home)
        return Response(b"{}", media_type="application/json")

    return reporting


def _answering(app: App, handler: Handler) -> Endpoint:

    async def answering(request: Request) -> Response:
        try:
            params = await read_params(request)
            result = await run_in_threadpool(handler, app_for(app, request), params)
        except MainspringError as error:
            return answer(error, app.settings.home)
        return Response(encode(result), media_type="application/json")

    return answering


async def read_params(request: Request) -> Params:
    """Parameters of the body (JSON), of the query, and of the path, which has the last word."""
    values: dict[str, Any] = {}
    for name in request.query_params:
        found = request.query_params.getlist(name)
        values[name] = found[0] if len(found) == 1 else found
    if request.method != "GET" and (body := await request.body()):
        values.update(_object(body))
    values.update(request.path_params)
    return Params(values)


def _object(body: bytes) -> dict[str, Any]:
    """The object in a body; some older clients encode it twice."""
    inside = decode(body, str, what="body") if body.lstrip().startswith(b'"') else body
    return decode(inside, dict[str, Any], what="body")
