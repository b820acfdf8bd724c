"""The ASGI application of the serving process."""

import hmac
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from mainspring.api.oip import metadata
from mainspring.api.oip.call import Call
from mainspring.api.oip.http import (
    Disconnected,
    NotThisWay,
    Receive,
    Scope,
    Send,
    send_bytes,
    send_json,
)
from mainspring.api.oip.invocations import read_invocation, write_predictions
from mainspring.api.oip.labels import read_labels
from mainspring.api.oip.tensors import check_outputs, read_infer, write_reply
from mainspring.domain.signature import Signature
from mainspring.kernel.errors import Invalid, MainspringError, NotFound
from mainspring.serving.answer import Answerer, nobody_answers
from mainspring.serving.log.flusher import Flusher
from mainspring.serving.metrics import Metrics
from mainspring.serving.pool import Pool
from mainspring.serving.runtime import Arms, Runtime

log = logging.getLogger(__name__)

_OPEN = frozenset({"/v2/health/live", "/v2/health/ready", "/health", "/ping"})
"""Paths of probes, which carry no token and learn nothing but whether it is well."""


class PredictApp:
    """Answers everything that is asked of a serving process.

    `is_loopback` says that only this machine may ask: then the Host header must name it, so that a page
    in a browser can't reach it by another name. With a `token`, everything but the health endpoints asks for it.
    """

    def __init__(
        self,
        runtime: Runtime,
        answerer: Answerer,
        flusher: Flusher,
        metrics: Metrics,
        *,
        is_loopback: bool = True,
        token: str = "",
    ) -> None:
        self._runtime = runtime
        self._answerer = answerer
        self._flusher = flusher
        self._metrics = metrics
        self._is_loopback = is_loopback
        self._token = token.encode()
        self.has_routing = False
        self.draining = False
        self._counters: dict[tuple[str, str, int], tuple[Any, Any]] = {}
        self._paths: dict[str, Callable[[Call], Awaitable[None]]] = {
            "/": self._server,
            "/v2": self._server,
            "/v2/": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            "/v2/models": self._models,
            "/invocations": self._only_invocations,
            "/ping": self._ping,
            "/health": self._ping,
            "/version": self._version,
            "/metrics": self._metrics_page,
        }

    @property
    def is_ready(self) -> bool:
        """Whether new requests should come here."""
        return self.has_routing and not self.draining and self._runtime.all_ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        call = Call(scope, receive, send)
        call.closing = self.draining
        started = time.perf_counter()
        self._metrics.in_progress.inc()
        try:
            await self._answer(call)
        except Disconnected:
            call.status = 499
        finally:
            self._metrics.in_progress.dec()
            counted, timed = self._children(call)
            counted.inc()
            timed.observe(time.perf_counter() - started)

    async def _answer(self, call: Call) -> None:
        try:
            self._check_caller(call)
            handler = self._paths.get(call.path)
            if handler is not None:
                call.route = call.path
                await handler(call)
            else:
                await self._below(call)
        except (MainspringError, NotThisWay) as error:
            await call.refuse(error)
        except Disconnected:
            raise
        except Exception:
            id_ = secrets.token_hex(4)
            log.exception("error %s while answering %s", id_, call.path)
            await call.json({"error": f"an internal error, logged as {id_}"}, status=500)

    async def _below(self, call: Call) -> None:
        parts = call.path.split("/")
        match parts[1:]:
            case ["v2", "models", service]:
                await self._model(call, service, None)
            case ["v2", "models", service, "versions", number]:
                await self._model(call, service, _number(service, number))
            case ["v2", "models", service, "infer"]:
                await self._infer(call, service, None)
            case ["v2", "models", service, "versions", number, "infer"]:
                await self._infer(call, service, _number(service, number))
            case ["v2", "models", service, "ready"]:
                await self._model_ready(call, service, None)
            case ["v2", "models", service, "versions", number, "ready"]:
                await self._model_ready(call, service, _number(service, number))
            case ["v2", "models", service, "labels"]:
                await self._labels(call, service)
            case ["services", service, "invocations"]:
                await self._invocations(call, service)
            case _:
                raise NotFound(f"there is nothing at {call.path[:200]}")

    # Predictions.

    async def _infer(self, call: Call, service: str, version: int | None) -> None:
        call.route = "/v2/models/{service}/infer"
        call.must_be("POST")
        signature = self._signature(service, version)
        body = await call.body()
        length = call.headers.get(b"inference-header-content-length")
        if length is not None and (not length.isdigit() or int(length) > len(body)):
            raise Invalid("Inference-Header-Content-Length is no length within the body")
        asked = read_infer(
            body,
            service=service,
            signature=signature,
            version=version,
            json_bytes=int(length) if length is not None else None,
        )
        check_outputs(asked, signature)
        reply, json_bytes = write_reply(asked, await self._answerer.answer(asked.question))
        if json_bytes is None:
            await send_json(call.send, 200, reply, closing=call.closing)
        else:
            await send_bytes(
                call.send,
                200,
                reply,
                b"application/octet-stream",
                closing=call.closing,
                more=((b"inference-header-content-length", str(json_bytes).encode()),),
            )

    async def _only_invocations(self, call: Call) -> None:
        services = self._runtime.services
        if len(services) != 1:
            call.must_be("POST")
            raise NotFound(
                "several services are served here" if services else "no service is served here",
                hint="POST to /services/{name}/invocations."
                + (f" There are: {', '.join(services)}." if services else ""),
            )
        await self._invocations(call, services[0])

    async def _invocations(self, call: Call, service: str) -> None:
        call.route = "/invocations"
        call.must_be("POST")
        signature = self._signature(service, None)
        question = read_invocation(await call.body(), service=service, signature=signature)
        reply = await self._answerer.answer(question)
        await send_json(call.send, 200, write_predictions(reply), closing=call.closing)

    async def _labels(self, call: Call, service: str) -> None:
        call.route = "/v2/models/{service}/labels"
        call.must_be("POST")
        self._arms(service)
        labels = read_labels(await call.body())
        count = len(labels.values)
        if count:
            self._flusher.append(service, labels, count)
            await self._flusher.written()
            self._metrics.labels.labels(service).inc(count)
        await call.json({"accepted": count})

    # Questions about the server and its models.

    async def _server(self, call: Call) -> None:
        call.must_be("GET")
        await call.json(metadata.server_metadata())

    async def _live(self, call: Call) -> None:
        call.must_be("GET")
        await call.json({"live": True})

    async def _ready(self, call: Call) -> None:
        call.must_be("GET")
        ready = self.is_ready
        services = {name: self._runtime.is_ready(name) for name in self._runtime.services}
        body = {"live": True, "ready": ready, "services": services}
        await call.json(body, status=200 if ready else 503)

    async def _ping(self, call: Call) -> None:
        call.must_be("GET")
        status = 200 if self.is_ready else 503
        await send_bytes(call.answering(status), status, b"\n", b"application/json")

    async def _version(self, call: Call) -> None:
        call.must_be("GET")
        version = metadata.server_metadata()["version"].encode()
        await send_bytes(call.answering(200), 200, version, b"text/plain; charset=utf-8")

    async def _models(self, call: Call) -> None:
        call.must_be("GET")
        await call.json({"models": self._runtime.services})

    async def _model(self, call: Call, service: str, version: int | None) -> None:
        call.route = "/v2/models/{service}"
        call.must_be("GET")
        arms = self._arms(service)
        await call.json(metadata.model_metadata(arms, self._pool(arms, version).version))

    async def _model_ready(self, call: Call, service: str, version: int | None) -> None:
        call.route = "/v2/models/{service}/ready"
        call.must_be("GET")
        ready = self._pool(self._arms(service), version).is_ready
        await call.json({"name": service, "ready": ready}, status=200 if ready else 503)

    async def _metrics_page(self, call: Call) -> None:
        call.must_be("GET")
        for pool in self._runtime.pools():
            labels = (pool.service, str(pool.version.number))
            self._metrics.queue.labels(*labels).set(pool.waiting_count)
            self._metrics.workers.labels(*labels).set(len(pool.pids))
            self._metrics.restarts.labels(*labels).set(pool.counts.restarts)
        self._metrics.routing_version.set(self._runtime.routing_version)
        text = b"text/plain; version=0.0.4; charset=utf-8"
        await send_bytes(call.answering(200), 200, self._metrics.text(), text)

    # Looking things up.

    def _arms(self, service: str) -> Arms:
        arms = self._runtime.arms(service)
        if arms is None:
            raise NotFound(
                f"no service {service!r} is served here",
                hint="GET /v2/models lists those that are.",
            )
        return arms

    def _pool(self, arms: Arms, version: int | None) -> Pool:
        if version is None:
            found = arms.champion or arms.candidate
        else:
            by_number = arms.by_number(version)
            found = by_number[1] if by_number else None
        if found is None and version is None:
            raise nobody_answers(arms.service, self._runtime.refusal(arms.service))
        if found is None:
            raise NotFound(f"{arms.service} is not answered by version {version}")
        return found

    def _signature(self, service: str, version: int | None) -> Signature | None:
        return self._pool(self._arms(service), version).version.signature

    def _check_caller(self, call: Call) -> None:
        """Refuse what a page of another site makes a browser send."""
        host = call.headers.get(b"host", b"").decode("latin-1")
        if self._is_loopback and host:
            name = urlsplit(f"//{host}").hostname
            if name not in ("127.0.0.1", "localhost", "::1"):
                raise NotThisWay(421, f"this server is not {host[:100]!r}")
        origin = call.headers.get(b"origin")
        if origin is not None and urlsplit(origin.decode("latin-1")).netloc != host:
            raise NotThisWay(403, "pages of other sites may not ask this server")
        if self._token and call.path not in _OPEN and not self._shows_token(call):
            raise NotThisWay(
                401, "this server asks for its token, as `Authorization: Bearer TOKEN`"
            )

    def _shows_token(self, call: Call) -> bool:
        scheme, _, shown = call.headers.get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(shown.strip(), self._token)

    def _children(self, call: Call) -> tuple[Any, Any]:
        key = (call.method, call.route, call.status)
        found = self._counters.get(key)
        if found is None:
            method, route, status = key
            found = self._counters[key] = (
                self._metrics.requests.labels(method, route, str(status)),
                self._metrics.request_seconds.labels(route),
            )
        return found


def _number(service: str, text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise NotFound(f"{service} has no version {text[:40]!r}; versions are numbers")
    return int(text)
