"""The predictor process: the serving router on its port, with model workers as its children.

Loads no model itself. On SIGTERM it stops being ready, asks callers to go elsewhere with their next
request, finishes what is under way, writes its log, and ends.
"""

import asyncio
import gc
import logging
import os
import shutil
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from mainspring.api.oip.app import PredictApp
from mainspring.config import Settings
from mainspring.kernel.digests import Digest
from mainspring.kernel.ids import new_id
from mainspring.server.draining import DrainingServer
from mainspring.server.heart import UNHEARD, Heart
from mainspring.server.listen import listen, url_of
from mainspring.server.routing_link import RoutingLink, Status
from mainspring.serving.answer import Answerer
from mainspring.serving.log.flusher import Flusher
from mainspring.serving.log.writer import PredictionLog, recover
from mainspring.serving.metrics import Metrics
from mainspring.serving.process import ModelSource
from mainspring.serving.runtime import Runtime

log = logging.getLogger(__name__)


def run(settings: Settings, heart: Heart = UNHEARD) -> None:
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
            runner.run(_serve(settings, listening, heart))
    finally:
        listening.close()


async def _serve(settings: Settings, listening: socket.socket, heart: Heart) -> None:
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
        token=settings.serving_token,
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
        await DrainingServer(app, heart).serve(sockets=[listening])
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
