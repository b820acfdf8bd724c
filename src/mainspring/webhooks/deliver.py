"""Deliveries on their way: taking what is due, recording what came of it, reading the log.

A delivery is sent at least once: whoever takes it and is killed before it says what came of it has it sent
again, with the same id, by which a receiver knows it.
"""

from datetime import datetime, timedelta

from mainspring.domain.webhook import Delivery, DeliveryId, DeliveryState, SignedDelivery
from mainspring.store.tx import Tx
from mainspring.webhooks import queries, rules
from mainspring.webhooks.declare import webhook_of
from mainspring.webhooks.notify import delivery_of
from mainspring.webhooks.requests import (
    ClaimDeliveries,
    GetDelivery,
    ListDeliveries,
    NextDelivery,
    RecordDelivery,
)

AT_ONCE = 16
"""How many deliveries are taken together."""

_OF_ONE = 4
_HELD_FOR = timedelta(minutes=1)
_LOGGED_FOR = timedelta(days=30)


def list_deliveries(tx: Tx, request: ListDeliveries) -> tuple[Delivery, ...]:
    """Newest first; what ended a month ago is forgotten."""
    webhook_of(tx, request.webhook)
    return tuple(queries.list_deliveries(tx, request.webhook, request.state, request.limit))


def get_delivery(tx: Tx, request: GetDelivery) -> Delivery:
    """One delivery; raises `NotFound`."""
    return delivery_of(tx, request.id)


def next_delivery(tx: Tx, request: NextDelivery) -> datetime | None:
    """When the earliest of those that wait is due."""
    return queries.next_due(tx)


def claim_deliveries(tx: Tx, request: ClaimDeliveries) -> tuple[SignedDelivery, ...]:
    """Begin an attempt at each; two that claim at once never get the same attempt."""
    if request.id is not None:
        found = queries.waiting(tx, request.id)
    else:
        found = queries.due(tx, _OF_ONE, AT_ONCE)
        queries.forget(tx, tx.now - _LOGGED_FOR)
    return tuple(
        _signed(tx, each)
        for each in found
        if queries.take(tx, each.id, each.attempts, tx.now + _HELD_FOR)
    )


def record_delivery(tx: Tx, request: RecordDelivery) -> Delivery:
    """Keep what came of an attempt; one that is not the latest changes nothing any more."""
    before = delivery_of(tx, request.id)
    heard = rules.is_heard(request.status)
    again = (
        not heard
        and not request.is_final
        and not before.is_test
        and rules.may_pass(request.status)
        and request.attempt < rules.MAX_ATTEMPTS
    )
    state = DeliveryState.DELIVERED if heard else DeliveryState.FAILED
    queries.change_delivery(
        tx,
        request.id,
        request.attempt,
        {
            "state": (DeliveryState.WAITING if again else state).value,
            "due_at": tx.now + rules.wait_after(request.attempt) if again else None,
            "finished_at": None if again else tx.now,
            "response_status": request.status,
            "response": request.response.replace("\0", ""),
            "error": request.error,
        },
    )
    return delivery_of(tx, request.id)


def _signed(tx: Tx, found: queries.Waiting) -> SignedDelivery:
    timestamp = str(int(tx.now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": found.id,
        "X-MLflow-Timestamp": timestamp,
    }
    if found.secret:
        headers["X-MLflow-Signature"] = rules.signature(
            found.secret, found.id, timestamp, found.body
        )
    return SignedDelivery(
        id=DeliveryId(found.id),
        attempt=found.attempts + 1,
        url=found.url,
        headers=headers,
        body=found.body,
    )
