"""Reading deployments and rollouts."""

from mainspring.domain.rollout import Deployment, Rollout
from mainspring.kernel.errors import NotFound
from mainspring.services.read import service_named
from mainspring.serving import queries
from mainspring.serving.requests import GetDeployment, ListDeployments, ListRollouts
from mainspring.store.tx import Tx


def get_deployment(tx: Tx, request: GetDeployment) -> Deployment | None:
    """What answers for a service, or None before its first rollout; raises `NotFound` for no service."""
    service_named(tx, request.service)
    return queries.deployment(tx, request.service)


def list_deployments(tx: Tx, request: ListDeployments) -> tuple[Deployment, ...]:
    """What answers for every service that had a rollout."""
    return tuple(queries.all_deployments(tx))


def list_rollouts(tx: Tx, request: ListRollouts) -> tuple[Rollout, ...]:
    """Rollouts of a service, newest first."""
    service_named(tx, request.service)
    return tuple(queries.rollouts_of(tx, request.service, request.limit))


def rollout_named(tx: Tx, id_: str) -> Rollout:
    """The rollout of that id, for other use cases; raises `NotFound`."""
    found = queries.rollout(tx, id_)
    if found is None:
        raise NotFound(
            f"there is no rollout {id_!r}",
            hint="`mainspring rollout list SERVICE` shows those of a service.",
        )
    return found
