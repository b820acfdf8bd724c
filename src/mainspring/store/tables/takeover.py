"""What was taken over goes by other names elsewhere: digests by another hash, versions by where they were."""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, String, Table

from mainspring.store.tables.metadata import metadata

# Keeps no bytes alive: what nothing else names may be swept, and the alias then leads nowhere.
digest_aliases = Table(
    "digest_aliases",
    metadata,
    Column("alias", String(80), nullable=False),
    Column("digest", String(80), nullable=False),
    PrimaryKeyConstraint("alias", "digest"),
)

dataset_origins = Table(
    "dataset_origins",
    metadata,
    Column("dataset", String(200), ForeignKey("datasets.name"), nullable=False),
    Column("origin", String(300), nullable=False),
    Column("version", String(64), ForeignKey("dataset_versions.id"), nullable=False),
    PrimaryKeyConstraint("dataset", "origin"),
    Index("ix_dataset_origins_origin", "origin"),
)
