"""Whether a run can be made of what happened. What can't is never tried again, so that it holds up nothing else."""

from collections.abc import Mapping, Sequence

from mainspring.datasets.read import get_dataset_version_by_id
from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.domain.dataset import DatasetVersionState
from mainspring.domain.trigger import Cause, CauseKind, Trigger, filled, names_in
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.store.tx import Tx


def params_of(trigger: Trigger, values: Mapping[str, str]) -> dict[str, object]:
    """The parameters of a run because of what tells these values.

    Raises `Invalid` if one that is asked for isn't told, or one that is told names no partition.
    """
    spec, partitions = trigger.spec, trigger.graph.partitions
    params = {name: filled(value, values) for name, value in spec.params.items()}
    if partitions and names_in(spec.params.get(partitions.parameter)):
        partitions.check(params[partitions.parameter])
    return params


def unfit(tx: Tx, trigger: Trigger, causes: Sequence[Cause]) -> dict[int, str]:
    """Those of which no run can be made, with the reason: of the newest, whose values count, and of data."""
    found = {}
    try:
        params_of(trigger, causes[-1].values)
    except Invalid as error:
        found[causes[-1].id] = error.message
    read = {
        trigger.spec.data.get(each.name, each.name)
        for each in trigger.graph.parameters
        if each.is_dataset
    }
    newest = {each.values["dataset"]: each for each in causes if each.kind is CauseKind.DATA}
    for dataset in read & set(newest):
        if not _is_readable(tx, newest[dataset].values["version"]):
            found[newest[dataset].id] = f"{newest[dataset].what}, and that can't be read any more"
    return found


def _is_readable(tx: Tx, version: str) -> bool:
    try:
        found = get_dataset_version_by_id(tx, GetDatasetVersionById(id=version))
    except NotFound:
        return False
    return found.state is DatasetVersionState.ACCEPTED
