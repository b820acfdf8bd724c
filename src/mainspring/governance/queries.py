"""The governance room's SQL: events, audit entries, tokens, approvals."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from mainspring.domain.actor import Role
from mainspring.domain.approval import Approval, ApprovalId
from mainspring.domain.audit import GENESIS, AuditEntry
from mainspring.domain.event import StoredEvent
from mainspring.domain.model import ModelVersionId
from mainspring.governance.requests import Token
from mainspring.kernel.digests import Digest
from mainspring.store.tables.governance import approvals, tokens
from mainspring.store.tables.ledger import audit, events
from mainspring.store.tx import Tx


def audit_head(tx: Tx) -> tuple[int, Digest]:
    """The number and hash of the newest audit entry; (0, GENESIS) before the first."""
    row = tx.execute(
        select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    ).one_or_none()
    return (row.seq, Digest(row.hash)) if row else (0, GENESIS)


def add_audit_entry(tx: Tx, entry: AuditEntry) -> None:
    tx.execute(
        insert(audit).values(
            seq=entry.seq,
            at=entry.at,
            actor=entry.actor,
            operation=entry.operation,
            request=entry.request,
            outcome=entry.outcome,
            error=entry.error,
            events=entry.events,
            previous=entry.previous,
            hash=entry.hash,
        )
    )


def audit_entries(tx: Tx, *, after: int, limit: int) -> list[AuditEntry]:
    """Entries in the order of the chain, oldest first."""
    rows = tx.execute(select(audit).where(audit.c.seq > after).order_by(audit.c.seq).limit(limit))
    return [_audit_entry(row) for row in rows]


def newest_audit_entries(
    tx: Tx,
    *,
    before: int | None,
    limit: int,
    actor: str | None = None,
    operation: str | None = None,
    outcome: str | None = None,
) -> list[AuditEntry]:
    """Entries newest first."""
    query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(audit.c.seq < before)
    for column, value in (
        (audit.c.actor, actor),
        (audit.c.operation, operation),
        (audit.c.outcome, outcome),
    ):
        if value is not None:
            query = query.where(column == value)
    return [_audit_entry(row) for row in tx.execute(query)]


def _audit_entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(
        seq=row.seq,
        at=row.at,
        actor=row.actor,
        operation=row.operation,
        request=row.request,
        outcome=row.outcome,
        error=row.error,
        events=row.events,
        previous=Digest(row.previous),
        hash=Digest(row.hash),
    )


def event_ids_between(tx: Tx, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Sequence numbers and ids of events, oldest first."""
    rows = tx.execute(
        select(events.c.seq, events.c.id)
        .where(events.c.seq > after)
        .order_by(events.c.seq)
        .limit(limit)
    )
    return [(row.seq, row.id) for row in rows]


def events_after(
    tx: Tx, *, after: int, limit: int, service: str | None, subject: str | None, type_: str | None
) -> list[StoredEvent]:
    """Events oldest first, from after a sequence number on."""
    query = select(events).where(events.c.seq > after).order_by(events.c.seq).limit(limit)
    return _events(tx, query, service, subject, type_)


def events_before(
    tx: Tx,
    *,
    before: int | None,
    limit: int,
    service: str | None,
    subject: str | None,
    type_: str | None,
) -> list[StoredEvent]:
    """Events newest first."""
    query = select(events).order_by(events.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.seq < before)
    return _events(tx, query, service, subject, type_)


def _events(
    tx: Tx, query: Any, service: str | None, subject: str | None, type_: str | None
) -> list[StoredEvent]:
    if service is not None:
        query = query.where(events.c.service == service)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    if type_ is not None:
        query = query.where(events.c.type == type_)
    return [
        StoredEvent(
            seq=row.seq,
            id=row.id,
            at=row.at,
            type=row.type,
            service=row.service,
            subject=row.subject,
            actor=row.actor,
            operation=row.operation,
            why=row.why,
            payload=row.payload,
        )
        for row in tx.execute(query)
    ]


def last_event_seq(tx: Tx) -> int:
    newest: int = tx.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one()
    return newest


def add_token(
    tx: Tx, *, id_: str, name: str, role: Role, secret_digest: Digest, expires_at: datetime | None
) -> None:
    tx.execute(
        insert(tokens).values(
            id=id_,
            name=name,
            role=role.value,
            secret_digest=secret_digest,
            created_at=tx.now,
            expires_at=expires_at,
            revoked_at=None,
        )
    )


def token_by_digest(tx: Tx, secret_digest: Digest) -> Token | None:
    row = tx.execute(select(tokens).where(tokens.c.secret_digest == secret_digest)).one_or_none()
    return _token(row) if row else None


def list_tokens(tx: Tx) -> list[Token]:
    return [_token(row) for row in tx.execute(select(tokens).order_by(tokens.c.created_at))]


def _token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def revoke_token(tx: Tx, id_: str) -> bool:
    """False if there is no such token; one that was revoked before keeps its time."""
    if tx.execute(select(tokens.c.id).where(tokens.c.id == id_)).one_or_none() is None:
        return False
    tx.execute(
        update(tokens)
        .where(tokens.c.id == id_, tokens.c.revoked_at.is_(None))
        .values(revoked_at=tx.now)
    )
    return True


def add_approval(tx: Tx, approval: Approval) -> None:
    tx.execute(
        insert(approvals).values(
            id=approval.id,
            service=approval.service,
            version=approval.version,
            subject=approval.subject,
            approved=approval.approved,
            reason=approval.reason,
            actor=approval.actor,
            at=approval.at,
        )
    )


def approvals_of(tx: Tx, version: ModelVersionId) -> list[Approval]:
    """Every decision on a version, oldest first."""
    rows = tx.execute(
        select(approvals).where(approvals.c.version == version).order_by(approvals.c.at)
    )
    return [
        Approval(
            id=ApprovalId(row.id),
            service=row.service,
            version=ModelVersionId(row.version),
            subject=Digest(row.subject),
            approved=row.approved,
            reason=row.reason,
            actor=row.actor,
            at=row.at,
        )
        for row in rows
    ]
