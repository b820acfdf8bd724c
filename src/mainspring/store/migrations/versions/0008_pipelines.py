"""Pipelines: a step's results by age, to tell what changed."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index what `why` and `plan` look for."""
    op.create_index("ix_cache_entries_step", "cache_entries", ["step", "created_at"])
