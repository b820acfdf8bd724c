"""Registry: signatures of versions."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep signatures as their signers made them."""
    op.create_table(
        "model_signatures",
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("attached_at", sa.BigInteger(), nullable=False),
        sa.Column("attached_by", sa.String(200), nullable=False),
        sa.ForeignKeyConstraint(["version"], ["model_versions.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("version", "key"),
    )
