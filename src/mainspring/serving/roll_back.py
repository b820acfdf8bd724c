"""Going back, at once: out of a rollout, or to the champion before."""

from dataclasses import replace

from mainspring.domain.rollout import Deployment
from mainspring.kernel.errors import Conflict, Rejected
from mainspring.services.read import service_named
from mainspring.serving import queries, rules
from mainspring.serving.champion import make_champion
from mainspring.serving.requests import RollBack
from mainspring.serving.rollout import end_rollout
from mainspring.serving.versions import version_by_id
from mainspring.store.tx import Tx


def roll_back(tx: Tx, request: RollBack) -> Deployment:
    """End the rollout under way; without one, make the previous champion champion again.

    The champion before becomes the one that the restored version itself replaced, so that going back twice
    goes back two versions rather than to the bad one.
    """
    service = service_named(tx, request.service)
    deployment = queries.deployment(tx, request.service)
    why = request.why or f"asked for by {tx.actor}"
    if deployment is not None and deployment.rollout is not None:
        if deployment.champion is None and not request.even_if_unanswered:
            raise Conflict(
                f"{request.service} has no champion yet: after this rollout nothing would answer for it",
                code="would_be_unanswered",
                hint="`mainspring rollback --even-if-unanswered` ends it all the same (in a request: "
                "even_if_unanswered).",
            )
        end_rollout(tx, deployment.rollout, readings=(), why=why)
        return replace(deployment, rollout=None)
    if deployment is None or deployment.previous is None:
        raise Conflict(
            f"{request.service} has no champion to go back to",
            code="no_previous_champion",
            hint="Only a service that replaced a champion can be rolled back.",
        )
    earlier = queries.promotion_of(tx, request.service, deployment.previous)
    version = version_by_id(tx, deployment.previous)
    if why_not := rules.why_unsigned(service.spec.serve, version.signing):
        raise Rejected(
            f"version {version.number} of {version.model} can't be gone back to: {why_not}",
            code="signature_missing",
            hint="`mainspring model sign` signs it; until then it would not be loaded.",
        )
    return make_champion(
        tx,
        deployment,
        version,
        previous=earlier.champion if earlier else None,
        why=why,
    )
