"""Quality: the code of a schema's own checks."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say which code a schema's own checks are."""
    op.add_column("schemas", sa.Column("code", sa.String(80)))
