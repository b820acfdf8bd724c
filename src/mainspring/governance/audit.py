"""The audit chain: appending to it inside the change's own transaction, and walking it.

Each entry holds the hash of the one before, so an entry can't be altered, removed or reordered without
the walk saying where. What the chain alone can't show is the removal of its newest entries, or a rewrite
of all of it by somebody who owns the database: for that, keep the head that `audit verify` prints.
"""

from mainspring.domain.audit import GENESIS, AuditEntry, AuditVerdict, hash_of
from mainspring.governance import queries
from mainspring.governance.requests import ListAuditEntries, VerifyAudit
from mainspring.kernel.digests import Digest
from mainspring.kernel.paging import Page, key_of, token_of
from mainspring.store.tx import Tx

_WALK = 1000


def append(tx: Tx, *, request: str, outcome: str, error: str | None) -> AuditEntry:
    """Add the entry for the operation that this transaction carries out."""
    seq, previous = queries.audit_head(tx)
    entry = AuditEntry(
        seq=seq + 1,
        at=tx.now,
        actor=str(tx.actor),
        operation=tx.operation,
        request=request,
        outcome=outcome,
        error=error,
        events=tuple(tx.event_ids),
        previous=previous,
        hash=hash_of(
            seq=seq + 1,
            at=tx.now,
            actor=str(tx.actor),
            operation=tx.operation,
            request=request,
            outcome=outcome,
            error=error,
            events=tuple(tx.event_ids),
            previous=previous,
        ),
    )
    queries.add_audit_entry(tx, entry)
    return entry


def list_audit_entries(tx: Tx, request: ListAuditEntries) -> Page[AuditEntry]:
    """Audit entries, newest first."""
    entries = queries.newest_audit_entries(
        tx,
        before=int(str(key_of(request.page_token)[0])) if request.page_token else None,
        limit=request.limit + 1,
        actor=request.actor,
        operation=request.operation,
        outcome=request.outcome,
    )
    page = entries[: request.limit]
    more = len(entries) > request.limit
    return Page(items=page, next_token=token_of([page[-1].seq]) if more else None)


def verify_audit(tx: Tx, request: VerifyAudit) -> AuditVerdict:
    """Walk the whole chain, and check that every event belongs to exactly one entry."""
    count, head = 0, queries.audit_head(tx)[1]
    previous = None
    claimed: set[str] = set()
    while entries := queries.audit_entries(tx, after=count, limit=_WALK):
        for entry in entries:
            problem = _problem(entry, count + 1, previous)
            if problem is None and not claimed.isdisjoint(entry.events):
                problem = "it claims an event that an earlier entry claims"
            if problem is not None:
                return _broken(entry.seq, count, len(claimed), problem, queries.audit_head(tx)[1])
            claimed.update(entry.events)
            previous = entry
            count += 1
    return _verify_events(tx, count, claimed, head)


def _verify_events(tx: Tx, count: int, claimed: set[str], head: Digest) -> AuditVerdict:
    seen, after = 0, 0
    while rows := queries.event_ids_between(tx, after=after, limit=_WALK):
        after = rows[-1][0]
        for _seq, event_id in rows:
            if event_id not in claimed:
                return _broken(None, count, seen, f"event {event_id} is in no audit entry", head)
            seen += 1
    if seen != len(claimed):
        missing = len(claimed) - seen
        return _broken(None, count, seen, f"{missing} events named by entries are gone", head)
    return AuditVerdict(entry_count=count, event_count=seen, intact=True, head=head)


def _problem(entry: AuditEntry, expected_seq: int, previous: AuditEntry | None) -> str | None:
    if entry.seq != expected_seq:
        return f"entry {expected_seq} is missing"
    if entry.previous != (previous.hash if previous else GENESIS):
        return "it does not follow from the entry before it"
    recomputed = hash_of(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        operation=entry.operation,
        request=entry.request,
        outcome=entry.outcome,
        error=entry.error,
        events=entry.events,
        previous=entry.previous,
    )
    return None if recomputed == entry.hash else "its content is not what was written"


def _broken(seq: int | None, entries: int, events: int, problem: str, head: Digest) -> AuditVerdict:
    return AuditVerdict(
        entry_count=entries,
        event_count=events,
        intact=False,
        head=head,
        broken_at=seq,
        problem=problem,
    )
