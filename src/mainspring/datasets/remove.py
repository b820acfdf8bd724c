"""Letting go of a version's bytes."""

from dataclasses import replace

from mainspring.datasets import queries
from mainspring.datasets.read import get_dataset_version
from mainspring.datasets.requests import GetDatasetVersion, RemoveDatasetVersion
from mainspring.domain.dataset import DatasetVersion, DatasetVersionState
from mainspring.domain.event import DatasetVersionRemoved
from mainspring.kernel.errors import Conflict
from mainspring.store.tx import Tx


def remove_dataset_version(tx: Tx, request: RemoveDatasetVersion) -> DatasetVersion:
    """Mark a version as removed; one that is removed already stays so.

    Raises `NotFound`, and `Conflict` for data that is in use.
    """
    version = get_dataset_version(
        tx, GetDatasetVersion(dataset=request.dataset, number=request.number)
    )
    if version.state is DatasetVersionState.REMOVED:
        return version
    what = f"{version.dataset} version {version.number}"
    if runs := queries.runs_reading(tx, version.id):
        raise Conflict(
            f"{what} is being read by run {runs[0]}",
            code="data_in_use",
            hint="Wait until it has ended, or cancel it.",
        )
    models = queries.models_made_from(tx, version.id)
    if models and not request.although_used:
        raise Conflict(
            f"{what} made {', '.join(models[:5])}{' and others' if len(models) > 5 else ''}",
            code="data_in_use",
            hint="Without it they can't be made again. If it has to go all the same, say --although-used.",
        )
    queries.mark_removed(tx, version.id)
    tx.emit(
        DatasetVersionRemoved(
            dataset=version.dataset,
            number=version.number,
            version=version.id,
            manifest=version.manifest,
            used_by=tuple(models),
            why=request.why,
        )
    )
    return replace(version, state=DatasetVersionState.REMOVED)
