"""Datasets: what versions and bytes were called where they were taken over from; remotes."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep other names of digests and versions, and the remotes."""
    op.create_table(
        "digest_aliases",
        sa.Column("alias", sa.String(80), nullable=False),
        sa.Column("digest", sa.String(80), nullable=False),
        sa.PrimaryKeyConstraint("alias", "digest", name=op.f("pk_digest_aliases")),
    )
    op.create_table(
        "dataset_origins",
        sa.Column("dataset", sa.String(200), nullable=False),
        sa.Column("origin", sa.String(300), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.name"], name=op.f("fk_dataset_origins_dataset")
        ),
        sa.ForeignKeyConstraint(
            ["version"], ["dataset_versions.id"], name=op.f("fk_dataset_origins_version")
        ),
        sa.PrimaryKeyConstraint("dataset", "origin", name=op.f("pk_dataset_origins")),
    )
    op.create_index("ix_dataset_origins_origin", "dataset_origins", ["origin"])
    op.create_table(
        "remotes",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_remotes")),
    )
