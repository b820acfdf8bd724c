"""Backfills' verbs."""

from mainspring.backfills import requests
from mainspring.domain.actor import Permission
from mainspring.operations.operation import Kind, Operation

OPERATIONS = (
    Operation(
        name="backfill.preview",
        request=requests.PreviewBackfill,
        run="mainspring.backfills.start:preview_backfill",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="POST /backfills/preview",
    ),
    Operation(
        name="backfill.start",
        request=requests.StartBackfill,
        run="mainspring.backfills.start:start_backfill",
        permission=Permission.RUN,
        kind=Kind.COMMAND,
        route="POST /backfills",
    ),
    Operation(
        name="backfill.get",
        request=requests.GetBackfill,
        run="mainspring.backfills.read:get_backfill",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /backfills/{backfill}",
        command="backfill show backfill",
    ),
    Operation(
        name="backfill.list",
        request=requests.ListBackfills,
        run="mainspring.backfills.read:list_backfills",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /backfills",
        command="backfill list",
    ),
    Operation(
        name="backfill.parts",
        request=requests.ListBackfillParts,
        run="mainspring.backfills.read:list_backfill_parts",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /backfills/{backfill}/parts",
        command="backfill parts backfill",
    ),
    Operation(
        name="backfill.pause",
        request=requests.PauseBackfill,
        run="mainspring.backfills.advance:pause_backfill",
        permission=Permission.RUN,
        kind=Kind.COMMAND,
        route="POST /backfills/{backfill}/pause",
        command="backfill pause backfill",
    ),
    Operation(
        name="backfill.resume",
        request=requests.ResumeBackfill,
        run="mainspring.backfills.advance:resume_backfill",
        permission=Permission.RUN,
        kind=Kind.COMMAND,
        route="POST /backfills/{backfill}/resume",
        command="backfill resume backfill",
    ),
    Operation(
        name="backfill.cancel",
        request=requests.CancelBackfill,
        run="mainspring.backfills.advance:cancel_backfill",
        permission=Permission.RUN,
        kind=Kind.COMMAND,
        route="POST /backfills/{backfill}/cancel",
        command="backfill cancel backfill",
    ),
    Operation(
        name="backfill.due",
        request=requests.DueBackfills,
        run="mainspring.backfills.advance:due_backfills",
        permission=Permission.READ,
        kind=Kind.QUERY,
        route="GET /due-backfills",
    ),
    Operation(
        name="backfill.advance",
        request=requests.AdvanceBackfill,
        run="mainspring.backfills.advance:advance_backfill",
        permission=Permission.RUN,
        kind=Kind.COMMAND,
        route="POST /backfills/{backfill}/advance",
    ),
)
