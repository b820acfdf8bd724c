"""Approvals: a person's yes or no to one subject, bound to its content."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from mainspring.domain.model import ModelVersionId
from mainspring.kernel.digests import Digest

ApprovalId = NewType("ApprovalId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's decision on a model version for an environment.

    `subject` is the digest of the model's bytes: other bytes need other approvals.
    """

    id: ApprovalId
    service: str
    version: ModelVersionId
    subject: Digest
    approved: bool
    reason: str
    actor: str
    at: datetime
