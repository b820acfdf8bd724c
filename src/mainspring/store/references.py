"""Which rows name which bytes: what `fsck` resolves and what `gc` must keep."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, String, cast, select

from mainspring.kernel.digests import Digest
from mainspring.store.tables import datasets, pipelines, quality, registry, services, tracking
from mainspring.store.tx import Tx

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Kind(StrEnum):
    """What the bytes behind a reference are, as far as following it matters."""

    MANIFEST = "manifest"
    PLAIN = "plain"
    OUTPUTS = "outputs"
    """Results of steps: tables, models' manifests and evaluations, side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A row that names bytes."""

    place: str
    digest: Digest
    kind: Kind


_COLUMNS: tuple[tuple[Column[str], Column[str], Kind], ...] = (
    (datasets.dataset_versions.c.id, datasets.dataset_versions.c.manifest, Kind.MANIFEST),
    (datasets.dataset_versions.c.id, datasets.dataset_versions.c.profile, Kind.PLAIN),
    (quality.quarantines.c.id, quality.quarantines.c.manifest, Kind.MANIFEST),
    (services.services.c.name, services.services.c.project, Kind.MANIFEST),
    (services.services.c.name, services.services.c.environment, Kind.PLAIN),
    (pipelines.pipeline_runs.c.id, pipelines.pipeline_runs.c.project, Kind.MANIFEST),
    (pipelines.pipeline_runs.c.id, pipelines.pipeline_runs.c.environment, Kind.PLAIN),
    (pipelines.pipeline_runs.c.id, pipelines.pipeline_runs.c.outputs, Kind.OUTPUTS),
    (pipelines.steps.c.run, pipelines.steps.c.outputs, Kind.OUTPUTS),
    (pipelines.cache_entries.c.key, pipelines.cache_entries.c.outputs, Kind.OUTPUTS),
    (registry.model_versions.c.id, registry.model_versions.c.manifest, Kind.MANIFEST),
    (registry.model_versions.c.id, registry.model_versions.c.project, Kind.MANIFEST),
    (registry.model_versions.c.id, registry.model_versions.c.environment, Kind.PLAIN),
    (registry.model_versions.c.id, registry.model_versions.c.reference, Kind.PLAIN),
    (registry.model_versions.c.id, registry.model_versions.c.evaluation, Kind.PLAIN),
    (tracking.artifacts.c.root, tracking.artifacts.c.digest, Kind.PLAIN),
)


def references(tx: Tx) -> Iterator[Reference]:
    """Every reference from a row to bytes, one row after the other."""
    for owner, column, kind in _COLUMNS:
        # As text: outputs are JSON, and all that matters here are the digests in it.
        text = cast(column, String)
        for row in tx.execute(select(owner, text).where(column.is_not(None))):
            name, value = tuple[Any, ...](row)
            for digest in DIGEST.findall(str(value)):
                yield Reference(
                    place=f"{column.table.name}.{column.name} of {name}",
                    digest=Digest(digest),
                    kind=kind,
                )
