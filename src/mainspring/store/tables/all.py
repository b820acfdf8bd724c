"""Every table, for migrations and for making a store: importing this fills `metadata`."""

from mainspring.store.tables import (
    backfills,
    datasets,
    governance,
    ledger,
    monitoring,
    pipelines,
    quality,
    registry,
    services,
    serving,
    takeover,
    traces,
    tracking,
    triggers,
    webhooks,
)
from mainspring.store.tables.metadata import metadata

__all__ = [
    "backfills",
    "datasets",
    "governance",
    "ledger",
    "metadata",
    "monitoring",
    "pipelines",
    "quality",
    "registry",
    "services",
    "serving",
    "takeover",
    "tracking",
    "traces",
    "triggers",
    "webhooks",
]
