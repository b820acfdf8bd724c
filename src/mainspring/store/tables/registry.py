"""Registered models, their versions, aliases and gate results."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.domain.gate import GateResult
from mainspring.domain.signature import Signature
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

registered_models = Table(
    "registered_models",
    metadata,
    Column("name", String(250), primary_key=True),
    Column("description", Text, nullable=False),
    # The highest number ever given: a deleted version's number is not given again.
    Column("last_number", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

model_tags = Table(
    "model_tags",
    metadata,
    Column(
        "model",
        String(250),
        ForeignKey("registered_models.name", onupdate="CASCADE", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model", "key"),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column(
        "model",
        String(250),
        ForeignKey("registered_models.name", onupdate="CASCADE"),
        nullable=False,
    ),
    Column("number", Integer, nullable=False),
    Column("run", String(64), index=True),
    Column("logged_model", String(64), index=True),
    Column("source", Text, nullable=False),
    Column("manifest", String(80), nullable=False),
    Column("flavor", String(64), nullable=False),
    Column("signature", Json(Signature | None)),
    Column("metrics", Json(dict[str, float]), nullable=False),
    Column("reference", String(80)),
    Column("evaluation", String(80)),
    Column("project", String(80)),
    Column("environment", String(80)),
    Column("stage", String(32), nullable=False),
    Column("description", Text, nullable=False),
    Column("gate_results", Json(tuple[GateResult, ...] | None)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    UniqueConstraint("model", "number"),
)

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column(
        "version", String(64), ForeignKey("model_versions.id", ondelete="CASCADE"), nullable=False
    ),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("version", "key"),
)

# Signatures of versions, as their signers made them: they speak for themselves, so nothing here is trusted.
model_signatures = Table(
    "model_signatures",
    metadata,
    Column(
        "version", String(64), ForeignKey("model_versions.id", ondelete="CASCADE"), nullable=False
    ),
    Column("key", String(64), nullable=False),
    Column("bundle", Text, nullable=False),
    Column("attached_at", Instant, nullable=False),
    Column("attached_by", String(200), nullable=False),
    PrimaryKeyConstraint("version", "key"),
)

aliases = Table(
    "aliases",
    metadata,
    Column(
        "model",
        String(250),
        ForeignKey("registered_models.name", onupdate="CASCADE"),
        nullable=False,
    ),
    Column("alias", String(250), nullable=False),
    Column("version", String(64), ForeignKey("model_versions.id"), nullable=False),
    Column("updated_at", Instant, nullable=False),
    PrimaryKeyConstraint("model", "alias"),
)
