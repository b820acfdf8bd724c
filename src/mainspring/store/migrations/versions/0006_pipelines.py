"""Pipelines: runs that go on from others, results of a step by age, attempts by cache key."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say what a run keeps of another; index what `why`, `plan` and single flight look for."""
    op.add_column("pipeline_runs", sa.Column("parent", sa.String(64)))
    op.add_column("pipeline_runs", sa.Column("kept", sa.Text()))
    op.add_column("pipeline_runs", sa.Column("verify_cache", sa.Double()))
    op.create_index("ix_cache_entries_step", "cache_entries", ["step", "created_at"])
    op.create_index("ix_steps_cache_key", "steps", ["cache_key"])
