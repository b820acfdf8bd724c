"""The loop of backfills: carries on those for which there is something to do."""

import logging
from collections.abc import Sequence
from datetime import datetime

from mainspring.backfills.requests import AdvanceBackfill, DueBackfills
from mainspring.domain.request import Call
from mainspring.domain.service import Service
from mainspring.reconcile.loop import Backoff

log = logging.getLogger(__name__)


class Backfills:
    """Asks for the runs of backfills. Two at once ask for none twice."""

    name = "backfills"
    pause_seconds = 5.0

    def __init__(self, call: Call) -> None:
        self._call = call
        self._backoff = Backoff()

    def tick(self, services: Sequence[Service], now: datetime) -> bool:
        """Look once; True if something was done."""
        if not self._backoff.may_try(("look",), now):
            return False
        try:
            due = self._call(DueBackfills())
        except Exception as error:
            self._failed(("look",), now, error)
            return False
        self._backoff.succeeded(("look",))
        advanced = [self._advance(each, now) for each in due]
        return any(advanced)

    def look_again(self) -> None:
        """It always looks."""

    def _advance(self, id_: str, now: datetime) -> bool:
        key = ("backfill", id_)
        if not self._backoff.may_try(key, now):
            return False
        try:
            self._call(AdvanceBackfill(backfill=id_))
        except Exception as error:
            self._failed(key, now, error)
            return False
        self._backoff.succeeded(key)
        return True

    def _failed(self, key: tuple[str, ...], now: datetime, error: Exception) -> None:
        wait = self._backoff.failed(key, now).total_seconds()
        log.warning("backfills: %s: %s; next try in %.0f s", " ".join(key), error, wait)
