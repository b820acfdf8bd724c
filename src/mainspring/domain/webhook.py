"""Webhooks: addresses that are told of what happens, and what was said to them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)

EVENTS = frozenset(
    {
        "registered_model.created",
        "model_version.created",
        "model_version_tag.set",
        "model_version_tag.deleted",
        "model_version_alias.created",
        "model_version_alias.deleted",
        "prompt.created",
        "prompt_version.created",
        "prompt_tag.set",
        "prompt_tag.deleted",
        "prompt_version_tag.set",
        "prompt_version_tag.deleted",
        "prompt_alias.created",
        "prompt_alias.deleted",
    }
)
"""What can be listened for, in MLflow's words: `<entity>.<action>`."""


class WebhookStatus(StrEnum):
    """Whether a webhook is told; what it missed while disabled is not made up for."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class DeliveryState(StrEnum):
    """Where a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An address that is told of events. Its secret, which signs, is never shown."""

    id: WebhookId
    name: str
    url: str
    events: tuple[str, ...]
    description: str
    status: WebhookStatus
    has_secret: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing to be said to one webhook, and how far that got.

    `due_at` is when it is tried next; None once it is delivered or has failed for good.
    """

    id: DeliveryId
    webhook: WebhookId
    event: str
    state: DeliveryState
    attempts: int
    is_test: bool
    response_status: int | None
    response: str
    error: str
    created_at: datetime
    due_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedDelivery:
    """A delivery as it goes over the wire now: signed, so that the secret itself stays in the store."""

    id: DeliveryId
    attempt: int
    url: str
    headers: dict[str, str]
    body: str
