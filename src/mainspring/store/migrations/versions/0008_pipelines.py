"""Pipelines: results of a step by age, and attempts by cache key."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index what `why`, `plan` and single flight look for."""
    op.create_index("ix_cache_entries_step", "cache_entries", ["step", "created_at"])
    op.create_index("ix_steps_cache_key", "steps", ["cache_key"])
