"""The control process: our API, MLflow's, the pages and the live events on one port.

It loads no model and runs no user's code; it needs little memory and does nothing while nobody asks.
"""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from types import FrameType

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mainspring.api import hooks, login
from mainspring.api.address import (
    Address,
    local_secrets,
    remove_address,
    run_path,
    write_address,
    write_private,
)
from mainspring.api.edge import Edge, Measures
from mainspring.api.errors import answer
from mainspring.api.mlflow import routes as mlflow
from mainspring.api.otlp import routes as otlp
from mainspring.api.rest import routes as rest
from mainspring.api.rest.stream import EventHub
from mainspring.api.security import Guard
from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.actor import Role
from mainspring.governance.requests import IssueToken, ListEvents, ListTokens
from mainspring.kernel.errors import Invalid, NotFound, Unavailable
from mainspring.server.heart import UNHEARD, Heart
from mainspring.server.http import BoundedHttp
from mainspring.server.listen import listen, url_of
from mainspring.server.signals import caught
from mainspring.ui import routes as ui
from mainspring.ui.answering import Asked, page_endpoint
from mainspring.ui.assets import assets
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_HEALTH_SECONDS = 3.0
_GRACE_SECONDS = 10
_KEEP_ALIVE_SECONDS = 30
_MAX_CONNECTIONS = 1000


def create_app(settings: Settings) -> Starlette:
    """The control server's ASGI application on the installation in `settings.home`."""
    return create_app_on(open_app(settings), closes=True)


def create_app_on(app: App, *, closes: bool = False) -> Starlette:
    """The ASGI application on an installation that is open already; `closes` it at its own end."""
    hub = EventHub(app)
    measures = Measures(version("mainspring"))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            hub.close()
            if closes:
                app.close()

    server = Starlette(
        routes=[*_routes(app, hub), Route("/metrics", measures.serve)],
        middleware=[
            Middleware(Edge, app=app, measures=measures),
            Middleware(Guard, app=app, local=local_secrets(app.settings.home)),
        ],
        exception_handlers={HTTPException: _http_errors(app)},
        lifespan=lifespan,
    )
    server.state.hub = hub
    return server


def run(settings: Settings, heart: Heart = UNHEARD) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is under way.

    Raises `Conflict` (`port_in_use`), `Invalid` or `Unavailable` if it can't start.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    listening = listen(settings.host, settings.port, option="--port")
    try:
        app = open_app(settings)
        try:
            _first_token(app)
            _Server(app, listening, heart).run(sockets=[listening])
        finally:
            remove_address(settings.home, os.getpid())
            app.close()
    finally:
        listening.close()


class _Server(uvicorn.Server):
    """uvicorn that tells where it listens, ends live streams first, and leaves signals to the caller."""

    def __init__(self, app: App, listening: socket.socket, heart: Heart) -> None:
        self._heart = heart
        self._settings = app.settings
        self._url = url_of(listening, app.settings.host)
        self._loop: asyncio.AbstractEventLoop | None = None
        server = create_app_on(app)
        self._hub: EventHub = server.state.hub
        config = uvicorn.Config(
            server,
            http=BoundedHttp,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever a proxy says it speaks for is not to be believed: see `Guard`.
            proxy_headers=False,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        super().__init__(config)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        address = Address(url=self._url, pid=os.getpid(), started_at=datetime.now(UTC))
        await anyio.to_thread.run_sync(write_address, self._settings.home, address)
        sys.stdout.write(f"Mainspring is at {self._url}\n")
        sys.stdout.flush()

    async def on_tick(self, counter: int) -> bool:
        self._heart.beat()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with caught(self.handle_exit):
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        if self._loop is not None:
            # An open stream would hold the end up for as long as its page is open.
            self._loop.call_soon_threadsafe(self._hub.close)


def _routes(app: App, hub: EventHub) -> list[BaseRoute]:
    return [
        Route("/health", _health(app)),
        *rest.routes(app, hub),
        *login.routes(app, styles=(assets().url("app.css"),)),
        *mlflow.routes(app),
        *otlp.routes(app),
        *hooks.routes(app),
        *ui.routes(app),
    ]


def _health(app: App) -> Callable[[Request], Awaitable[Response]]:
    # Threads of its own: the server is healthy also while all others are busy.
    limiter = anyio.CapacityLimiter(2)

    async def health(request: Request) -> Response:
        """Ready when the store answers."""
        with anyio.move_on_after(_HEALTH_SECONDS):
            await anyio.to_thread.run_sync(
                app.call, ListEvents(limit=1), limiter=limiter, abandon_on_cancel=True
            )
            return JSONResponse({"status": "ready"})
        raise Unavailable(f"the store did not answer within {_HEALTH_SECONDS:g} seconds")

    return health


def _http_errors(app: App) -> Callable[[Request, Exception], Awaitable[Response]]:
    no_page = page_endpoint(app, _no_such_page)

    async def told(request: Request, error: Exception) -> Response:
        """What the router itself has to say: as a page to people, as JSON to programs."""
        assert isinstance(error, HTTPException)
        path = request.url.path[:200]
        if error.status_code == 405:
            wrong = Invalid(f"{request.method[:20]} does not fit {path}", code="method_not_allowed")
            return answer(wrong, headers=dict(error.headers or {}))
        if error.status_code != 404:
            return answer(Invalid(error.detail, code="bad_request"))
        if "text/html" in request.headers.get("accept", "") and not path.startswith("/api/"):
            return await no_page(request)
        return answer(NotFound(f"nothing answers {path}", code="no_such_path"))

    return told


def _no_such_page(reader: Reader, asked: Asked) -> Page:
    raise NotFound("there is no such page", code="no_such_path")


def _first_token(app: App) -> None:
    """Make a token for an administrator if others can reach us and nobody could get in."""
    if app.settings.is_loopback or app.call(ListTokens()):
        return
    issued = app.call(IssueToken(name="first administrator", role=Role.ADMIN))
    path = run_path(app.settings.home) / "first-token"
    write_private(path, issued.secret.encode() + b"\n")
    sys.stdout.write(
        f"This server can be reached from elsewhere, so it asks for a token. The first one, for an\n"
        f"administrator, is shown here once and kept in {path}:\n\n    {issued.secret}\n\n"
    )
    sys.stdout.flush()
