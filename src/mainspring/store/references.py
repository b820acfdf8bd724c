"""Which rows name which bytes: what `fsck` resolves and what `gc` must keep."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, select

from mainspring.domain.dataset import DatasetVersionState
from mainspring.domain.pipeline import StoredValue, ValueKind
from mainspring.kernel.digests import Digest
from mainspring.store.tables import datasets, pipelines, quality, registry, services, tracking
from mainspring.store.tx import Tx


class Kind(StrEnum):
    """What the bytes behind a reference are, as far as following it matters."""

    PLAIN = "plain"
    """Bytes that name no others."""
    MANIFEST = "manifest"
    EVALUATION = "evaluation"
    LIST = "list"
    """Results that are kept one by one."""


# What the results of steps are that name other bytes.
_RESULTS = {
    ValueKind.MODEL: Kind.MANIFEST,
    ValueKind.FILES: Kind.MANIFEST,
    ValueKind.METRICS: Kind.EVALUATION,
    ValueKind.LIST: Kind.LIST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A row that names bytes."""

    place: str
    digest: Digest
    kind: Kind


_COLUMNS: tuple[tuple[Column[str], Column[str], Kind | None], ...] = (
    # None: results of steps, each of a kind of its own.
    (datasets.dataset_versions.c.id, datasets.dataset_versions.c.manifest, Kind.MANIFEST),
    (datasets.dataset_versions.c.id, datasets.dataset_versions.c.profile, Kind.PLAIN),
    (quality.schemas.c.dataset, quality.schemas.c.code, Kind.MANIFEST),
    (quality.quarantines.c.id, quality.quarantines.c.manifest, Kind.MANIFEST),
    (services.services.c.name, services.services.c.project, Kind.MANIFEST),
    (services.services.c.name, services.services.c.environment, Kind.PLAIN),
    (pipelines.pipeline_runs.c.id, pipelines.pipeline_runs.c.project, Kind.MANIFEST),
    (pipelines.pipeline_runs.c.id, pipelines.pipeline_runs.c.environment, Kind.PLAIN),
    (pipelines.pipeline_runs.c.id, pipelines.pipeline_runs.c.outputs, None),
    (pipelines.steps.c.run, pipelines.steps.c.outputs, None),
    (pipelines.cache_entries.c.key, pipelines.cache_entries.c.outputs, None),
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
        query = select(owner, column).where(column.is_not(None))
        if column.table is datasets.dataset_versions:
            query = query.where(column.table.c.state != DatasetVersionState.REMOVED.value)
        for row in tx.execute(query):
            name, value = tuple[Any, ...](row)
            place = f"{column.table.name}.{column.name} of {name}"
            if kind is None:
                yield from results(value, place)
            elif value:
                yield Reference(place=place, digest=Digest(value), kind=kind)


def results(values: Iterable[StoredValue], place: str) -> Iterator[Reference]:
    """What results of steps name."""
    for value in values:
        kind = _RESULTS.get(value.kind, Kind.PLAIN)
        yield Reference(place=place, digest=value.digest, kind=kind)
