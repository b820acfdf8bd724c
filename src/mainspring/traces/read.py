"""Reading and searching traces."""

from mainspring.domain.search import parse_filter, parse_order
from mainspring.domain.trace import Trace
from mainspring.domain.trace_search import ORDERED_BY, TRACES
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.paging import Page
from mainspring.store.tx import Tx
from mainspring.traces.queries import traces as queries
from mainspring.traces.queries.search import search_traces as search
from mainspring.traces.requests import GetTrace, GetTraces, SearchTraces

MAX_TRACES = 1000


def get_trace(tx: Tx, request: GetTrace) -> Trace:
    """One trace with its spans; raises `NotFound`."""
    return trace_of(tx, request.trace, with_spans=True)


def get_traces(tx: Tx, request: GetTraces) -> tuple[Trace, ...]:
    """Those of some traces that there are; raises `Invalid` for more than a thousand."""
    if len(request.traces) > MAX_TRACES:
        raise Invalid(f"{MAX_TRACES} traces may be asked for at once, not {len(request.traces)}")
    return tuple(queries.traces_by_id(tx, request.traces, with_spans=request.with_spans))


def search_traces(tx: Tx, request: SearchTraces) -> Page[Trace]:
    """One page of the traces that match."""
    order = parse_order(request.order_by, TRACES)
    for each in order:
        if each.entity not in ORDERED_BY:
            raise Invalid(f"traces can't be ordered by their {each.entity.replace('_', ' ')}s")
    items, token = search(
        tx,
        experiments=request.experiments,
        clauses=parse_filter(request.filter, TRACES),
        order=order,
        limit=request.limit,
        page_token=request.page_token,
    )
    return Page(items=items, next_token=token)


def trace_of(tx: Tx, id_: str, *, with_spans: bool = False) -> Trace:
    """The trace of that id, for other use cases; raises `NotFound`."""
    found = queries.traces_by_id(tx, [id_], with_spans=with_spans)
    if not found:
        raise _no_trace(id_)
    return found[0]


def require_trace(tx: Tx, id_: str) -> None:
    """Raise `NotFound` unless there is such a trace."""
    if not queries.experiments_of(tx, [id_]):
        raise _no_trace(id_)


def _no_trace(id_: str) -> NotFound:
    return NotFound(f"Trace with ID '{id_[:100]}' not found.", code="no_such_trace")
