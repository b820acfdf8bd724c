"""Reading backfills."""

from typing import Any

from mainspring.backfills import queries
from mainspring.backfills.requests import GetBackfill, ListBackfillParts, ListBackfills
from mainspring.domain.backfill import Backfill, BackfillPart
from mainspring.kernel.errors import NotFound
from mainspring.kernel.paging import Page, key_of, token_of
from mainspring.store.tx import Tx


def get_backfill(tx: Tx, request: GetBackfill) -> Backfill:
    """One backfill; raises `NotFound`."""
    return backfill_of(tx, request.backfill)


def list_backfills(tx: Tx, request: ListBackfills) -> tuple[Backfill, ...]:
    """Newest first."""
    return tuple(queries.newest(tx, pipeline=request.pipeline, limit=request.limit))


def list_backfill_parts(tx: Tx, request: ListBackfillParts) -> Page[BackfillPart]:
    """In the order in which they are run."""
    row_of(tx, request.backfill)
    after = int(str(key_of(request.page_token)[0])) if request.page_token else -1
    found = queries.parts_of(
        tx, request.backfill, state=request.state, after=after, limit=request.limit + 1
    )
    page = found[: request.limit]
    more = len(found) > request.limit
    return Page(
        items=[part for _, part in page], next_token=token_of([page[-1][0]]) if more else None
    )


def backfill_of(tx: Tx, id_: str) -> Backfill:
    """The backfill of that id, for other use cases; raises `NotFound`."""
    return queries.backfill_in(tx, row_of(tx, id_))


def row_of(tx: Tx, id_: str, *, locked: bool = False) -> Any:
    """All that is kept of it, as the store's row; raises `NotFound`."""
    row = queries.row_of(tx, id_, locked=locked)
    if row is None:
        raise NotFound(
            f"there is no backfill {id_!r}",
            code="no_such_backfill",
            hint="`mainspring backfill list` shows them.",
        )
    return row
