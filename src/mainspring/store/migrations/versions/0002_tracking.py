"""Tracking: what searches and histories read.

A metric of a run gets a number, and its points are kept under it: a fifth of the bytes, one range to read.
The latest values also know their experiment, so that searches walk one index in the order asked for.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_COPY_SERIES = """
INSERT INTO metric_series (experiment, run, key, step, timestamp_ms, value)
SELECT runs.experiment, latest.run, latest.key, latest.step, latest.timestamp_ms, latest.value
FROM latest_metrics AS latest JOIN runs ON runs.id = latest.run
ORDER BY latest.run, latest.key
"""

# DISTINCT because NaN, which was NULL, could be there twice.
_COPY_POINTS = """
INSERT INTO metric_history (series, step, timestamp_ms, value, is_nan)
SELECT DISTINCT series.number, points.step, points.timestamp_ms, coalesce(points.value, 0),
       CASE WHEN points.value IS NULL THEN 1 ELSE 0 END
FROM metric_points AS points
JOIN metric_series AS series ON series.run = points.run AND series.key = points.key
"""


def upgrade() -> None:
    """Move the points and the latest values into their new tables."""
    op.create_table(
        "metric_series",
        sa.Column("number", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("experiment", sa.String(length=64), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(["run"], ["runs.id"], name=op.f("fk_metric_series_run")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_metric_series")),
    )
    op.create_table(
        "metric_history",
        sa.Column("series", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("is_nan", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "series", "step", "timestamp_ms", "value", "is_nan", name=op.f("pk_metric_history")
        ),
        sqlite_with_rowid=False,
    )
    op.execute(_COPY_SERIES)
    op.create_index("ix_metric_series_run_key", "metric_series", ["run", "key"], unique=True)
    op.create_index(
        "ix_metric_series_experiment_key_value",
        "metric_series",
        ["experiment", "key", "value", "run"],
    )
    op.execute(_COPY_POINTS)
    op.drop_table("metric_points")
    op.drop_table("latest_metrics")
    op.drop_index("ix_runs_experiment_started_at", table_name="runs")
    op.create_index(
        "ix_runs_experiment_lifecycle_started_at",
        "runs",
        ["experiment", "lifecycle", "started_at", "id"],
    )
