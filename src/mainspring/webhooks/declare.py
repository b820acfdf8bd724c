"""Making, changing and deleting webhooks."""

import msgspec

from mainspring.domain.event import WebhookChanged
from mainspring.domain.webhook import Webhook, WebhookStatus
from mainspring.kernel.errors import NotFound
from mainspring.kernel.paging import Page
from mainspring.store.tx import Tx
from mainspring.webhooks import queries, rules
from mainspring.webhooks.requests import (
    CreateWebhook,
    DeleteWebhook,
    GetWebhook,
    ListWebhooks,
    UpdateWebhook,
)


def create_webhook(tx: Tx, request: CreateWebhook) -> Webhook:
    """Make a webhook; where its name leads is looked at only when something is sent there."""
    rules.check_name(request.name)
    rules.check_events(request.events)
    rules.parts_of(request.url)
    id_ = tx.new_id("whk")
    queries.add_webhook(
        tx,
        id_,
        {
            "name": request.name,
            "url": request.url,
            "events": request.events,
            "description": request.description,
            "status": request.status.value,
            "secret": request.secret,
        },
    )
    tx.emit(WebhookChanged(webhook=id_, name=request.name, what="made"))
    return webhook_of(tx, id_)


def update_webhook(tx: Tx, request: UpdateWebhook) -> Webhook:
    """Change a webhook; what waits for it goes to its new address, signed with its new secret."""
    webhook_of(tx, request.id)
    if request.name is not msgspec.UNSET:
        rules.check_name(request.name)
    if request.events is not msgspec.UNSET:
        rules.check_events(request.events)
    if request.url is not msgspec.UNSET:
        rules.parts_of(request.url)
    fields = ("name", "url", "events", "description", "secret", "status")
    given = {name: getattr(request, name) for name in fields}
    changed = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    if isinstance(status := changed.get("status"), WebhookStatus):
        changed["status"] = status.value
    queries.change_webhook(tx, request.id, changed)
    after = webhook_of(tx, request.id)
    tx.emit(WebhookChanged(webhook=after.id, name=after.name, what="changed"))
    return after


def delete_webhook(tx: Tx, request: DeleteWebhook) -> None:
    """Delete a webhook and all that was or is to be said to it."""
    webhook = webhook_of(tx, request.id)
    queries.delete_webhook(tx, webhook.id)
    tx.emit(WebhookChanged(webhook=webhook.id, name=webhook.name, what="deleted"))


def get_webhook(tx: Tx, request: GetWebhook) -> Webhook:
    """One webhook; raises `NotFound`."""
    return webhook_of(tx, request.id)


def list_webhooks(tx: Tx, request: ListWebhooks) -> Page[Webhook]:
    """A page of webhooks; its token is the last one's id."""
    found = queries.list_webhooks(tx, request.limit + 1, request.page_token or "")
    items = found[: request.limit]
    more = len(found) > request.limit
    return Page(items=items, next_token=items[-1].id if more else None)


def webhook_of(tx: Tx, id_: str) -> Webhook:
    """The webhook of that id, for other use cases; raises `NotFound`."""
    found = queries.webhook(tx, id_)
    if found is None:
        raise NotFound(
            f"Webhook with ID {id_[:80]} not found.",
            code="no_such_webhook",
            hint="`mainspring webhook list` shows them.",
        )
    return found
