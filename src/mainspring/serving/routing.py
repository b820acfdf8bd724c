"""The routing snapshot: all that a serving process needs to know to answer."""

from mainspring.domain.rollout import Deployment, RolloutState, Strategy
from mainspring.domain.service import Service
from mainspring.registry.queries import signatures_mark
from mainspring.services.read import service_named
from mainspring.serving import queries
from mainspring.serving.requests import GetRouting, GetRoutingMark, Route
from mainspring.serving.rules import why_unsigned
from mainspring.serving.versions import version_by_id
from mainspring.store.tx import Tx


def get_routing(tx: Tx, request: GetRouting) -> tuple[Route, ...]:
    """One route for every service that has a champion or a candidate."""
    routes = []
    for deployment in queries.all_deployments(tx):
        service = service_named(tx, deployment.service)
        route = _route(tx, service, deployment)
        if route.versions:
            routes.append(route)
    return tuple(routes)


def get_routing_mark(tx: Tx, request: GetRoutingMark) -> str:
    """A short text that differs whenever the snapshot does: cheap to ask for, several times a second."""
    routing, applied = queries.routing_mark(tx)
    signed = signatures_mark(tx)
    return f"{routing}:{applied.isoformat() if applied else ''}:{signed}"


def _route(tx: Tx, service: Service, deployment: Deployment) -> Route:
    rollout = deployment.rollout
    if rollout and rollout.state is RolloutState.WAITING:
        # Nothing of it may answer yet, so nothing of it is loaded.
        rollout = None
    wanted = [deployment.champion, rollout.candidate if rollout else None]
    versions = tuple(version_by_id(tx, version) for version in wanted if version)
    reasons = {each.id: why_unsigned(service.spec.serve, each.signing) for each in versions}
    return Route(
        service=deployment.service,
        routing_version=deployment.routing_version,
        champion=deployment.champion,
        candidate=rollout.candidate if rollout else None,
        candidate_share=rollout.share if rollout else 0.0,
        is_shadow=bool(rollout and rollout.strategy is Strategy.SHADOW),
        # A salt per rollout: the same few callers shouldn't be the first to try every candidate.
        salt=rollout.id if rollout else deployment.service,
        policy=service.spec.serve,
        versions=versions,
        refused={id_: why for id_, why in reasons.items() if why},
    )
