"""Services' verbs."""

from mainspring.domain.actor import Permission
from mainspring.operations.operation import Kind, Operation
from mainspring.services import requests

OPERATIONS = (
    Operation(
        name="service.apply",
        request=requests.ApplyService,
        run="mainspring.services.apply:apply_service",
        permission=Permission.CONFIGURE,
        kind=Kind.COMMAND,
        route="PUT /services",
    ),
    Operation(
        name="service.list",
        request=requests.ListServices,
        run="mainspring.services.read:list_services",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /services",
        command="service list",
    ),
    Operation(
        name="service.get",
        request=requests.GetService,
        run="mainspring.services.read:get_service",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /services/{name}",
        command="service show name",
    ),
    Operation(
        name="service.pause",
        request=requests.PauseService,
        run="mainspring.services.pause:pause_service",
        permission=Permission.OPERATE,
        kind=Kind.COMMAND,
        route="POST /services/{name}/pause",
        command="service pause name",
    ),
    Operation(
        name="service.resume",
        request=requests.ResumeService,
        run="mainspring.services.pause:resume_service",
        permission=Permission.OPERATE,
        kind=Kind.COMMAND,
        route="POST /services/{name}/resume",
        command="service resume name",
    ),
    Operation(
        name="control.hold",
        request=requests.HoldControl,
        run="mainspring.services.control:hold_control",
        permission=Permission.OPERATE,
        kind=Kind.REPORT,
        route="POST /control",
    ),
    Operation(
        name="control.release",
        request=requests.ReleaseControl,
        run="mainspring.services.control:release_control",
        permission=Permission.OPERATE,
        kind=Kind.REPORT,
        route="DELETE /control",
    ),
)
