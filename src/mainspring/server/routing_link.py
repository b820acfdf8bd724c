"""The predictor's link to the store: which routing to follow, and what to say of itself.

Runs in a thread of its own, because the store may be slow or away. The last routing that it saw is kept in
`<home>/run/routing.json`, so a predictor can start and answer while the store is down.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mainspring.app import App, loop_actor, open_app
from mainspring.config import Settings
from mainspring.domain.model import ModelVersionId
from mainspring.domain.rollout import ServingReport
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import Invalid, MainspringError, Unavailable
from mainspring.serving.requests import (
    ForgetServing,
    GetRouting,
    GetRoutingMark,
    ReportServing,
    Route,
)

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
REPORT_SECONDS = 10.0
RETRY_SECONDS = 2.0

Routes = tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What the runtime can do right now, as one value that threads may share."""

    routing_version: int = 0
    ready: tuple[ModelVersionId, ...] = ()
    failed: dict[ModelVersionId, str] = field(default_factory=dict)


class RoutingLink:
    """Polls the store for the routing and reports to it. `on_routes` is called in the link's thread."""

    def __init__(
        self, settings: Settings, *, process: str, address: str, on_routes: Callable[[Routes], None]
    ) -> None:
        self._settings = settings
        self._process = process
        self._address = address
        self._on_routes = on_routes
        self._app: App | None = None
        self._mark: str | None = None
        self._status = Status()
        self._reported: Status | None = None
        self._reported_at = 0.0
        self._is_away = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="routing-link", daemon=True)

    def open(self) -> None:
        """Open the store; without it, go on with the routing that was kept.

        Raises `Invalid` for a store that this version can't read.
        """
        try:
            self._look()
        except Unavailable as error:
            self._say_away(error)
            kept = self._kept_routes()
            if kept is not None:
                self._on_routes(kept)

    def start(self) -> None:
        self._thread.start()

    def tell(self, status: Status) -> None:
        """Take the runtime's new status; it is reported soon."""
        self._status = status

    def close(self) -> None:
        """Say that the process ends, and close the store."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        if self._app is None:
            return
        try:
            self._app.call(ForgetServing(process=self._process))
        except MainspringError as error:
            log.warning("could not say goodbye to the store: %s", error)
        self._app.close()

    def _run(self) -> None:
        delay = POLL_SECONDS
        while not self._stop.wait(delay):
            try:
                self._look()
                self._report()
                delay = POLL_SECONDS
            except Unavailable as error:
                self._say_away(error)
                delay = RETRY_SECONDS
            except Exception:
                # Whatever it is, predictions go on by the routing that is known.
                log.exception("the routing could not be read")
                delay = RETRY_SECONDS

    def _look(self) -> None:
        if self._app is None:
            self._app = open_app(self._settings, actor=loop_actor("predictor"))
        # The mark first: a change between the two calls is then seen again, not missed.
        mark = self._app.call(GetRoutingMark())
        if self._is_away:
            log.info("the store is back")
            self._is_away = False
        if mark != self._mark:
            routes = self._app.call(GetRouting())
            self._keep(routes)
            self._on_routes(routes)
            self._mark = mark

    def _report(self) -> None:
        status, now = self._status, time.monotonic()
        if self._app is None or (
            status == self._reported and now - self._reported_at < REPORT_SECONDS
        ):
            return
        self._app.call(
            ReportServing(
                report=ServingReport(
                    process=self._process,
                    address=self._address,
                    routing_version=status.routing_version,
                    ready=status.ready,
                    failed=status.failed,
                    at=self._app.clock.now(),
                )
            )
        )
        self._reported, self._reported_at = status, now

    def _say_away(self, error: MainspringError) -> None:
        if not self._is_away:
            log.warning("the store can't be asked; predictions go on: %s", error)
        self._is_away = True

    def _keep(self, routes: Routes) -> None:
        path = kept_routing_path(self._settings)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(encode(routes))
            os.replace(temporary, path)
        except OSError as error:
            log.warning("the routing could not be kept in %s: %s", path, error)

    def _kept_routes(self) -> Routes | None:
        try:
            data = kept_routing_path(self._settings).read_bytes()
            kept: Routes = decode(data, tuple[Route, ...], what="kept routing")
        except (OSError, Invalid) as error:
            log.warning("no routing was kept: %s", error)
            return None
        return kept


def kept_routing_path(settings: Settings) -> Path:
    """Where the last routing is kept."""
    return settings.home / "run" / "routing.json"
