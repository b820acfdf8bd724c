"""What can be asked of governance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from mainspring.domain.actor import Role
from mainspring.domain.audit import AuditEntry, AuditVerdict
from mainspring.domain.event import StoredEvent
from mainspring.domain.request import Request
from mainspring.kernel.paging import Page

Limit = Annotated[int, Meta(ge=1, le=1000)]


class ListEvents(Request[Page[StoredEvent]], frozen=True, kw_only=True):
    """Events, newest first; or oldest first from `after` (a `seq`) on."""

    service: str | None = None
    subject: str | None = None
    type: str | None = None
    after: int | None = None
    page_token: str | None = None
    limit: Limit = 100


class ListAuditEntries(Request[Page[AuditEntry]], frozen=True, kw_only=True):
    """Audit entries, newest first; of one actor (`kind:name`), operation or outcome."""

    actor: str | None = None
    operation: str | None = None
    outcome: str | None = None
    page_token: str | None = None
    limit: Limit = 100


class VerifyAudit(Request[AuditVerdict], frozen=True, kw_only=True):
    """Walk the audit chain and say whether, and where, it was tampered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it can be shown again: without its secret."""

    id: str
    name: str
    role: Role
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """A new token with its secret, which is shown once and kept nowhere."""

    token: Token
    secret: str


class IssueToken(Request[IssuedToken], frozen=True, kw_only=True):
    """Make a token for a person or program."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    role: Role
    expires_at: datetime | None = None


class ListTokens(Request[tuple[Token, ...]], frozen=True, kw_only=True):
    """Every token ever issued, without secrets."""


class RevokeToken(Request[None], frozen=True, kw_only=True):
    """Make a token worthless from now on."""

    id: str
