"""Approvals of versions."""

from mainspring.domain.actor import ActorKind
from mainspring.domain.approval import Approval, ApprovalId
from mainspring.governance.approvals import approvals_of, record_approval
from mainspring.kernel.errors import Denied, Invalid, Rejected
from mainspring.registry.read import get_model_version_by_id, version_of
from mainspring.registry.requests import GetModelVersionById, GiveApproval, ListApprovals
from mainspring.services.read import service_named
from mainspring.store.tx import Tx


def give_approval(tx: Tx, request: GiveApproval) -> Approval:
    """Keep a person's yes or no to exactly these bytes.

    Raises `Rejected` for the yes of an author where the service asks for others', `Invalid` for a model
    that is not the service's.
    """
    if tx.actor.kind is not ActorKind.PERSON:
        raise Denied(f"{tx.actor} is not a person, and approvals are people's")
    service = service_named(tx, request.service)
    version = version_of(tx, request.model, request.number)
    if service.spec.model != version.model:
        raise Invalid(
            f"the service {request.service!r} serves the model {service.spec.model!r}, "
            f"not {version.model!r}"
        )
    authors = {service.applied_by, version.created_by}
    policy = service.spec.retrain.approvals
    if request.approved and policy.not_by_author and str(tx.actor) in authors:
        raise Rejected(
            f"{tx.actor} is an author of version {version.number} of {version.model}, "
            "whose word does not count",
            code="approval_by_author",
            hint="Ask somebody else; `not_by_author` in the service's declaration wants it so.",
        )
    approval = Approval(
        id=ApprovalId(tx.new_id("app")),
        service=request.service,
        version=version.id,
        subject=version.manifest,
        approved=request.approved,
        reason=request.reason,
        actor=str(tx.actor),
        at=tx.now,
    )
    record_approval(tx, approval)
    return approval


def list_approvals(tx: Tx, request: ListApprovals) -> tuple[Approval, ...]:
    """Every decision on a version, oldest first; raises `NotFound` for an unknown version."""
    version = get_model_version_by_id(tx, GetModelVersionById(id=request.version))
    return tuple(approvals_of(tx, version.id))
