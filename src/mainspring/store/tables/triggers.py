"""Triggers, and what happened that gave them a reason to run."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.domain.pipeline import Graph
from mainspring.domain.trigger import TriggerSpec
from mainspring.store.tables.ledger import SEQUENCE
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

triggers = Table(
    "triggers",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("spec", Json(TriggerSpec), nullable=False),
    Column("graph", Json(Graph), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("project", String(80), nullable=False),
    Column("environment", String(80), nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("applied_by", String(200), nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("cursor", BigInteger, nullable=False),
    Column("looked_at", Instant, nullable=False),
    Column("since", Json(dict[str, datetime]), nullable=False),
    Column("tips", Json(dict[str, str]), nullable=False),
    Column("error", Text),
    # As it was given: checking a signature takes the secret itself. Only the operation that makes it tells it.
    Column("secret", Text, nullable=False),
)

trigger_causes = Table(
    "trigger_causes",
    metadata,
    Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    # Stays when the trigger goes: runs still name what caused them.
    Column("trigger", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("key", String(300), nullable=False),
    Column("at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("what", Text, nullable=False),
    Column("told", Json(dict[str, str]), nullable=False),
    Column("event", BigInteger),
    Column("state", String(16), nullable=False),
    Column("run", String(64)),
    Column("decided_at", Instant),
    Column("reason", Text),
    UniqueConstraint("trigger", "key"),
    Index("ix_trigger_causes_trigger_state_id", "trigger", "state", "id"),
    Index("ix_trigger_causes_run_id", "run", "id"),
)
