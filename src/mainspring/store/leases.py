"""Leases: the right to work on something for a while, with a number that grows with every holder.

A holder that slept past its lease finds its fence outdated and is refused, so two workers can never both
complete the same thing (M. Kleppmann's fencing tokens).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, insert, select, update

from mainspring.kernel.errors import Conflict
from mainspring.store.tables.ledger import leases
from mainspring.store.tx import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to work on `name` until `expires_at`, provable by `fence`."""

    name: str
    holder: str
    fence: int
    expires_at: datetime


def acquire(tx: Tx, name: str, holder: str, duration: timedelta) -> Lease | None:
    """Take a lease that is free or expired; None if somebody else holds it."""
    row = tx.execute(
        select(leases.c.holder, leases.c.fence, leases.c.expires_at)
        .where(leases.c.name == name)
        .with_for_update()
    ).one_or_none()
    expires_at = tx.now + duration
    if row is None:
        tx.execute(insert(leases).values(name=name, holder=holder, fence=1, expires_at=expires_at))
        return Lease(name=name, holder=holder, fence=1, expires_at=expires_at)
    if row.expires_at > tx.now:
        return None
    tx.execute(
        update(leases)
        .where(leases.c.name == name)
        .values(holder=holder, fence=row.fence + 1, expires_at=expires_at)
    )
    return Lease(name=name, holder=holder, fence=row.fence + 1, expires_at=expires_at)


def renew(tx: Tx, lease: Lease, duration: timedelta) -> Lease:
    """Keep a lease; raises `Conflict` (code `lease_lost`) if it went to somebody else."""
    check(tx, lease.name, lease.fence)
    expires_at = tx.now + duration
    tx.execute(update(leases).where(leases.c.name == lease.name).values(expires_at=expires_at))
    return Lease(name=lease.name, holder=lease.holder, fence=lease.fence, expires_at=expires_at)


def check(tx: Tx, name: str, fence: int) -> None:
    """Raise `Conflict` (code `lease_lost`) unless `fence` is the current holder's.

    An expired lease that nobody took over still counts: nobody else can have worked meanwhile.
    """
    current = tx.execute(
        select(leases.c.fence).where(leases.c.name == name).with_for_update()
    ).scalar_one_or_none()
    if current != fence:
        raise Conflict(
            f"the lease on {name} was lost (fence {fence}, now {current})",
            code="lease_lost",
            hint="Another worker took over; stop.",
        )


def release(tx: Tx, lease: Lease) -> None:
    """Give a lease up at once; one that was lost meanwhile is left to its new holder.

    The row stays, expired, so that the next fence is higher.
    """
    tx.execute(
        update(leases)
        .where(leases.c.name == lease.name, leases.c.fence == lease.fence)
        .values(expires_at=tx.now)
    )


def forget(tx: Tx, name: str) -> None:
    """Remove a lease on something that is finished for good and can't be taken again."""
    tx.execute(delete(leases).where(leases.c.name == name))


def holder_of(tx: Tx, name: str) -> str | None:
    """Who holds a lease now; None if it is free or expired."""
    return tx.execute(
        select(leases.c.holder).where(leases.c.name == name, leases.c.expires_at > tx.now)
    ).scalar_one_or_none()
