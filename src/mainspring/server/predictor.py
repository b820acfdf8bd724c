"""The predictor process: the serving router on its port, with model workers as its children.

Loads no model itself. On SIGTERM it stops being ready, asks callers to go elsewhere with their next
request, finishes what is under way, writes its log, and ends.
"""

import asyncio
import contextlib
import gc
import logging
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import uvicorn
import uvloop

from mainspring.api.oip.app import PredictApp
from mainspring.config import Settings
from mainspring.kernel.digests import Digest
from mainspring.kernel.ids import new_id
from mainspring.server.listen import listen, url_of
from mainspring.server.routing_link import RoutingLink, Status
from mainspring.serving.answer import Answerer
from mainspring.serving.log.flusher import Flusher
from mainspring.serving.log.writer import PredictionLog, recover
from mainspring.serving.metrics import Metrics
from mainspring.serving.process import ModelSource
from mainspring.serving.runtime import Runtime

log = logging.getLogger(__name__)

DRAIN_SECONDS = 1.0
"""How long callers are told to go elsewhere before the port is closed."""

_LINGER_SECONDS = 0.5
_GRACE_SECONDS = 15
_KEEP_ALIVE_SECONDS = 75


def run(settings: Settings) -> None:
    """Answer predictions until SIGTERM or SIGINT.

    Raises `Conflict` (`port_in_use`), or `Invalid` for a store that this version can't read. A store that
    is away is no reason not to start.
    """
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING
    )
    logging.getLogger("mainspring").setLevel(logging.INFO)
    listening = listen(settings.host, settings.serving_port, option="--serving-port")
    try:
        recover(settings.predictions_path)
        _clear_work(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, listening))
    finally:
        listening.close()


async def _serve(settings: Settings, listening: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    metrics = Metrics()
    prediction_log = PredictionLog(settings.predictions_path)
    flusher = Flusher(prediction_log)
    work = settings.work_path / "models" / str(os.getpid())

    def source(manifest: Digest) -> ModelSource:
        return ModelSource(blobs=settings.blobs_path, manifest=manifest, work=work)

    def tell() -> None:
        link.tell(
            Status(
                routing_version=runtime.routing_version,
                ready=runtime.ready_versions(),
                failed=runtime.failed_versions(),
            )
        )

    def follow(routes: tuple[object, ...]) -> None:
        def take_over() -> None:
            runtime.follow(routes)  # type: ignore[arg-type]  # the link gives routes
            app.has_routing = True

        loop.call_soon_threadsafe(take_over)

    runtime = Runtime(source, on_change=tell)
    app = PredictApp(
        runtime,
        Answerer(runtime, flusher, metrics),
        flusher,
        metrics,
        is_loopback=settings.is_loopback,
    )
    metrics.log_dropped.set_function(lambda: prediction_log.dropped_count)
    url = url_of(listening, settings.host)
    link = RoutingLink(
        settings,
        process=new_id("srv", datetime.now(UTC)),
        address=url,
        on_routes=follow,
    )
    try:
        await asyncio.to_thread(link.open)
        link.start()
        sys.stdout.write(f"Mainspring predicts at {url}\n")
        sys.stdout.flush()
        # What lives now lives until the end: it need not be looked through by every collection.
        gc.freeze()
        await _DrainingServer(app).serve(sockets=[listening])
    finally:
        await asyncio.to_thread(link.close)
        await runtime.close()
        await flusher.close()
        shutil.rmtree(work, ignore_errors=True)


def _clear_work(settings: Settings) -> None:
    """Remove the model folders of predictors that were killed."""
    for folder in (settings.work_path / "models").glob("*"):
        if folder.name.isdigit() and not Path(f"/proc/{folder.name}").exists():
            shutil.rmtree(folder, ignore_errors=True)


class _DrainingServer(uvicorn.Server):
    """uvicorn that answers everything it was sent before it ends.

    By itself it closes idle connections the moment it is told to stop; a request that is on its way on one
    of them is lost. Here every answer first carries `Connection: close` for a while, so that callers leave
    by themselves, and new connections are still accepted meanwhile.
    """

    def __init__(self, app: PredictApp) -> None:
        self._app = app
        self._drain_until: float | None = None
        super().__init__(
            uvicorn.Config(
                app,
                http="httptools",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signals again at the end, which would skip the rest of the shutdown.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._drain_until is None:
            self._app.draining = True
            self._drain_until = time.monotonic() + DRAIN_SECONDS
        else:
            # Told twice: whoever asks does not want to wait.
            self.should_exit = self.force_exit = True

    async def on_tick(self, counter: int) -> bool:
        if self._drain_until is not None and (
            not self.server_state.connections or time.monotonic() >= self._drain_until
        ):
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # A second handle keeps the port open while uvloop lets go of it: connections that the kernel
        # completed meanwhile would be reset with their requests.
        lasts = [listening.dup() for listening in sockets or []]
        for server in self.servers:
            server.close()
        await asyncio.sleep(0)
        for last in lasts:
            await self._accept_the_rest(last)
        # Connections that were accepted last may have a request on its way.
        linger_until = time.monotonic() + _LINGER_SECONDS
        while (
            self.server_state.connections
            and time.monotonic() < linger_until
            and not self.force_exit
        ):
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    async def _accept_the_rest(self, listening: socket.socket) -> None:
        listening.setblocking(False)
        accepted = []
        with listening, contextlib.suppress(BlockingIOError):
            while True:
                connection, _ = listening.accept()
                accepted.append(connection)
        for connection in accepted:
            connection.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made
