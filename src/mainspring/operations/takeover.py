"""Taking over's verbs."""

from mainspring.domain.actor import Permission
from mainspring.operations.operation import Kind, Operation
from mainspring.takeover import requests

# They write history with other people's names and times, hence the administrator's permission.
OPERATIONS = (
    Operation(
        name="takeover.experiment",
        request=requests.TakeOverExperiment,
        run="mainspring.takeover.experiments:take_over_experiment",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /takeover/experiments",
    ),
    Operation(
        name="takeover.runs",
        request=requests.TakeOverRuns,
        run="mainspring.takeover.runs:take_over_runs",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /takeover/runs",
    ),
    Operation(
        name="takeover.points",
        request=requests.TakeOverPoints,
        run="mainspring.takeover.runs:take_over_points",
        permission=Permission.ADMINISTER,
        kind=Kind.REPORT,
        route="POST /takeover/points",
    ),
    Operation(
        name="takeover.files",
        request=requests.TakeOverFiles,
        run="mainspring.takeover.runs:take_over_files",
        permission=Permission.ADMINISTER,
        kind=Kind.REPORT,
        route="POST /takeover/files",
    ),
    Operation(
        name="takeover.logged_models",
        request=requests.TakeOverLoggedModels,
        run="mainspring.takeover.runs:take_over_logged_models",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /takeover/logged-models",
    ),
    Operation(
        name="takeover.traces",
        request=requests.TakeOverTraces,
        run="mainspring.takeover.traces:take_over_traces",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /takeover/traces",
    ),
    Operation(
        name="takeover.model",
        request=requests.TakeOverModel,
        run="mainspring.takeover.models:take_over_model",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /takeover/models",
    ),
    Operation(
        name="takeover.version",
        request=requests.TakeOverVersion,
        run="mainspring.takeover.models:take_over_version",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /takeover/versions",
    ),
    Operation(
        name="takeover.dataset_version",
        request=requests.TakeOverDatasetVersion,
        run="mainspring.takeover.datasets:take_over_dataset_version",
        permission=Permission.ADMINISTER,
        kind=Kind.COMMAND,
        route="POST /takeover/dataset-versions",
    ),
    Operation(
        name="takeover.origins",
        request=requests.TakeOverOrigins,
        run="mainspring.takeover.datasets:take_over_origins",
        permission=Permission.ADMINISTER,
        kind=Kind.REPORT,
        route="POST /takeover/origins",
    ),
    Operation(
        name="takeover.aliases",
        request=requests.TakeOverAliases,
        run="mainspring.takeover.datasets:take_over_aliases",
        permission=Permission.ADMINISTER,
        kind=Kind.REPORT,
        route="POST /takeover/aliases",
    ),
    Operation(
        name="takeover.find_aliases",
        request=requests.FindAliases,
        run="mainspring.takeover.datasets:find_aliases",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="POST /takeover/aliases/find",
    ),
    Operation(
        name="takeover.find_origins",
        request=requests.FindOrigins,
        run="mainspring.takeover.datasets:find_origins",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="POST /takeover/origins/find",
    ),
)
