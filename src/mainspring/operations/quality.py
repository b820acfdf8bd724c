"""Quality's verbs."""

from mainspring.domain.actor import Permission
from mainspring.operations.operation import Kind, Operation
from mainspring.quality import requests

OPERATIONS = (
    Operation(
        name="schema.accept",
        request=requests.AcceptSchema,
        run="mainspring.quality.schemas:accept_schema",
        permission=Permission.CONFIGURE,
        kind=Kind.COMMAND,
        route="PUT /datasets/{dataset}/schema",
    ),
    Operation(
        name="schema.get",
        request=requests.GetSchema,
        run="mainspring.quality.schemas:get_schema",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /datasets/{dataset}/schema",
        command="schema show dataset",
    ),
    Operation(
        name="dataset.deliver",
        request=requests.Deliver,
        run="mainspring.quality.deliver:deliver",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="POST /datasets/{dataset}/deliveries",
    ),
    Operation(
        name="report.record",
        request=requests.RecordCheckReport,
        run="mainspring.quality.reports:record_check_report",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="POST /dataset-versions/{version}/reports",
    ),
    Operation(
        name="report.get",
        request=requests.GetCheckReport,
        run="mainspring.quality.reports:get_check_report",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /dataset-versions/{version}/report",
    ),
    Operation(
        name="report.list",
        request=requests.ListCheckReports,
        run="mainspring.quality.reports:list_check_reports",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /datasets/{dataset}/reports",
        command="schema reports dataset",
    ),
    Operation(
        name="quarantine.list",
        request=requests.ListQuarantines,
        run="mainspring.quality.quarantines:list_quarantines",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /quarantines",
        command="quarantine list",
    ),
    Operation(
        name="quarantine.get",
        request=requests.GetQuarantine,
        run="mainspring.quality.quarantines:get_quarantine",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /quarantines/{id}",
    ),
    Operation(
        name="quarantine.release",
        request=requests.ReleaseQuarantine,
        run="mainspring.quality.quarantines:release_quarantine",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="POST /quarantines/{id}/release",
    ),
    Operation(
        name="quarantine.discard",
        request=requests.DiscardQuarantine,
        run="mainspring.quality.quarantines:discard_quarantine",
        permission=Permission.ADD_DATA,
        kind=Kind.COMMAND,
        route="POST /quarantines/{id}/discard",
        command="quarantine discard id",
    ),
)
