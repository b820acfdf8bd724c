"""Keeping dataset versions from elsewhere, and what they and their bytes were called there."""

from mainspring.datasets import queries as datasets
from mainspring.datasets.add import announce, refuse_missing_files
from mainspring.datasets.read import get_dataset_version
from mainspring.datasets.requests import AddDatasetVersion, GetDatasetVersion
from mainspring.datasets.rules import check_addition
from mainspring.domain.dataset import DatasetVersion, DatasetVersionId, DatasetVersionState
from mainspring.kernel.digests import parse_digest
from mainspring.kernel.errors import NotFound
from mainspring.store.tx import Tx
from mainspring.takeover.queries import datasets as queries
from mainspring.takeover.requests import (
    DatasetOrigin,
    DigestAlias,
    FindAliases,
    FindOrigins,
    TakeOverAliases,
    TakeOverDatasetVersion,
    TakeOverOrigins,
)


def take_over_dataset_version(tx: Tx, request: TakeOverDatasetVersion) -> DatasetVersion:
    """Keep a version; what is known of its origin or content already is given back as it is.

    Raises `NotFound` for a manifest or profile, or files that the manifest names, whose bytes are not stored.
    """
    known = queries.version_of(tx, request.dataset, request.origin)
    if known is not None:
        return known
    check_addition(
        AddDatasetVersion(
            dataset=request.dataset,
            manifest=request.manifest,
            file_count=request.file_count,
            size_bytes=request.size_bytes,
            row_count=request.row_count,
        )
    )
    for digest in (request.manifest, request.profile):
        if digest is not None and not tx.blobs.exists(digest):
            raise NotFound(f"there are no bytes {digest}", code="blob_missing")
    newest = datasets.newest_version(tx, request.dataset, accepted_only=False)
    accepted = datasets.newest_version(tx, request.dataset, accepted_only=True)
    if accepted is not None and accepted.manifest == request.manifest:
        queries.add_origin(tx, request.dataset, request.origin, accepted.id)
        return accepted
    refuse_missing_files(tx, request.manifest)
    if newest is None:
        datasets.add_dataset(tx, request.dataset)
    version = DatasetVersion(
        id=DatasetVersionId(tx.new_id("dsv")),
        dataset=request.dataset,
        number=newest.number + 1 if newest else 1,
        manifest=request.manifest,
        state=DatasetVersionState.ACCEPTED,
        file_count=request.file_count,
        size_bytes=request.size_bytes,
        row_count=request.row_count,
        columns=request.columns,
        profile=request.profile,
        parent=accepted.id if accepted else None,
        producer=None,
        note=request.note,
        created_at=request.created_at,
        created_by=request.created_by[:200] or str(tx.actor),
    )
    datasets.add_version(tx, version)
    queries.add_origin(tx, request.dataset, request.origin, version.id)
    announce(tx, version)
    return version


def take_over_origins(tx: Tx, request: TakeOverOrigins) -> int:
    """Keep what versions were elsewhere; a tag follows its newest place. Answers how many are new."""
    added = 0
    for each in request.origins:
        version = get_dataset_version(
            tx, GetDatasetVersion(dataset=each.dataset, number=each.number)
        )
        known = queries.version_of(tx, each.dataset, each.origin)
        if known is None:
            queries.add_origin(tx, each.dataset, each.origin, version.id)
            added += 1
        elif known.id != version.id and each.origin.startswith("tag:"):
            queries.move_origin(tx, each.dataset, each.origin, version.id)
    return added


def take_over_aliases(tx: Tx, request: TakeOverAliases) -> int:
    """Keep other names of bytes; raises `NotFound` for bytes that are not stored."""
    for each in request.aliases:
        if not tx.blobs.exists(parse_digest(each.digest)):
            raise NotFound(f"there are no bytes {each.digest}", code="blob_missing")
    queries.add_aliases(tx, request.aliases)
    return len(request.aliases)


def find_aliases(tx: Tx, request: FindAliases) -> tuple[DigestAlias, ...]:
    """What some names stand for; unknown ones are left out."""
    return tuple(queries.aliases(tx, request.aliases))


def find_origins(tx: Tx, request: FindOrigins) -> tuple[DatasetOrigin, ...]:
    """Origins by dataset, then number."""
    return tuple(queries.origins(tx, request.dataset, request.origin))
