"""Removing what the home's settings say is kept no longer."""

import logging
from datetime import datetime

from mainspring.config import Settings
from mainspring.domain.request import Call
from mainspring.monitoring.requests import GetProgress, ListIncidents
from mainspring.serving.log.expire import expire
from mainspring.serving.requests import GetDeployment

log = logging.getLogger(__name__)


def expire_predictions(call: Call, settings: Settings, service: str, now: datetime) -> int:
    """Remove segments of a service's prediction log that are older than is kept; returns how many.

    None while a rollout runs or an incident is open: its evidence may be among them.
    """
    kept = settings.predictions_kept_for
    if kept is None:
        return 0
    deployment = call(GetDeployment(service=service))
    if deployment and deployment.rollout:
        return 0
    if call(ListIncidents(service=service, open_only=True)):
        return 0
    read_to = call(GetProgress(service=service)).cursors
    try:
        count = expire(
            settings.predictions_path, service, before=now - kept, read_to=read_to, now=now
        )
    except OSError as error:
        # The rest of the monitoring must not wait for a file that can't be removed.
        log.error("old answers of %s can't be removed: %s", service, error)
        return 0
    if count:
        log.info(
            "removed %d segments of %s: answers of before %s are kept no longer",
            count,
            service,
            f"{now - kept:%Y-%m-%d %H:%M}Z",
        )
    return count
