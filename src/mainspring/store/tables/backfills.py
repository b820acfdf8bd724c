"""Backfills and their partitions."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.domain.pipeline import Graph
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

backfills = Table(
    "backfills",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("pipeline", String(300), nullable=False),
    Column("graph", Json(Graph), nullable=False),
    Column("params", Json(dict), nullable=False),
    Column("inputs", Json(dict[str, str]), nullable=False),
    Column("project", String(80), nullable=False),
    Column("environment", String(80), nullable=False),
    Column("reprocess", String(16), nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("asked_by", String(200), nullable=False),
    Column("finished_at", Instant),
    Index("ix_backfills_state", "state"),
)

backfill_parts = Table(
    "backfill_parts",
    metadata,
    Column("backfill", String(64), ForeignKey("backfills.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("partition", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("run", String(64)),
    PrimaryKeyConstraint("backfill", "number"),
    UniqueConstraint("backfill", "partition"),
    Index("ix_backfill_parts_backfill_state", "backfill", "state", "number"),
)
