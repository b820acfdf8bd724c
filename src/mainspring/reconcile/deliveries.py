"""Telling webhooks what is to be said to them."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from mainspring.domain.request import Call
from mainspring.domain.service import Service
from mainspring.domain.webhook import SignedDelivery
from mainspring.webhooks.deliver import AT_ONCE
from mainspring.webhooks.requests import ClaimDeliveries, NextDelivery, RecordDelivery
from mainspring.webhooks.rules import networks_of
from mainspring.webhooks.sending import send

_WAIT = timedelta(seconds=5)

log = logging.getLogger(__name__)


class Deliveries:
    """Sends what is due. Killed in the middle, it sends again what it had not yet recorded."""

    name = "webhooks"
    pause_seconds = 2.0

    def __init__(self, call: Call, networks: str) -> None:
        self._call = call
        self._networks = networks_of(networks)
        self._not_before: datetime | None = None

    def tick(self, services: Sequence[Service], now: datetime) -> bool:
        """Send once what is due; a store in trouble is left alone for a while."""
        if self._not_before is not None and now < self._not_before:
            return False
        self._not_before = None
        try:
            return self._send_due(now)
        except Exception as error:
            log.warning("webhooks: %s: %s", type(error).__name__, error)
            self._not_before = now + _WAIT
            return False

    def look_again(self) -> None:
        """It always looks."""

    def _send_due(self, now: datetime) -> bool:
        due = self._call(NextDelivery())
        if due is None or due > now:
            return False
        claimed = self._call(ClaimDeliveries())
        if claimed:
            with ThreadPoolExecutor(min(len(claimed), AT_ONCE)) as pool:
                list(pool.map(self._send, claimed))
        return bool(claimed)

    def _send(self, delivery: SignedDelivery) -> None:
        outcome = send(delivery, self._networks)
        recorded = self._call(
            RecordDelivery(
                id=delivery.id,
                attempt=delivery.attempt,
                status=outcome.status,
                response=outcome.response,
                error=outcome.error,
                is_final=outcome.is_final,
            )
        )
        log.info(
            "webhook %s: %s %s, attempt %d",
            recorded.webhook,
            recorded.event,
            recorded.state.value,
            delivery.attempt,
        )
