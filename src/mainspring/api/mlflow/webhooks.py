"""Webhooks, as MLflow's clients make, read, change and test them."""

import msgspec

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.wire import Json, Params, compact, milliseconds_of
from mainspring.app import App
from mainspring.domain.webhook import DeliveryState, Webhook, WebhookStatus
from mainspring.kernel.errors import Invalid
from mainspring.webhooks.requests import (
    ClaimDeliveries,
    CreateWebhook,
    DeleteWebhook,
    GetDelivery,
    GetWebhook,
    ListWebhooks,
    RecordDelivery,
    TryWebhook,
    UpdateWebhook,
)
from mainspring.webhooks.rules import networks_of
from mainspring.webhooks.sending import send


def create(app: App, params: Params) -> Json:
    """Make a webhook."""
    webhook = app.call(
        CreateWebhook(
            name=params.text("name"),
            url=params.text("url"),
            events=_events(params),
            description=params.optional_text("description"),
            secret=params.optional_text("secret"),
            status=_status(params) if params.has("status") else WebhookStatus.ACTIVE,
        )
    )
    return {"webhook": webhook_json(webhook)}


def get(app: App, params: Params) -> Json:
    """One webhook."""
    return {"webhook": webhook_json(app.call(GetWebhook(id=params.text("webhook_id"))))}


def list_all(app: App, params: Params) -> Json:
    """A page of webhooks."""
    page = app.call(
        ListWebhooks(
            limit=params.page(100, 1000), page_token=params.optional_text("page_token") or None
        )
    )
    found = [webhook_json(webhook) for webhook in page.items]
    return compact({"webhooks": found, "next_page_token": page.next_token})


def update(app: App, params: Params) -> Json:
    """Change what is given of a webhook."""

    def given(name: str) -> str | msgspec.UnsetType:
        return params.optional_text(name) if params.has(name) else msgspec.UNSET

    webhook = app.call(
        UpdateWebhook(
            id=params.text("webhook_id"),
            name=given("name"),
            url=given("url"),
            events=_events(params) if params.has("events") else msgspec.UNSET,
            description=given("description"),
            secret=given("secret"),
            status=_status(params) if params.has("status") else msgspec.UNSET,
        )
    )
    return {"webhook": webhook_json(webhook)}


def delete(app: App, params: Params) -> Json:
    """Delete a webhook."""
    app.call(DeleteWebhook(id=params.text("webhook_id")))
    return {}


def test(app: App, params: Params) -> Json:
    """Say something made up to a webhook, at once, and tell what came back."""
    event = _event(params.item("event")) if params.has("event") else None
    delivery = app.call(TryWebhook(id=params.text("webhook_id"), event=event))
    # The controller may have been quicker, or the webhook is disabled; then its log tells.
    for signed in app.call(ClaimDeliveries(id=delivery.id)):
        outcome = send(signed, networks_of(app.settings.webhook_networks))
        app.call(
            RecordDelivery(
                id=signed.id,
                attempt=signed.attempt,
                status=outcome.status,
                response=outcome.response,
                error=outcome.error,
                is_final=outcome.is_final,
            )
        )
    after = app.call(GetDelivery(id=delivery.id))
    waits = after.state is DeliveryState.WAITING
    return {
        "result": compact(
            {
                "success": after.state is DeliveryState.DELIVERED,
                "response_status": after.response_status,
                "response_body": after.response or None,
                "error_message": "it waits to be sent" if waits else after.error or None,
            }
        )
    }


def webhook_json(webhook: Webhook) -> Json:
    """A webhook as MLflow writes it, without its secret."""
    return {
        "webhook_id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "events": [_event_json(event) for event in webhook.events],
        "description": webhook.description,
        "status": webhook.status.value,
        "creation_timestamp": milliseconds_of(webhook.created_at),
        "last_updated_timestamp": milliseconds_of(webhook.updated_at),
    }


def _events(params: Params) -> tuple[str, ...]:
    return tuple(_event(each) for each in params.items("events"))


def _event(params: Params) -> str:
    return f"{params.text('entity')}.{params.text('action')}".lower()


def _event_json(event: str) -> Json:
    entity, _, action = event.partition(".")
    return {"entity": entity.upper(), "action": action.upper()}


def _status(params: Params) -> WebhookStatus:
    status = params.text("status")
    try:
        return WebhookStatus(status)
    except ValueError as error:
        raise Invalid(f"Invalid value {status[:40]!r} for parameter 'status' supplied.") from error


CALLS = (
    Call(method="POST", path="/webhooks", handler=create),
    Call(method="GET", path="/webhooks", handler=list_all),
    Call(method="GET", path="/webhooks/{webhook_id}", handler=get),
    Call(method="PATCH", path="/webhooks/{webhook_id}", handler=update),
    Call(method="DELETE", path="/webhooks/{webhook_id}", handler=delete),
    Call(method="POST", path="/webhooks/{webhook_id}/test", handler=test),
)
