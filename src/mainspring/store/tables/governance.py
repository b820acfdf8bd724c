"""Tokens and approvals."""

from sqlalchemy import Boolean, Column, String, Table, Text

from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("role", String(32), nullable=False),
    Column("secret_digest", String(80), nullable=False, unique=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(200), nullable=False),
    Column("version", String(64), nullable=False, index=True),
    Column("subject", String(80), nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("at", Instant, nullable=False),
)
