"""Deployments, rollouts and what serving processes report."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from mainspring.domain.rollout import Guard, GuardReading
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

# One row per service with one champion column: two champions cannot be written down.
deployments = Table(
    "deployments",
    metadata,
    Column("service", String(200), ForeignKey("services.name"), primary_key=True),
    Column("model", String(250), nullable=False),
    Column("champion", String(64), ForeignKey("model_versions.id")),
    Column("previous", String(64), ForeignKey("model_versions.id")),
    Column("routing_version", BigInteger, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(200), ForeignKey("services.name"), nullable=False),
    # The service's name while the rollout is under way, then NULL: at most one is under way.
    Column("active", String(200), unique=True),
    Column("strategy", String(16), nullable=False),
    Column("candidate", String(64), ForeignKey("model_versions.id"), nullable=False),
    Column("champion", String(64), ForeignKey("model_versions.id")),
    Column("steps", Json(tuple[float, ...]), nullable=False),
    Column("step_index", Integer, nullable=False),
    Column("share", Double, nullable=False),
    Column("state", String(16), nullable=False),
    Column("hold_seconds", Double, nullable=False),
    Column("min_requests", Integer, nullable=False),
    Column("max_seconds", Double, nullable=False),
    Column("guards", Json(tuple[Guard, ...]), nullable=False),
    Column("readings", Json(tuple[GuardReading, ...]), nullable=False),
    Column("why", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("step_started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("reason", Text),
    Index("ix_rollouts_service_started_at", "service", "started_at"),
)

serving_reports = Table(
    "serving_reports",
    metadata,
    Column("process", String(64), primary_key=True),
    Column("address", String(200), nullable=False),
    Column("routing_version", BigInteger, nullable=False),
    Column("ready", Json(tuple[str, ...]), nullable=False),
    Column("failed", Json(dict[str, str]), nullable=False),
    Column("at", Instant, nullable=False),
)
