"""What can be asked about webhooks."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from mainspring.domain.request import Request
from mainspring.domain.webhook import (
    Delivery,
    DeliveryState,
    SignedDelivery,
    Webhook,
    WebhookStatus,
)
from mainspring.kernel.paging import Page

Url = Annotated[str, Meta(min_length=1, max_length=2000)]
Secret = Annotated[str, Meta(max_length=1000)]


class CreateWebhook(Request[Webhook], frozen=True, kw_only=True):
    """Tell an address of events from now on; with a secret, what is sent is signed."""

    name: str
    url: Url
    events: tuple[str, ...]
    description: str = ""
    secret: Secret = ""
    status: WebhookStatus = WebhookStatus.ACTIVE


class UpdateWebhook(Request[Webhook], frozen=True, kw_only=True):
    """Change a webhook; what is left out stays as it is."""

    id: str
    name: str | msgspec.UnsetType = msgspec.UNSET
    url: Url | msgspec.UnsetType = msgspec.UNSET
    events: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    secret: Secret | msgspec.UnsetType = msgspec.UNSET
    status: WebhookStatus | msgspec.UnsetType = msgspec.UNSET


class DeleteWebhook(Request[None], frozen=True, kw_only=True):
    """Delete a webhook with its deliveries, also those that still wait."""

    id: str


class GetWebhook(Request[Webhook], frozen=True, kw_only=True):
    """One webhook, without its secret."""

    id: str


class ListWebhooks(Request[Page[Webhook]], frozen=True, kw_only=True):
    """Webhooks, oldest first, without their secrets."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    page_token: str | None = None


class TryWebhook(Request[Delivery], frozen=True, kw_only=True):
    """Say something made up to a webhook, to see whether it is heard; its deliveries tell."""

    id: str
    event: str | None = None


class ListDeliveries(Request[tuple[Delivery, ...]], frozen=True, kw_only=True):
    """What was said to a webhook and what came back, newest first."""

    webhook: str
    state: DeliveryState | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class GetDelivery(Request[Delivery], frozen=True, kw_only=True):
    """One delivery."""

    id: str


class NextDelivery(Request[datetime | None], frozen=True, kw_only=True):
    """When something is to be delivered next; None if nothing waits."""


class ClaimDeliveries(Request[tuple[SignedDelivery, ...]], frozen=True, kw_only=True):
    """Take what is due now, signed, to send it; what is not recorded within a minute is due again.

    With an `id` only that one, whether due or not.
    """

    id: str | None = None


class RecordDelivery(Request[Delivery], frozen=True, kw_only=True):
    """Say what came of an attempt: an answer's status, or the reason why there was none.

    Whatever may pass is tried again later; `is_final` says that it can't.
    """

    id: str
    attempt: int
    status: int | None = None
    response: Annotated[str, Meta(max_length=10_000)] = ""
    error: Annotated[str, Meta(max_length=2_000)] = ""
    is_final: bool = False
