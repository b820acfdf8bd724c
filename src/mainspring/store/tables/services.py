"""Declared services."""

from sqlalchemy import Boolean, Column, String, Table

from mainspring.domain.service import ServiceSpec
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

services = Table(
    "services",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("spec", Json(ServiceSpec), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("project", String(80), nullable=False),
    Column("environment", String(80), nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("applied_by", String(200), nullable=False),
    Column("paused", Boolean, nullable=False),
)
