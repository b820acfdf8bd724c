"""The controller process: the loops that keep every promise, and the worker that carries out runs.

Several controllers may run on one store: one of them, by a lease, runs the loops; all of them work on
runs. Nothing in here loads a user's code or an array library.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

from mainspring.api.address import local_secrets, read_address
from mainspring.app import App, loop_actor, open_app
from mainspring.config import Settings
from mainspring.domain.service import Service
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import MainspringError
from mainspring.pipelines.engine import Worker
from mainspring.reconcile.backfills import Backfills
from mainspring.reconcile.deliveries import Deliveries
from mainspring.reconcile.loops import Duty, Monitoring, Rollouts, Training
from mainspring.reconcile.triggers import Triggers
from mainspring.server.heart import UNHEARD, Heart
from mainspring.services.requests import Control, HoldControl, ListServices, ReleaseControl

POLL_SECONDS = 0.5
"""How often the newest event is looked at."""

_LEASE_SECONDS = 15.0
_RENEW_SECONDS = 5.0
_RETRY_SECONDS = 2.0
_STOP_SECONDS = 20.0

log = logging.getLogger(__name__)


def run(settings: Settings, heart: Heart = UNHEARD) -> None:
    """Keep every declared service's promises until SIGTERM or SIGINT; runs in the middle are left to
    whoever works on next, from their last recorded step."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(name)s %(message)s", level=logging.WARNING
    )
    logging.getLogger("mainspring").setLevel(logging.INFO)
    app = open_app(settings, actor=loop_actor("controller"))
    controller = Controller(app, heart)

    def stop(number: int, frame: FrameType | None) -> None:
        controller.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        controller.run()
    finally:
        app.close()


class Controller:
    """The threads of one controller process. `run` returns after `stop`, which a signal handler may call."""

    def __init__(self, app: App, heart: Heart = UNHEARD) -> None:
        self._app = app
        self._heart = heart
        self._stopping = threading.Event()
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._control: Control | None = None
        self._held_until = 0.0
        self._asked_at = -_RENEW_SECONDS
        self._services: tuple[Service, ...] = ()
        self._seq = -1
        self._news: list[threading.Event] = []
        self._threads: list[threading.Thread] = []

    @property
    def is_in_control(self) -> bool:
        """Whether this controller may run the loops now."""
        return self._control is not None and time.monotonic() < self._held_until

    def stop(self) -> None:
        """Ask every thread to end after what it is doing now."""
        self._stopping.set()

    def run(self) -> None:
        """Run the loops and the worker until `stop`."""
        for duty in (Training, Rollouts, Monitoring):
            app = self._app.acting_as(loop_actor(duty.name))
            self._start(self._tend(duty(app.call, app.blobs, app.settings)), duty.name)
        teller = self._app.acting_as(loop_actor(Deliveries.name))
        deliveries = Deliveries(teller.call, teller.settings.webhook_networks)
        self._start(self._tend(deliveries), Deliveries.name)
        filler = self._app.acting_as(loop_actor(Backfills.name))
        self._start(self._tend(Backfills(filler.call)), Backfills.name)
        looker = self._app.acting_as(loop_actor(Triggers.name))
        self._start(self._tend(Triggers(looker.call)), Triggers.name)
        worker = self._worker()
        self._start(self._work(worker), "worker")
        try:
            while not self._stopping.is_set():
                self._heart.beat()
                self._beat()
                self._check_threads()
                self._stopping.wait(POLL_SECONDS)
        finally:
            worker.stop()
            self._end()
            worker.close()

    def _worker(self) -> Worker:
        app = self._app.acting_as(loop_actor("worker"))
        home = app.settings.home
        return Worker(
            app.call,
            app.blobs,
            app.settings,
            tracking_uri_of(app.settings),
            tracking_token=local_secrets(home).steps,
        )

    def _start(self, body: Callable[[threading.Event], None], name: str) -> None:
        news = threading.Event()
        self._news.append(news)
        # A daemon, since what takes longer than `_STOP_SECONDS` is as safe to cut off as by kill -9.
        thread = threading.Thread(target=body, args=(news,), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _tend(self, duty: Duty) -> Callable[[threading.Event], None]:
        """A thread's work: look and act while in control, then wait for news or a while."""

        def tend(news: threading.Event) -> None:
            while not self._stopping.is_set():
                acted = False
                if news.is_set():
                    news.clear()
                    duty.look_again()
                if self.is_in_control:
                    acted = duty.tick(self._services, self._app.clock.now())
                if not acted:
                    news.wait(duty.pause_seconds)

        return tend

    def _work(self, worker: Worker) -> Callable[[threading.Event], None]:
        """A thread's work: carry out one run after the other."""

        def work(news: threading.Event) -> None:
            while not self._stopping.is_set():
                news.clear()
                try:
                    if worker.run_next():
                        continue
                except Exception:
                    # The run is taken up again when its lease ends; a thread less would take up none.
                    log.exception("worker: a run could not be carried on")
                    self._stopping.wait(_RETRY_SECONDS)
                news.wait(_RENEW_SECONDS)

        return work

    def _check_threads(self) -> None:
        """A controller with a part missing had better end and be started again."""
        for thread in self._threads:
            if not thread.is_alive() and not self._stopping.is_set():
                self._stopping.set()
                raise RuntimeError(f"the thread {thread.name!r} ended")

    def _beat(self) -> None:
        """See whether anything happened, and keep control."""
        try:
            self._hold()
            newest = self._app.call(ListEvents(limit=1)).items
            seq = newest[0].seq if newest else 0
            if seq != self._seq:
                self._services = self._app.call(ListServices())
                self._seq = seq
                for news in self._news:
                    news.set()
        except MainspringError as error:
            log.warning("the store can't be read: %s", error.message)
            self._stopping.wait(_RETRY_SECONDS)
        except Exception:
            # A fault of our own, told in full. The loops stop by themselves once the lease is not renewed.
            log.exception("the store can't be read")
            self._stopping.wait(_RETRY_SECONDS)

    def _hold(self) -> None:
        now = time.monotonic()
        if now < self._asked_at + _RENEW_SECONDS:
            return
        had, self._asked_at = self._control, now
        self._control = self._app.call(
            HoldControl(
                holder=self._holder,
                fence=had.fence if had else None,
                lease_seconds=_LEASE_SECONDS,
            )
        )
        # Counted from before the call: the lease may have begun any time since.
        self._held_until = now + _LEASE_SECONDS
        if (had is None) != (self._control is None):
            log.info("controller %s %s the loops", self._holder, "leaves" if had else "runs")

    def _end(self) -> None:
        for news in self._news:
            news.set()
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if control := self._control:
            try:
                self._app.call(ReleaseControl(holder=control.holder, fence=control.fence))
            except MainspringError as error:
                log.warning("control could not be given up: %s", error.message)


def tracking_uri_of(settings: Settings) -> str:
    """Where steps find our side of MLflow's protocol: the running server, or where one would listen."""
    if address := read_address(settings.home):
        return address.url
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(
        settings.host, settings.host
    )
    return f"http://{host}:{settings.port}"
