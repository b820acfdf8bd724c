"""SQL for what dataset versions and their bytes were called elsewhere."""

from collections.abc import Iterator, Sequence

from sqlalchemy import insert, select, update

from mainspring.datasets.queries import version_by_id
from mainspring.domain.dataset import DatasetVersion
from mainspring.kernel.digests import Digest
from mainspring.store.tables.datasets import dataset_versions
from mainspring.store.tables.takeover import dataset_origins, digest_aliases
from mainspring.store.tx import Tx
from mainspring.takeover.requests import DatasetOrigin, DigestAlias
from mainspring.tracking.queries.pairs import IDS_AT_ONCE, chunks, insert_into


def version_of(tx: Tx, dataset: str, origin: str) -> DatasetVersion | None:
    c = dataset_origins.c
    query = select(c.version).where(c.dataset == dataset, c.origin == origin)
    found = tx.execute(query).scalar_one_or_none()
    return None if found is None else version_by_id(tx, found)


def add_origin(tx: Tx, dataset: str, origin: str, version: str) -> None:
    tx.execute(insert(dataset_origins).values(dataset=dataset, origin=origin, version=version))


def move_origin(tx: Tx, dataset: str, origin: str, version: str) -> None:
    c = dataset_origins.c
    tx.execute(
        update(dataset_origins)
        .where(c.dataset == dataset, c.origin == origin)
        .values(version=version)
    )


def origins(tx: Tx, dataset: str | None, origin: str | None) -> Iterator[DatasetOrigin]:
    c = dataset_origins.c
    query = (
        select(c.dataset, c.origin, dataset_versions.c.number)
        .join(dataset_versions, dataset_versions.c.id == c.version)
        .order_by(c.dataset, dataset_versions.c.number, c.origin)
    )
    if dataset is not None:
        query = query.where(c.dataset == dataset)
    if origin is not None and origin.endswith("*"):
        query = query.where(c.origin.startswith(origin[:-1], autoescape=True))
    elif origin is not None:
        query = query.where(c.origin == origin)
    for row in tx.execute(query):
        yield DatasetOrigin(dataset=row.dataset, number=row.number, origin=row.origin)


def add_aliases(tx: Tx, given: Sequence[DigestAlias]) -> None:
    rows = [{"alias": each.alias, "digest": each.digest} for each in given]
    if rows:
        tx.execute(insert_into(tx, digest_aliases).on_conflict_do_nothing(), rows)


def aliases(tx: Tx, names: Sequence[str]) -> Iterator[DigestAlias]:
    c = digest_aliases.c
    for some in chunks(names, IDS_AT_ONCE):
        query = select(c.alias, c.digest).where(c.alias.in_(some)).order_by(c.alias, c.digest)
        for row in tx.execute(query):
            yield DigestAlias(alias=row.alias, digest=Digest(row.digest))
