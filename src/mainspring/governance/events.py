"""Reading the events."""

from mainspring.domain.event import StoredEvent
from mainspring.governance import queries
from mainspring.governance.requests import ListEvents
from mainspring.kernel.paging import Page, key_of, token_of
from mainspring.store.tx import Tx


def list_events(tx: Tx, request: ListEvents) -> Page[StoredEvent]:
    """Events, newest first; or oldest first from `after` on."""
    if request.after is not None:
        found = queries.events_after(
            tx,
            after=request.after,
            limit=request.limit,
            service=request.service,
            subject=request.subject,
            type_=request.type,
        )
        return Page(items=found)
    found = queries.events_before(
        tx,
        before=int(str(key_of(request.page_token)[0])) if request.page_token else None,
        limit=request.limit + 1,
        service=request.service,
        subject=request.subject,
        type_=request.type,
    )
    page = found[: request.limit]
    more = len(found) > request.limit
    return Page(items=page, next_token=token_of([page[-1].seq]) if more else None)
