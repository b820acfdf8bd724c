"""Which controller runs the loops: one at a time, by a lease.

Two at once would do no harm, since every operation that they ask for is idempotent; they would only do
everything twice.
"""

from datetime import timedelta

from mainspring.kernel.errors import Conflict
from mainspring.services.requests import Control, HoldControl, ReleaseControl
from mainspring.store import leases
from mainspring.store.leases import Lease
from mainspring.store.tx import Tx

_NAME = "controller"


def hold_control(tx: Tx, request: HoldControl) -> Control | None:
    """Take or keep the lease; None if somebody else has it."""
    duration = timedelta(seconds=request.lease_seconds)
    if request.fence is not None:
        held = Lease(name=_NAME, holder=request.holder, fence=request.fence, expires_at=tx.now)
        try:
            leases.renew(tx, held, duration)
            return Control(holder=request.holder, fence=request.fence)
        except Conflict:
            # Lost while this controller slept; it may be free again.
            pass
    lease = leases.acquire(tx, _NAME, request.holder, duration)
    return Control(holder=lease.holder, fence=lease.fence) if lease else None


def release_control(tx: Tx, request: ReleaseControl) -> None:
    """Give the lease up; one that was lost meanwhile is left to its new holder."""
    leases.release(
        tx, Lease(name=_NAME, holder=request.holder, fence=request.fence, expires_at=tx.now)
    )
