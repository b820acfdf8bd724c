"""Webhooks and what is said to them."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(63), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Json(tuple[str, ...]), nullable=False),
    Column("description", Text, nullable=False),
    Column("status", String(16), nullable=False),
    # As it was given: signing takes the secret itself, not a digest. No operation reads it out.
    Column("secret", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("webhook", String(64), ForeignKey("webhooks.id", ondelete="CASCADE"), nullable=False),
    Column("event", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("is_test", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant),
    Column("response_status", Integer),
    Column("response", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant, index=True),
    Index("ix_webhook_deliveries_webhook_id", "webhook", "id"),
    Index("ix_webhook_deliveries_state_due_at", "state", "due_at"),
)
