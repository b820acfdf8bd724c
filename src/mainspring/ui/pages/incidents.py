"""Incidents: what went wrong, the evidence, and what was done."""

from mainspring.domain.actor import Permission
from mainspring.domain.event import StoredEvent
from mainspring.domain.monitor import Incident, Window
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import Invalid
from mainspring.monitoring.recovery import RECENT_WINDOWS, waits_for
from mainspring.monitoring.requests import (
    CloseIncident,
    GetIncident,
    ListIncidents,
    ListWindows,
)
from mainspring.services.requests import GetService, ListServices
from mainspring.serving.requests import GetDeployment
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.pages.timeline import told
from mainspring.ui.pages.watching import drift_map, error_chart
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page
from mainspring.ui.words import DETAIL_TYPES

_AROUND = 24


def incidents(reader: Reader, asked: Asked) -> Page:
    """Every incident, newest first."""
    service, only_open = asked.get("service"), asked.get("state") == "open"
    return Page(
        template="incidents.html",
        title="Incidents",
        section="incidents",
        context={
            "incidents": reader.ask(ListIncidents(service=service, open_only=only_open, limit=200)),
            "services": [s.spec.name for s in reader.ask(ListServices())],
            "service": service,
            "only_open": only_open,
        },
    )


def incident(reader: Reader, asked: Asked) -> Page:
    """One incident with its evidence and what followed."""
    found = reader.ask(GetIncident(incident=asked.path["incident"]))
    windows = reader.ask(ListWindows(service=found.service, limit=1000))[::-1]
    named = [window for window in windows if window.id in found.windows]
    around = _around(windows, named)
    return Page(
        template="incident.html",
        title=f"{found.kind.value.replace('-', ' ').capitalize()} in {found.service}",
        section="incidents",
        context={
            "incident": found,
            "version": reader.version(found.version),
            "waits_for": _waits_for(reader, found, windows[::-1][:RECENT_WINDOWS]),
            "findings": sorted(
                found.findings, key=lambda f: -(f.effect if f.effect is not None else f.score)
            ),
            "windows": [(window, _worst(window)) for window in named],
            "error_chart": error_chart(reader, around, incidents=(found,)) if around else None,
            "drift_map": drift_map(around) if around else None,
            "told": told(reader, _after(reader, found)),
            "may_close": found.is_open and reader.may(Permission.OPERATE),
        },
    )


def close(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Close an incident, saying what resolved it."""
    resolution = fields.get("resolution", "").strip()[:2000]
    if not resolution:
        raise Invalid(
            "an incident is closed by saying what resolved it",
            code="resolution_missing",
            hint="Go back and write one sentence.",
        )
    id_ = asked.path["incident"]
    reader.ask(CloseIncident(incident=id_, resolution=resolution))
    return links.to_incident(id_)


def _waits_for(reader: Reader, found: Incident, newest: tuple[Window, ...]) -> str | None:
    deployment = reader.ask(GetDeployment(service=found.service))
    champion = reader.version(deployment.champion) if deployment else None
    return waits_for(
        found,
        newest,
        reader.ask(GetService(name=found.service)).spec.monitor,
        champion.id if champion else None,
        number=champion.number if champion else None,
    )


def _around(windows: tuple[Window, ...], named: list[Window]) -> list[Window]:
    """The windows of the incident with some before and after."""
    if not named:
        return []
    first, last = windows.index(named[0]), windows.index(named[-1])
    return list(windows[max(0, first - _AROUND) : last + _AROUND // 2])


def _worst(window: Window) -> str:
    drifted = sorted(window.drift, key=lambda d: -d.psi)
    return ", ".join(d.feature for d in drifted[:3] if d.psi >= d.threshold)


def _after(reader: Reader, found: Incident) -> list[StoredEvent]:
    """The service's decisions from the incident's opening to its closing, newest first."""
    opened = reader.ask(ListEvents(subject=found.id, type="IncidentOpened", limit=1)).items
    if not opened:
        return []
    events = reader.ask(
        ListEvents(service=found.service, after=opened[0].seq - 1, limit=1000)
    ).items
    kept = []
    for event in events:
        if event.type not in DETAIL_TYPES:
            kept.append(event)
        if event.type == "IncidentClosed" and event.subject == found.id:
            break
    return kept[:60][::-1]
