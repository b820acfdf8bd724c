"""What an open incident still waits for, in words. Pure; the loop decides by the same windows."""

from collections.abc import Sequence

from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import Incident, IncidentKind, Window
from mainspring.domain.service import MonitorPolicy
from mainspring.monitoring.judge import good_count, is_measured

RECENT_WINDOWS = 60
"""How many windows the loop looks at, and whoever tells what it will do."""


def waits_for(
    incident: Incident,
    windows: Sequence[Window],
    policy: MonitorPolicy,
    champion: ModelVersionId | None,
    *,
    number: int | None = None,
) -> str | None:
    """What closes an incident and how much of it has been seen; None if it is closed.

    `windows` are the service's, newest first. A promotion alone closes nothing: the windows of the new
    champion have to show that its errors are as expected.
    """
    if not incident.is_open:
        return None
    if incident.kind is IncidentKind.DAMAGED_LOG:
        return "a person to close it: nothing that Mainspring can do brings the bytes back"
    if incident.kind is IncidentKind.SERVING:
        return "a serving process that is ready with the champion"
    if incident.kind is IncidentKind.FAILING_RUNS:
        return "code or data to change and a run to succeed, or a person to close it"
    if champion is None or incident.version == champion:
        return "another version to answer in place of the one it is about"
    has_labels = any(is_measured(window, policy) for window in windows)
    seen = good_count(windows, policy, champion, has_labels=has_labels)
    labelled = "labelled " if has_labels else ""
    answering = f"version {number}" if number else champion
    return (
        f"{policy.persistence} {labelled}windows in a row in which {answering}, which answers now, does "
        f"as well as expected; {min(seen, policy.persistence)} so far"
    )
