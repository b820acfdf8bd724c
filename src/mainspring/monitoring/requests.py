"""What can be asked of monitoring."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from mainspring.domain.monitor import Finding, Incident, IncidentKind, Window
from mainspring.domain.request import Request


class ListWindows(Request[tuple[Window, ...]], frozen=True, kw_only=True):
    """Windows of a service, newest first."""

    service: str
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    since: datetime | None = None


class OpenIncident(Request[Incident], frozen=True, kw_only=True):
    """Open an incident with its evidence; one of this kind that is open already is given back as it is."""

    service: str
    kind: IncidentKind
    summary: str
    version: str | None = None
    findings: tuple[Finding, ...] = ()
    windows: tuple[str, ...] = ()


class CloseIncident(Request[Incident], frozen=True, kw_only=True):
    """Close an incident, saying what resolved it."""

    incident: str
    resolution: str


class ListIncidents(Request[tuple[Incident, ...]], frozen=True, kw_only=True):
    """Incidents, newest first; of one service, or only the open ones."""

    service: str | None = None
    open_only: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class GetIncident(Request[Incident], frozen=True, kw_only=True):
    """One incident."""

    incident: str
