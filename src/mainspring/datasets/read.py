"""Reading datasets and their versions."""

from mainspring.datasets import queries
from mainspring.datasets.requests import (
    GetDatasetVersion,
    GetDatasetVersionById,
    ListDatasets,
    ListDatasetVersions,
)
from mainspring.domain.dataset import Dataset, DatasetVersion
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.store.tx import Tx


def list_datasets(tx: Tx, request: ListDatasets) -> tuple[Dataset, ...]:
    """Every dataset, by name."""
    return tuple(queries.all_datasets(tx))


def list_dataset_versions(tx: Tx, request: ListDatasetVersions) -> tuple[DatasetVersion, ...]:
    """A dataset's versions, newest first; raises `NotFound` for an unknown dataset."""
    versions = queries.versions(tx, request.dataset, limit=request.limit)
    if not versions:
        raise _no_dataset(request.dataset)
    return tuple(versions)


def get_dataset_version(tx: Tx, request: GetDatasetVersion) -> DatasetVersion:
    """One version, or the newest accepted one, now or at a moment; raises `NotFound`."""
    if request.number is not None and request.known_at is not None:
        raise Invalid(
            "a version by its number is the same at any time",
            hint="Give `number` or `known_at`, not both.",
        )
    newest = queries.newest_version(tx, request.dataset, accepted_only=False)
    if newest is None:
        raise _no_dataset(request.dataset)
    if request.number is None:
        accepted = queries.newest_version(
            tx, request.dataset, accepted_only=True, by=request.known_at
        )
        if accepted is None and request.known_at is not None:
            raise NotFound(
                f"no version of {request.dataset!r} was accepted by {request.known_at.isoformat()}",
                code="no_accepted_version",
                hint=f"`mainspring data log {request.dataset}` says when each was added.",
            )
        if accepted is None:
            raise NotFound(
                f"no version of {request.dataset!r} was accepted yet",
                code="no_accepted_version",
                hint=f"`mainspring data log {request.dataset}` lists the refused ones.",
            )
        return accepted
    version = queries.version_numbered(tx, request.dataset, request.number)
    if version is None:
        raise NotFound(
            f"{request.dataset!r} has no version {request.number}; its newest is {newest.number}"
        )
    return version


def get_dataset_version_by_id(tx: Tx, request: GetDatasetVersionById) -> DatasetVersion:
    """One version by id; raises `NotFound`."""
    return version_with_id(tx, request.id)


def version_with_id(tx: Tx, id_: str) -> DatasetVersion:
    """The version of that id, for other use cases; raises `NotFound`."""
    version = queries.version_by_id(tx, id_)
    if version is None:
        raise NotFound(f"there is no dataset version {id_!r}")
    return version


def _no_dataset(name: str) -> NotFound:
    return NotFound(
        f"there is no dataset {name!r}",
        hint="`mainspring data list` lists them; `mainspring data add` adds one.",
    )
