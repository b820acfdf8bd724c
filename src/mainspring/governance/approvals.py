"""Approvals: recording a decision, and counting those that count."""

from collections.abc import Sequence

from mainspring.domain.approval import Approval
from mainspring.domain.event import ApprovalGiven
from mainspring.domain.model import ModelVersionId
from mainspring.governance import queries
from mainspring.kernel.digests import Digest
from mainspring.store.tx import Tx


def record_approval(tx: Tx, approval: Approval) -> None:
    """Keep a decision; the latest of each person is the one that counts."""
    queries.add_approval(tx, approval)
    tx.emit(
        ApprovalGiven(
            service=approval.service,
            version=approval.version,
            approved=approval.approved,
            why=approval.reason,
        )
    )


def approvals_of(tx: Tx, version: ModelVersionId) -> list[Approval]:
    """Every decision on a version, oldest first."""
    return queries.approvals_of(tx, version)


def agreeing(
    approvals: Sequence[Approval], subject: Digest, excluding: str | None = None
) -> set[str]:
    """The people whose latest word on exactly these bytes is yes.

    `excluding` names the author, whose word does not count under `not_by_author`.
    """
    latest = {a.actor: a.approved for a in approvals if a.subject == subject}
    return {actor for actor, approved in latest.items() if approved and actor != excluding}


def refusing(approvals: Sequence[Approval], subject: Digest) -> set[str]:
    """The people whose latest word on exactly these bytes is no."""
    latest = {a.actor: a.approved for a in approvals if a.subject == subject}
    return {actor for actor, approved in latest.items() if not approved}
