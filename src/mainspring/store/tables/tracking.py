"""Experiments, runs, metrics, logged models and artifacts."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
)

from mainspring.store.tables.ledger import SEQUENCE
from mainspring.store.tables.metadata import metadata
from mainspring.store.types import Instant, Json

experiments = Table(
    "experiments",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(500), nullable=False, unique=True),
    Column("lifecycle", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

experiment_tags = Table(
    "experiment_tags",
    metadata,
    Column("experiment", String(64), ForeignKey("experiments.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("experiment", "key"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("experiment", String(64), ForeignKey("experiments.id"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("status", String(16), nullable=False),
    Column("lifecycle", String(16), nullable=False),
    Column("user", String(250), nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    # Read backwards it is the order in which runs are listed.
    Index("ix_runs_experiment_lifecycle_started_at", "experiment", "lifecycle", "started_at", "id"),
)

run_params = Table(
    "run_params",
    metadata,
    Column("run", String(64), ForeignKey("runs.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run", "key"),
    Index("ix_run_params_key", "key"),
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run", String(64), ForeignKey("runs.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("run", "key"),
    Index("ix_run_tags_key", "key"),
)

# One metric of one run, with its latest point. A value of NULL is NaN: SQLite can't hold NaN in a number.
metric_series = Table(
    "metric_series",
    metadata,
    Column("number", SEQUENCE, primary_key=True, autoincrement=True),
    # The run's, repeated so that one index finds an experiment's runs by a metric's value, in order.
    Column("experiment", String(64), nullable=False),
    Column("run", String(64), ForeignKey("runs.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("value", Double),
    Index("ix_metric_series_run_key", "run", "key", unique=True),
    Index("ix_metric_series_experiment_key_value", "experiment", "key", "value", "run"),
)

# Every point. The key is the row itself, so that a batch that a client sends again adds nothing, and a history
# is one range. Short rows without text and without a foreign key: this is the table that is written most.
metric_history = Table(
    "metric_history",
    metadata,
    Column("series", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    # NaN is 0 with `is_nan`: NULL would be no part of a key.
    Column("value", Double, nullable=False),
    Column("is_nan", SmallInteger, nullable=False),
    PrimaryKeyConstraint("series", "step", "timestamp_ms", "value", "is_nan"),
    sqlite_with_rowid=False,
)

run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run", String(64), ForeignKey("runs.id"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("digest", String(100), nullable=False),
    Column("source_type", String(100), nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
    # What it was read for (`training`, `evaluation`): the tag that searches ask for.
    Column("context", String(250), nullable=False),
    Column("tags", Json(tuple[tuple[str, str], ...]), nullable=False),
    PrimaryKeyConstraint("run", "name", "digest"),
)

logged_models = Table(
    "logged_models",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("experiment", String(64), ForeignKey("experiments.id"), nullable=False),
    Column("name", String(500), nullable=False),
    Column("source_run", String(64)),
    Column("status", String(40), nullable=False),
    Column("model_type", String(100), nullable=False),
    Column("lifecycle", String(16), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_logged_models_experiment_created_at", "experiment", "created_at"),
)

logged_model_params = Table(
    "logged_model_params",
    metadata,
    Column("model", String(64), ForeignKey("logged_models.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model", "key"),
)

logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    Column("model", String(64), ForeignKey("logged_models.id"), nullable=False),
    Column("key", String(250), nullable=False),
    Column("value", Text, nullable=False),
    PrimaryKeyConstraint("model", "key"),
)

logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    Column("model", String(64), ForeignKey("logged_models.id"), nullable=False),
    Column("run", String(64), nullable=False),
    Column("key", String(250), nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("value", Double),
    Column("dataset_name", String(500)),
    Column("dataset_digest", String(100)),
    PrimaryKeyConstraint("model", "run", "key", "step"),
)

run_models = Table(
    "run_models",
    metadata,
    Column("run", String(64), ForeignKey("runs.id"), nullable=False),
    Column("model", String(64), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("step", Integer, nullable=False),
    PrimaryKeyConstraint("run", "model", "direction"),
)

# `root` is `<experiment>/<run>/artifacts` or `<experiment>/models/<model>/artifacts`.
artifacts = Table(
    "artifacts",
    metadata,
    Column("root", String(300), nullable=False),
    Column("path", String(1000), nullable=False),
    Column("digest", String(80), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("root", "path"),
    Index("ix_artifacts_digest", "digest"),
)
