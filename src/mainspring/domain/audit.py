"""The audit log's entries and how each is chained to the one before."""

from dataclasses import dataclass
from datetime import datetime

from mainspring.kernel.codec import canonical
from mainspring.kernel.digests import Digest, digest_bytes

GENESIS = Digest("sha256:" + "0" * 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who asked for what, and what came of it.

    `outcome` is `ok` or the kind of the error. `request` is the request as JSON text; `events` are the ids
    of the events that it caused.
    """

    seq: int
    at: datetime
    actor: str
    operation: str
    request: str
    outcome: str
    error: str | None
    events: tuple[str, ...]
    previous: Digest
    hash: Digest


def hash_of(
    *,
    seq: int,
    at: datetime,
    actor: str,
    operation: str,
    request: str,
    outcome: str,
    error: str | None,
    events: tuple[str, ...],
    previous: Digest,
) -> Digest:
    """The hash that binds an entry to all that came before it."""
    return digest_bytes(
        canonical([seq, at, actor, operation, request, outcome, error, events, previous])
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditVerdict:
    """The result of walking the chain. `broken_at` is the first entry that does not fit, if any."""

    entry_count: int
    event_count: int
    intact: bool
    head: Digest
    broken_at: int | None = None
    problem: str | None = None
