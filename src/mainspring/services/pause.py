"""Stopping and restarting the loops for one service."""

from dataclasses import replace

from mainspring.domain.event import ServicePaused, ServiceResumed
from mainspring.domain.service import Service
from mainspring.services import queries
from mainspring.services.read import service_named
from mainspring.services.requests import PauseService, ResumeService
from mainspring.store.tx import Tx


def pause_service(tx: Tx, request: PauseService) -> Service:
    """Stop the loops from acting on a service; pausing it again changes nothing."""
    service = service_named(tx, request.name)
    if service.paused:
        return service
    paused = replace(service, paused=True)
    queries.save(tx, paused, is_new=False)
    tx.emit(ServicePaused(service=request.name, name=request.name))
    return paused


def resume_service(tx: Tx, request: ResumeService) -> Service:
    """Let the loops act on a service again; resuming it again changes nothing."""
    service = service_named(tx, request.name)
    if not service.paused:
        return service
    resumed = replace(service, paused=False)
    queries.save(tx, resumed, is_new=False)
    tx.emit(ServiceResumed(service=request.name, name=request.name))
    return resumed
