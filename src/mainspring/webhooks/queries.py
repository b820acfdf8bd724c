"""The room's SQL: webhooks and deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, delete, func, insert, select, update

from mainspring.domain.webhook import (
    Delivery,
    DeliveryId,
    DeliveryState,
    Webhook,
    WebhookId,
    WebhookStatus,
)
from mainspring.store.tables.webhooks import webhook_deliveries as deliveries
from mainspring.store.tables.webhooks import webhooks
from mainspring.store.tx import Tx

_WAITING = DeliveryState.WAITING.value


class Waiting(NamedTuple):
    """A delivery that waits, with what it takes to send it; the secret goes no further than the room."""

    id: str
    attempts: int
    body: str
    url: str
    secret: str


# --- webhooks


def add_webhook(tx: Tx, id_: str, values: Mapping[str, object]) -> None:
    tx.execute(insert(webhooks).values(id=id_, created_at=tx.now, updated_at=tx.now, **values))


def change_webhook(tx: Tx, id_: str, values: Mapping[str, object]) -> None:
    tx.execute(update(webhooks).where(webhooks.c.id == id_).values(updated_at=tx.now, **values))


def delete_webhook(tx: Tx, id_: str) -> bool:
    """False if there was none."""
    return tx.execute(delete(webhooks).where(webhooks.c.id == id_)).rowcount == 1


def webhook(tx: Tx, id_: str) -> Webhook | None:
    row = tx.execute(select(webhooks).where(webhooks.c.id == id_)).first()
    return _webhook(row) if row else None


def list_webhooks(tx: Tx, limit: int, after: str) -> list[Webhook]:
    query = select(webhooks).where(webhooks.c.id > after).order_by(webhooks.c.id).limit(limit)
    return [_webhook(row) for row in tx.execute(query)]


def listening(tx: Tx, event: str) -> list[str]:
    """The webhooks that want to be told of an event."""
    query = select(webhooks.c.id, webhooks.c.events).where(
        webhooks.c.status == WebhookStatus.ACTIVE.value
    )
    return [row.id for row in tx.execute(query) if event in row.events]


def _webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        id=WebhookId(row.id),
        name=row.name,
        url=row.url,
        events=row.events,
        description=row.description,
        status=WebhookStatus(row.status),
        has_secret=bool(row.secret),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


# --- deliveries


def add_deliveries(tx: Tx, rows: Sequence[Mapping[str, object]]) -> None:
    tx.execute(
        insert(deliveries),
        [
            {
                "state": _WAITING,
                "attempts": 0,
                "response": "",
                "error": "",
                "created_at": tx.now,
                "due_at": tx.now,
                **row,
            }
            for row in rows
        ],
    )


def delivery(tx: Tx, id_: str) -> Delivery | None:
    row = tx.execute(select(deliveries).where(deliveries.c.id == id_)).first()
    return _delivery(row) if row else None


def list_deliveries(tx: Tx, id_: str, state: DeliveryState | None, limit: int) -> list[Delivery]:
    query = select(deliveries).where(deliveries.c.webhook == id_)
    if state is not None:
        query = query.where(deliveries.c.state == state.value)
    rows = tx.execute(query.order_by(deliveries.c.id.desc()).limit(limit))
    return [_delivery(row) for row in rows]


def next_due(tx: Tx) -> datetime | None:
    found: datetime | None = tx.execute(_active(select(func.min(deliveries.c.due_at)))).scalar()
    return found


def due(tx: Tx, each: int, limit: int) -> list[Waiting]:
    """What is due, the oldest of every webhook: one that hangs doesn't keep the others waiting."""
    hooks = tx.execute(
        _active(select(deliveries.c.webhook))
        .where(deliveries.c.due_at <= tx.now)
        .group_by(deliveries.c.webhook)
        .order_by(func.min(deliveries.c.due_at))
        .limit(limit)
    ).scalars()
    found: list[Waiting] = []
    for hook in hooks.all():
        where = (deliveries.c.webhook == hook, deliveries.c.due_at <= tx.now)
        rows = tx.execute(_to_send().where(*where).order_by(deliveries.c.due_at).limit(each))
        found += [Waiting._make(row) for row in rows]
    return found[:limit]


def waiting(tx: Tx, id_: str) -> list[Waiting]:
    return [Waiting._make(row) for row in tx.execute(_to_send().where(deliveries.c.id == id_))]


def take(tx: Tx, id_: str, attempts: int, until: datetime) -> bool:
    """Begin an attempt; False if another process was quicker."""
    taken = tx.execute(
        update(deliveries)
        .where(
            deliveries.c.id == id_,
            deliveries.c.state == _WAITING,
            deliveries.c.attempts == attempts,
        )
        .values(attempts=attempts + 1, due_at=until)
    )
    return taken.rowcount == 1


def change_delivery(tx: Tx, id_: str, attempt: int, values: Mapping[str, object]) -> None:
    """Say what came of an attempt, unless a later one was begun."""
    tx.execute(
        update(deliveries)
        .where(
            deliveries.c.id == id_,
            deliveries.c.state == _WAITING,
            deliveries.c.attempts == attempt,
        )
        .values(**values)
    )


def forget(tx: Tx, before: datetime) -> None:
    """Drop what ended before an instant."""
    tx.execute(delete(deliveries).where(deliveries.c.finished_at < before))


def _to_send() -> Any:
    return _active(
        select(
            deliveries.c.id,
            deliveries.c.attempts,
            deliveries.c.body,
            webhooks.c.url,
            webhooks.c.secret,
        )
    )


def _active(query: Any) -> Any:
    return query.join_from(deliveries, webhooks, webhooks.c.id == deliveries.c.webhook).where(
        deliveries.c.state == _WAITING, webhooks.c.status == WebhookStatus.ACTIVE.value
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        id=DeliveryId(row.id),
        webhook=WebhookId(row.webhook),
        event=row.event,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        is_test=bool(row.is_test),
        response_status=row.response_status,
        response=row.response,
        error=row.error,
        created_at=row.created_at,
        due_at=row.due_at,
        finished_at=row.finished_at,
    )
