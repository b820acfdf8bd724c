"""Reading windows and how far monitoring has come."""

from datetime import timedelta

from mainspring.domain.monitor import Window
from mainspring.domain.service import MonitorPolicy
from mainspring.monitoring import queries
from mainspring.monitoring.requests import GetProgress, ListWindows, Progress
from mainspring.services.read import service_named
from mainspring.store.tx import Tx


def list_windows(tx: Tx, request: ListWindows) -> tuple[Window, ...]:
    """Windows of a service, newest first."""
    return tuple(queries.windows_of(tx, request.service, limit=request.limit, since=request.since))


def get_progress(tx: Tx, request: GetProgress) -> Progress:
    """Cursors and what waits to be judged."""
    policy = service_named(tx, request.service).spec.monitor
    labels = policy.labels
    return Progress(
        cursors=queries.cursors(tx, request.service),
        label_number=queries.label_number(tx, request.service, labels.dataset) if labels else 0,
        due_count=queries.due_count(
            tx,
            request.service,
            passed=queries.newest_event_at(tx, request.service),
            lateness=timedelta(seconds=policy.lateness_seconds),
            idle=idle_time(policy),
        ),
    )


def idle_time(policy: MonitorPolicy) -> timedelta:
    """How long nothing must have come before the clock alone may close a window."""
    return timedelta(seconds=policy.window_seconds)
