"""Limits on steps that use something, whatever run they are of: rows, so that they hold over all workers."""

from datetime import timedelta

from mainspring.domain.event import LimitChanged
from mainspring.domain.pipeline import Limit
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.pipelines import queries
from mainspring.pipelines.requests import ListLimits, RemoveLimit, SetLimit
from mainspring.store.tx import Tx


def set_limit(tx: Tx, request: SetLimit) -> Limit:
    """Setting the same again changes nothing."""
    new = Limit(
        name=request.name,
        at_once=request.at_once,
        starts=request.starts,
        per_seconds=request.per_seconds,
    )
    if queries.limit(tx, request.name) != new:
        queries.set_limit(tx, new)
        tx.emit(LimitChanged(limit=request.name, what="set"))
    return new


def list_limits(tx: Tx, request: ListLimits) -> tuple[Limit, ...]:
    """By name."""
    return tuple(queries.all_limits(tx))


def remove_limit(tx: Tx, request: RemoveLimit) -> None:
    """Raises `NotFound` if there is none."""
    if queries.limit(tx, request.name) is None:
        raise NotFound(
            f"there is no limit on {request.name!r}",
            code="no_such_limit",
            hint="`mainspring limit list` shows them.",
        )
    queries.remove_limit(tx, request.name)
    tx.emit(LimitChanged(limit=request.name, what="removed"))


def check_limit(tx: Tx, uses: str) -> None:
    """Raise `Conflict` (`limit_reached`) if no more steps that use this may begin now.

    The limit's row is held until the transaction ends, so that two that ask at once can't both have the last place.
    """
    found = queries.limit(tx, uses, locked=True)
    if found is None:
        return
    if found.at_once is not None and queries.count_under_way(tx, uses) >= found.at_once:
        raise _reached(f"{found.at_once} steps that use {uses} are under way")
    if found.starts is not None:
        since = tx.now - timedelta(seconds=found.per_seconds)
        if queries.count_begun(tx, uses, since) >= found.starts:
            raise _reached(f"{found.starts} steps that use {uses} began in {found.per_seconds:g} s")


def _reached(message: str) -> Conflict:
    return Conflict(message, code="limit_reached", hint="Begin it a moment later.")
