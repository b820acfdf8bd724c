"""Windows, incidents, and how far the prediction log has been read."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from mainspring.domain.monitor import FeatureDrift, Finding, VersionPerformance
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

windows = Table(
    "windows",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(200), nullable=False),
    Column("start", Instant, nullable=False),
    Column("end", Instant, nullable=False),
    Column("is_closed", Boolean, nullable=False),
    # Whether rows or labels came since its findings were made.
    Column("needs_judging", Boolean, nullable=False),
    Column("version", String(64)),
    Column("row_count", BigInteger, nullable=False),
    Column("labelled_count", BigInteger, nullable=False),
    # Mergeable sums per version (profile, errors); opaque outside the monitoring room.
    Column("state", LargeBinary, nullable=False),
    Column("drift", Json(tuple[FeatureDrift, ...]), nullable=False),
    Column("prediction_drift", Json(FeatureDrift | None)),
    Column("performance", Json(tuple[VersionPerformance, ...]), nullable=False),
    Column("expected_error", Double),
    Column("estimated_error", Double),
    Column("findings", Json(tuple[Finding, ...]), nullable=False),
    Column("updated_at", Instant, nullable=False),
    # The length is part of it: a declaration may change it.
    UniqueConstraint("service", "start", "end"),
    Index("ix_windows_service_needs_judging", "service", "needs_judging"),
)

# Answered predictions of recent windows: to know a label's prediction, and a record read twice.
seen_predictions = Table(
    "seen_predictions",
    metadata,
    Column("service", String(200), nullable=False),
    Column("prediction", String(64), nullable=False),
    Column("key", String(300)),
    Column("version", String(64), nullable=False),
    Column("arm", String(16), nullable=False),
    Column("event_at", Instant, nullable=False),
    Column("output", Json(float | str | bool | None)),
    Column("is_labelled", Boolean, nullable=False),
    PrimaryKeyConstraint("service", "prediction"),
    Index("ix_seen_predictions_service_key", "service", "key"),
    Index("ix_seen_predictions_service_event_at", "service", "event_at"),
)

# Labels that came before their prediction was read.
pending_labels = Table(
    "pending_labels",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(200), nullable=False),
    Column("prediction", String(64)),
    Column("key", String(300)),
    Column("value", Json(float | str | bool), nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_pending_labels_service_key", "service", "key"),
    Index("ix_pending_labels_service_prediction", "service", "prediction"),
)

log_cursors = Table(
    "log_cursors",
    metadata,
    Column("service", String(200), nullable=False),
    Column("segment", String(200), nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("updated_at", Instant, nullable=False),
    PrimaryKeyConstraint("service", "segment"),
)

# Label columns of datasets that have been read up to this version number.
label_cursors = Table(
    "label_cursors",
    metadata,
    Column("service", String(200), nullable=False),
    Column("dataset", String(200), nullable=False),
    Column("number", Integer, nullable=False),
    PrimaryKeyConstraint("service", "dataset"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("service", String(200), nullable=False),
    # `<service>/<kind>` while open, then NULL: at most one of a kind is open.
    Column("active", String(300), unique=True),
    Column("kind", String(32), nullable=False),
    Column("summary", Text, nullable=False),
    Column("version", String(64)),
    Column("findings", Json(tuple[Finding, ...]), nullable=False),
    Column("windows", Json(tuple[str, ...]), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("resolution", Text),
    Index("ix_incidents_service_opened_at", "service", "opened_at"),
)
