"""Monitoring's verbs."""

from mainspring.domain.actor import Permission
from mainspring.monitoring import requests
from mainspring.operations.operation import Kind, Operation

OPERATIONS = (
    Operation(
        name="window.list",
        request=requests.ListWindows,
        run="mainspring.monitoring.read:list_windows",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /services/{service}/windows",
        command="monitor windows service",
    ),
    Operation(
        name="incident.open",
        request=requests.OpenIncident,
        run="mainspring.monitoring.incidents:open_incident",
        permission=Permission.OPERATE,
        kind=Kind.COMMAND,
        route="POST /services/{service}/incidents",
    ),
    Operation(
        name="incident.close",
        request=requests.CloseIncident,
        run="mainspring.monitoring.incidents:close_incident",
        permission=Permission.OPERATE,
        kind=Kind.COMMAND,
        route="POST /incidents/{incident}/close",
        command="incident close incident resolution",
    ),
    Operation(
        name="incident.list",
        request=requests.ListIncidents,
        run="mainspring.monitoring.incidents:list_incidents",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /incidents",
        command="incident list",
    ),
    Operation(
        name="incident.get",
        request=requests.GetIncident,
        run="mainspring.monitoring.incidents:get_incident",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /incidents/{incident}",
        command="incident show incident",
    ),
    Operation(
        name="monitor.progress",
        request=requests.GetProgress,
        run="mainspring.monitoring.read:get_progress",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /services/{service}/progress",
    ),
    Operation(
        name="monitor.record",
        request=requests.RecordPredictions,
        run="mainspring.monitoring.record:record_predictions",
        permission=Permission.OPERATE,
        kind=Kind.REPORT,
        route="POST /services/{service}/records",
    ),
    Operation(
        name="monitor.labels",
        request=requests.RecordLabels,
        run="mainspring.monitoring.record:record_labels",
        permission=Permission.OPERATE,
        kind=Kind.REPORT,
        route="POST /services/{service}/labels",
    ),
    Operation(
        name="monitor.judge",
        request=requests.JudgeWindows,
        run="mainspring.monitoring.judging:judge_windows",
        permission=Permission.OPERATE,
        kind=Kind.COMMAND,
        route="POST /services/{service}/windows/judge",
    ),
    Operation(
        name="monitor.forget",
        request=requests.ForgetPredictions,
        run="mainspring.monitoring.record:forget_predictions",
        permission=Permission.OPERATE,
        kind=Kind.REPORT,
        route="DELETE /services/{service}/predictions",
    ),
)
