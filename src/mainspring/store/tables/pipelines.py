"""Pipeline runs, their steps, the cache and the logs."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.domain.pipeline import Graph, StoredValue
from mainspring.store.tables.ledger import SEQUENCE
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

pipeline_runs = Table(
    "pipeline_runs",
    metadata,
    Column("id", String(64), ForeignKey("runs.id"), primary_key=True),
    Column("service", String(200)),
    Column("pipeline", String(300), nullable=False),
    Column("graph", Json(Graph), nullable=False),
    Column("params", Json(dict), nullable=False),
    Column("inputs", Json(dict[str, str]), nullable=False),
    Column("project", String(80), nullable=False),
    Column("environment", String(80), nullable=False),
    Column("state", String(16), nullable=False),
    Column("why", Text, nullable=False),
    Column("requested_at", Instant, nullable=False),
    Column("requested_by", String(200), nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("error", Text),
    Column("cancel_requested", Boolean, nullable=False),
    Column("outputs", Json(tuple[StoredValue, ...]), nullable=False),
    Column("parent", String(64)),
    Column("kept", Json(tuple[str, ...])),
    Column("verify_cache", Double),
    Column("trigger", String(200)),
    Column("cause_count", Integer),
    Column("partition", String(200)),
    Column("priority", Integer),
    Index("ix_pipeline_runs_state_requested_at", "state", "requested_at"),
    Index("ix_pipeline_runs_service_requested_at", "service", "requested_at"),
    Index("ix_pipeline_runs_trigger_requested_at", "trigger", "requested_at"),
    Index("ix_pipeline_runs_pipeline_partition", "pipeline", "partition"),
)

steps = Table(
    "steps",
    metadata,
    Column("run", String(64), ForeignKey("pipeline_runs.id"), nullable=False),
    Column("node", String(200), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("cache_key", String(80)),
    Column("outputs", Json(tuple[StoredValue, ...]), nullable=False),
    Column("error", Text),
    Column("cached_from", String(64)),
    Column("warning", Text),
    Column("uses", String(200)),
    PrimaryKeyConstraint("run", "node", "attempt"),
    Index("ix_steps_uses_started_at", "uses", "started_at"),
    Index("ix_steps_cache_key", "cache_key"),
)

waits = Table(
    "waits",
    metadata,
    Column("run", String(64), ForeignKey("pipeline_runs.id"), nullable=False),
    Column("node", String(200), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("what", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("until", Instant),
    Column("cursor", BigInteger, nullable=False),
    Column("approved", Boolean),
    Column("decided_at", Instant),
    Column("decided_by", String(200)),
    Column("note", Text, nullable=False),
    # Whether its run knows how it was decided, and need not be woken for it.
    Column("settled", Boolean, nullable=False),
    PrimaryKeyConstraint("run", "node"),
    Index("ix_waits_kind_settled", "kind", "settled"),
)

limits = Table(
    "limits",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("at_once", Integer),
    Column("starts", Integer),
    Column("per_seconds", Double, nullable=False),
)

cache_entries = Table(
    "cache_entries",
    metadata,
    Column("key", String(80), primary_key=True),
    Column("step", String(300), nullable=False),
    Column("run", String(64), nullable=False),
    Column("outputs", Json(tuple[StoredValue, ...]), nullable=False),
    Column("components", Json(dict[str, str]), nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("ix_cache_entries_step", "step", "created_at"),
)

step_logs = Table(
    "step_logs",
    metadata,
    Column("id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("run", String(64), ForeignKey("pipeline_runs.id"), nullable=False),
    Column("node", String(200), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("stream", String(8), nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("run", "node", "attempt", "seq"),
    Index("ix_step_logs_run_id", "run", "id"),
)
