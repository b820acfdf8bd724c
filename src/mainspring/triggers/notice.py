"""Telling runs that wait for an event that it has happened."""

from mainspring.domain.pipeline import Wait, WaitKind
from mainspring.domain.trigger import event_source
from mainspring.pipelines import queries as pipelines
from mainspring.pipelines.waits import event_came
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.collect import EVENTS_AT_ONCE
from mainspring.triggers.events import cause_of, types_of
from mainspring.triggers.requests import HasWaitNews, NoticeWaits

_MANY = 1_000


def has_wait_news(tx: Tx, request: HasWaitNews) -> bool:
    """Whether anything happened that may be what a run waits for."""
    return any(
        queries.has_events_after(tx, types_of((event_source(wait.what),)), wait.cursor)
        for wait in _waiting(tx)
    )


def notice_waits(tx: Tx, request: NoticeWaits) -> int:
    """Look at the events after those that were looked at for each run that waits for one; gives how many go on."""
    return sum(_look_on(tx, wait) for wait in _waiting(tx))


def _waiting(tx: Tx) -> list[Wait]:
    return pipelines.waits_of(tx, kind=WaitKind.EVENT, limit=_MANY)


def _look_on(tx: Tx, wait: Wait) -> bool:
    source = event_source(wait.what)
    rows = queries.events_after(tx, types_of((source,)), wait.cursor, EVENTS_AT_ONCE)
    for row in rows:
        cause = cause_of("", (source,), row, tx.now)
        if cause is not None:
            event_came(tx, wait, cause.what)
            return True
    if rows:
        pipelines.change_wait(tx, wait.run, wait.node, cursor=rows[-1].seq)
    return False
