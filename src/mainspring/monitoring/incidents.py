"""Incidents: opening, closing, reading."""

from mainspring.domain.event import IncidentClosed, IncidentOpened
from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import Incident, IncidentId, WindowId
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.monitoring import queries
from mainspring.monitoring.judging import spoken
from mainspring.monitoring.requests import (
    CloseIncident,
    GetIncident,
    ListIncidents,
    OpenIncident,
)
from mainspring.services.read import service_named
from mainspring.store.tx import Tx


def open_incident(tx: Tx, request: OpenIncident) -> Incident:
    """Open an incident; while one of its kind is open for the service, that one is given back."""
    service_named(tx, request.service)
    if before := queries.active_incident(tx, request.service, request.kind):
        return before
    incident = Incident(
        id=IncidentId(tx.new_id("inc")),
        service=request.service,
        kind=request.kind,
        summary=request.summary,
        version=ModelVersionId(request.version) if request.version else None,
        findings=request.findings,
        windows=tuple(WindowId(window) for window in request.windows),
        opened_at=tx.now,
    )
    queries.add_incident(tx, incident)
    tx.emit(
        IncidentOpened(
            service=request.service,
            incident=incident.id,
            kind=incident.kind.value,
            findings=tuple(spoken(finding) for finding in incident.findings),
            why=incident.summary,
        )
    )
    return incident


def close_incident(tx: Tx, request: CloseIncident) -> Incident:
    """Close an incident; raises `Conflict` if it was closed with another resolution."""
    incident = _incident(tx, request.incident)
    if not request.resolution.strip():
        raise Invalid(
            "the resolution is empty", hint="Say in a sentence what resolved the incident."
        )
    if not incident.is_open:
        if incident.resolution == request.resolution:
            return incident
        raise Conflict(
            f"incident {incident.id} was closed already: {incident.resolution}",
            code="incident_closed",
        )
    queries.close_incident(tx, incident.id, request.resolution)
    tx.emit(
        IncidentClosed(
            service=incident.service,
            incident=incident.id,
            kind=incident.kind.value,
            why=request.resolution,
        )
    )
    return _incident(tx, request.incident)


def list_incidents(tx: Tx, request: ListIncidents) -> tuple[Incident, ...]:
    """Incidents, newest first."""
    return tuple(
        queries.list_incidents(
            tx, service=request.service, open_only=request.open_only, limit=request.limit
        )
    )


def get_incident(tx: Tx, request: GetIncident) -> Incident:
    """One incident; raises `NotFound`."""
    return _incident(tx, request.incident)


def _incident(tx: Tx, id_: str) -> Incident:
    found = queries.incident(tx, id_)
    if found is None:
        raise NotFound(
            f"there is no incident {id_!r}", hint="`mainspring incident list` lists them."
        )
    return found
