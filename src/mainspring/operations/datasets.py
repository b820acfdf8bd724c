"""Datasets' verbs."""

from mainspring.datasets import requests
from mainspring.domain.actor import Permission
from mainspring.operations.operation import Kind, Operation

OPERATIONS = (
    Operation(
        name="dataset.add",
        request=requests.AddDatasetVersion,
        run="mainspring.datasets.add:add_dataset_version",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="POST /datasets/{dataset}/versions",
    ),
    Operation(
        name="dataset.remove",
        request=requests.RemoveDatasetVersion,
        run="mainspring.datasets.remove:remove_dataset_version",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="POST /datasets/{dataset}/versions/{number}/removal",
        command="data rm dataset number",
    ),
    Operation(
        name="dataset.list",
        request=requests.ListDatasets,
        run="mainspring.datasets.read:list_datasets",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /datasets",
        command="data list",
    ),
    Operation(
        name="dataset.log",
        request=requests.ListDatasetVersions,
        run="mainspring.datasets.read:list_dataset_versions",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /datasets/{dataset}/versions",
        command="data log dataset",
    ),
    Operation(
        name="dataset.get",
        request=requests.GetDatasetVersion,
        run="mainspring.datasets.read:get_dataset_version",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /datasets/{dataset}",
        command="data show dataset",
    ),
    Operation(
        name="dataset.get_by_id",
        request=requests.GetDatasetVersionById,
        run="mainspring.datasets.read:get_dataset_version_by_id",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /dataset-versions/{id}",
    ),
    Operation(
        name="remote.add",
        request=requests.AddRemote,
        run="mainspring.datasets.remotes:add_remote",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="PUT /remotes/{name}",
        command="remote add name url",
    ),
    Operation(
        name="remote.list",
        request=requests.ListRemotes,
        run="mainspring.datasets.remotes:list_remotes",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /remotes",
        command="remote list",
    ),
    Operation(
        name="remote.remove",
        request=requests.RemoveRemote,
        run="mainspring.datasets.remotes:remove_remote",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="DELETE /remotes/{name}",
        command="remote rm name",
    ),
)
