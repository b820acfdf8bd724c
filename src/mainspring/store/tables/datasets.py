"""Datasets and their versions."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.domain import dataset
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

datasets = Table(
    "datasets",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("created_at", Instant, nullable=False),
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("dataset", String(200), ForeignKey("datasets.name"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("manifest", String(80), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("file_count", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("row_count", BigInteger),
    Column("columns", Json(tuple[dataset.Column, ...] | None)),
    Column("profile", String(80)),
    Column("parent", String(64)),
    Column("producer", String(64)),
    Column("note", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(200), nullable=False),
    UniqueConstraint("dataset", "number"),
)

remotes = Table(
    "remotes",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("url", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("added_by", String(200), nullable=False),
)
