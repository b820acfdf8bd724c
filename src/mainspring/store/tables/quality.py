"""Schemas that people own, and reports of checks against them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from mainspring.domain.check import CheckReport
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

schemas = Table(
    "schemas",
    metadata,
    Column("dataset", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", String(80), nullable=False),
    Column("toml", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    Column("code", String(80), nullable=True),
    PrimaryKeyConstraint("dataset", "number"),
)

quarantines = Table(
    "quarantines",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("dataset", String(200), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("version", String(64), ForeignKey("dataset_versions.id"), nullable=False, index=True),
    Column("manifest", String(80), nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("reasons", Json(dict[str, int]), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=True),
    Column("decided_by", String(200), nullable=True),
    Column("released_in", String(64), nullable=True),
    Column("note", Text, nullable=False),
)

check_reports = Table(
    "check_reports",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("dataset", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    Column("version", String(64), ForeignKey("dataset_versions.id"), nullable=False, index=True),
    Column("passed", Boolean, nullable=False),
    Column("report", Json(CheckReport), nullable=False),
    Column("created_at", Instant, nullable=False),
)
