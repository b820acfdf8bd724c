"""The monitoring loop's decisions: which incidents to open and close. Pure."""

from collections.abc import Iterator

from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import Incident, IncidentKind, Window
from mainspring.monitoring.judge import is_measured, is_recovered, proposal
from mainspring.reconcile.actions import Action, RaiseIncident, ResolveIncident
from mainspring.reconcile.seen import SeenForMonitoring
from mainspring.reconcile.training import DRIFT_INCIDENTS


def plan_monitoring(seen: SeenForMonitoring) -> list[Action]:
    """Incidents to open or close for one service; none while it is paused."""
    champion = seen.deployment.champion if seen.deployment else None
    if seen.service.paused or champion is None:
        return []
    return [*_drift(seen, champion), *_serving(seen, champion)]


def _drift(seen: SeenForMonitoring, champion: ModelVersionId) -> Iterator[Action]:
    policy = seen.service.spec.monitor
    drift = [i for i in seen.incidents if i.kind in DRIFT_INCIDENTS]
    open_ = next((i for i in drift if i.is_open), None)
    if open_ is not None:
        yield from _recovery(seen, open_, champion)
        return
    proposed = proposal(_since_last(seen.windows, drift), policy, champion)
    if proposed is not None:
        yield RaiseIncident(
            service=seen.service.spec.name,
            kind=proposed.kind,
            summary=proposed.summary,
            version=proposed.version,
            findings=proposed.findings,
            windows=proposed.windows,
        )


def _since_last(windows: tuple[Window, ...], drift: list[Incident]) -> list[Window]:
    """Windows judged since the last incident was closed: what it was closed over is settled."""
    closed = max((i.closed_at for i in drift if i.closed_at), default=None)
    return [w for w in windows if closed is None or w.updated_at > closed]


def _recovery(
    seen: SeenForMonitoring, incident: Incident, champion: ModelVersionId
) -> Iterator[Action]:
    """An incident ends when another version answers and its errors are as expected."""
    policy = seen.service.spec.monitor
    if incident.version == champion:
        return
    own = [w for w in seen.windows if w.version == champion]
    # Labels that came for any recent window will come for these too.
    has_labels = any(is_measured(w, policy) for w in seen.windows)
    if not is_recovered(own, policy, champion, has_labels=has_labels):
        return
    number = seen.numbers.get(champion)
    name = f"version {number}" if number else champion
    yield ResolveIncident(
        incident=incident.id,
        resolution=f"{name} answers now, and {_as_expected(own, has_labels, seen)}",
    )


def _as_expected(own: list[Window], has_labels: bool, seen: SeenForMonitoring) -> str:
    policy = seen.service.spec.monitor
    if has_labels:
        measured = next(w.measured for w in own if w.is_closed and is_measured(w, policy))
        if measured and measured.error is not None and measured.expected_error is not None:
            return (
                f"its error on {measured.labelled_count} labelled rows is {measured.error:.4g}: not "
                f"shown to be more than {policy.max_error_growth:.0%} above the expected "
                f"{measured.expected_error:.4g}"
            )
        return "labels show no growth of its error"
    return f"{policy.persistence} windows show no harmful drift"


def _serving(seen: SeenForMonitoring, champion: ModelVersionId) -> Iterator[Action]:
    """A champion that a serving process can't load is an incident until it can."""
    open_ = next((i for i in seen.incidents if i.is_open and i.kind is IncidentKind.SERVING), None)
    failing = [(r.process, r.failed[champion]) for r in seen.reports if champion in r.failed]
    if failing and open_ is None:
        process, reason = failing[0]
        yield RaiseIncident(
            service=seen.service.spec.name,
            kind=IncidentKind.SERVING,
            summary=f"serving process {process} can't answer with {champion}: {reason}",
            version=champion,
        )
    if open_ and not failing and any(champion in r.ready for r in seen.reports):
        yield ResolveIncident(
            incident=open_.id, resolution=f"every serving process is ready with {champion}"
        )
