"""The outermost layer of the control server: counts every request, and lets no error out as it is."""

import time

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainspring.api.errors import answer, unexpected
from mainspring.app import App
from mainspring.kernel.errors import MainspringError

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


class Measures:
    """What the control server says of itself to Prometheus."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mainspring_http_requests",
            "Requests answered by the control server.",
            ("operation", "method", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "mainspring_http_request_seconds",
            "Time to the end of the answer; live event streams are not counted.",
            ("operation",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        build = Gauge(
            "mainspring_build_info",
            "The version that runs.",
            ("version",),
            registry=self.registry,
        )
        build.labels(version).set(1)
        ProcessCollector(namespace="mainspring", registry=self.registry)

    async def serve(self, request: Request) -> Response:
        """Everything in Prometheus' text format."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Edge:
    """ASGI middleware around all else."""

    def __init__(self, inner: ASGIApp, *, app: App, measures: Measures) -> None:
        self._inner = inner
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._inner(scope, receive, sending)
        except Exception as error:
            response = self._told(error, scope)
            if status:
                # The answer is under way and can't be taken back: breaking it off is all that tells.
                raise
            await response(scope, receive, sending)
        finally:
            self._count(scope, status, time.perf_counter() - began)

    def _told(self, error: Exception, scope: Scope) -> Response:
        if isinstance(error, MainspringError):
            return answer(error, home=self._app.settings.home)
        return unexpected(error, method=scope["method"], path=scope["path"])

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        operation = _label(scope)
        # A client may invent methods without end; labels must not.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._measures.requests.labels(operation, method, str(status)).inc()
        if operation != "event.stream":
            self._measures.seconds.labels(operation).observe(seconds)


def _label(scope: Scope) -> str:
    named = scope.get("state", {}).get("operation")
    if named:
        return str(named)
    route = scope.get("route")
    return str(getattr(route, "path", "")) or "other"
