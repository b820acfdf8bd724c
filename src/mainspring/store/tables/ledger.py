"""What every room writes through the transaction: events, audit entries, leases."""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

# SQLite counts up by itself only for a column declared exactly INTEGER PRIMARY KEY.
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")

events = Table(
    "events",
    metadata,
    Column("seq", SEQUENCE, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("at", Instant, nullable=False),
    Column("type", String(64), nullable=False),
    Column("service", String(200)),
    Column("subject", String(300), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("operation", String(100), nullable=False),
    Column("why", Text, nullable=False),
    Column("payload", Json(dict), nullable=False),
    Index("ix_events_service_seq", "service", "seq"),
    Index("ix_events_subject_seq", "subject", "seq"),
    Index("ix_events_type_seq", "type", "seq"),
    sqlite_autoincrement=True,
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", String(200), nullable=False),
    Column("operation", String(100), nullable=False),
    Column("request", Text, nullable=False),
    Column("outcome", String(32), nullable=False),
    Column("error", Text),
    Column("events", Json(tuple[str, ...]), nullable=False),
    Column("previous", String(80), nullable=False),
    Column("hash", String(80), nullable=False),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", Instant, nullable=False),
)
