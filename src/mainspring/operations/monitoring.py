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
)
