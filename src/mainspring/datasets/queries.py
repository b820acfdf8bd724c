"""The datasets room's SQL."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Text, cast, delete, func, insert, select, update

from mainspring.domain.dataset import (
    Dataset,
    DatasetVersion,
    DatasetVersionId,
    DatasetVersionState,
    Remote,
)
from mainspring.kernel.digests import Digest
from mainspring.store.tables import pipelines, registry
from mainspring.store.tables.datasets import dataset_versions, datasets, remotes
from mainspring.store.tx import Tx


def add_dataset(tx: Tx, name: str) -> None:
    tx.execute(insert(datasets).values(name=name, created_at=tx.now))


def add_version(tx: Tx, version: DatasetVersion) -> None:
    tx.execute(
        insert(dataset_versions).values(
            id=version.id,
            dataset=version.dataset,
            number=version.number,
            manifest=version.manifest,
            state=version.state.value,
            file_count=version.file_count,
            size_bytes=version.size_bytes,
            row_count=version.row_count,
            columns=version.columns,
            profile=version.profile,
            parent=version.parent,
            producer=version.producer,
            note=version.note,
            created_at=version.created_at,
            created_by=version.created_by,
        )
    )


def mark_removed(tx: Tx, version: DatasetVersionId) -> None:
    tx.execute(
        update(dataset_versions)
        .where(dataset_versions.c.id == version)
        .values(state=DatasetVersionState.REMOVED.value)
    )


def runs_reading(tx: Tx, version: DatasetVersionId) -> list[str]:
    """Pipeline runs that were given a version and have not ended."""
    table = pipelines.pipeline_runs
    query = select(table.c.id).where(_reads(version), table.c.finished_at.is_(None))
    return list(tx.execute(query.order_by(table.c.id)).scalars())


def models_made_from(tx: Tx, version: DatasetVersionId) -> list[str]:
    """Registered model versions, `name/number`, whose run was given a version."""
    table = registry.model_versions
    query = (
        select(table.c.model, table.c.number)
        .join(pipelines.pipeline_runs, pipelines.pipeline_runs.c.id == table.c.run)
        .where(_reads(version))
        .order_by(table.c.model, table.c.number)
    )
    return [f"{row.model}/{row.number}" for row in tx.execute(query)]


def _reads(version: DatasetVersionId) -> ColumnElement[bool]:
    # Inputs are kept as JSON, by parameter; an id occurs in nothing else.
    return cast(pipelines.pipeline_runs.c.inputs, Text).contains(f'"{version}"', autoescape=True)


def newest_version(
    tx: Tx, dataset: str, *, accepted_only: bool, by: datetime | None = None
) -> DatasetVersion | None:
    query = (
        select(dataset_versions)
        .where(dataset_versions.c.dataset == dataset)
        .order_by(dataset_versions.c.number.desc())
        .limit(1)
    )
    if accepted_only:
        query = query.where(dataset_versions.c.state == DatasetVersionState.ACCEPTED.value)
    if by is not None:
        query = query.where(dataset_versions.c.created_at <= by)
    return _version_or_none(tx.execute(query).one_or_none())


def version_numbered(tx: Tx, dataset: str, number: int) -> DatasetVersion | None:
    query = select(dataset_versions).where(
        dataset_versions.c.dataset == dataset, dataset_versions.c.number == number
    )
    return _version_or_none(tx.execute(query).one_or_none())


def version_by_id(tx: Tx, id_: str) -> DatasetVersion | None:
    query = select(dataset_versions).where(dataset_versions.c.id == id_)
    return _version_or_none(tx.execute(query).one_or_none())


def versions(tx: Tx, dataset: str, *, limit: int) -> list[DatasetVersion]:
    """Newest first."""
    query = (
        select(dataset_versions)
        .where(dataset_versions.c.dataset == dataset)
        .order_by(dataset_versions.c.number.desc())
        .limit(limit)
    )
    return [_version(row) for row in tx.execute(query)]


def all_datasets(tx: Tx) -> list[Dataset]:
    """By name, each with its number of versions and its newest accepted one."""
    table = dataset_versions
    accepted = table.c.state == DatasetVersionState.ACCEPTED.value
    newest = (
        select(table.c.dataset, func.max(table.c.number).label("number"))
        .where(accepted)
        .group_by(table.c.dataset)
        .subquery()
    )
    latest = {
        row.dataset: _version(row)
        for row in tx.execute(
            select(table).join(
                newest,
                (table.c.dataset == newest.c.dataset) & (table.c.number == newest.c.number),
            )
        )
    }
    counts = tx.execute(
        select(datasets.c.name, datasets.c.created_at, func.count(table.c.id).label("versions"))
        .join(table, table.c.dataset == datasets.c.name)
        .group_by(datasets.c.name, datasets.c.created_at)
        .order_by(datasets.c.name)
    )
    return [
        Dataset(
            name=row.name,
            created_at=row.created_at,
            version_count=row.versions,
            latest=latest.get(row.name),
        )
        for row in counts
    ]


def keep_remote(tx: Tx, remote: Remote) -> None:
    tx.execute(delete(remotes).where(remotes.c.name == remote.name))
    tx.execute(
        insert(remotes).values(
            name=remote.name,
            url=remote.url,
            endpoint=remote.endpoint,
            added_at=remote.added_at,
            added_by=remote.added_by,
        )
    )


def all_remotes(tx: Tx) -> list[Remote]:
    """By name."""
    return [
        Remote(
            name=row.name,
            url=row.url,
            endpoint=row.endpoint,
            added_at=row.added_at,
            added_by=row.added_by,
        )
        for row in tx.execute(select(remotes).order_by(remotes.c.name))
    ]


def forget_remote(tx: Tx, name: str) -> bool:
    """Whether there was one."""
    gone = tx.execute(delete(remotes).where(remotes.c.name == name).returning(remotes.c.name))
    return gone.first() is not None


def _version_or_none(row: Row[Any] | None) -> DatasetVersion | None:
    return None if row is None else _version(row)


def _version(row: Row[Any]) -> DatasetVersion:
    return DatasetVersion(
        id=DatasetVersionId(row.id),
        dataset=row.dataset,
        number=row.number,
        manifest=Digest(row.manifest),
        state=DatasetVersionState(row.state),
        file_count=row.file_count,
        size_bytes=row.size_bytes,
        row_count=row.row_count,
        columns=row.columns,
        profile=Digest(row.profile) if row.profile else None,
        parent=DatasetVersionId(row.parent) if row.parent else None,
        producer=row.producer,
        note=row.note,
        created_at=row.created_at,
        created_by=row.created_by,
    )
