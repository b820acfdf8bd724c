"""Whether traces that match one filter tend to match another."""

import math

from mainspring.domain.search import Clause, parse_filter
from mainspring.domain.trace_search import TRACES
from mainspring.store.tx import Tx
from mainspring.traces.queries.search import count_traces
from mainspring.traces.requests import CorrelateTraces, Correlation

# Jeffreys' prior: half a case in each cell of the table.
_PRIOR = 0.5


def correlate_traces(tx: Tx, request: CorrelateTraces) -> Correlation:
    """Count the traces that match either filter and both."""
    among = parse_filter(request.among, TRACES)
    first, second = parse_filter(request.first, TRACES), parse_filter(request.second, TRACES)

    def count(*clauses: Clause) -> int:
        return count_traces(tx, experiments=request.experiments, clauses=(*among, *clauses))

    total, both = count(), count(*first, *second)
    ones, others = count(*first), count(*second)
    return Correlation(
        total=total,
        first=ones,
        second=others,
        both=both,
        npmi=npmi(both, ones, others, total),
        smoothed=npmi(both, ones, others, total, _PRIOR),
    )


def npmi(both: int, first: int, second: int, total: int, prior: float = 0.0) -> float:
    """Normalised pointwise mutual information of two events (Bouma 2009), from counts.

    >>> round(npmi(6, 6, 7, 10), 4), round(npmi(6, 6, 7, 10, 0.5), 4), npmi(0, 6, 4, 10), npmi(3, 3, 3, 3)
    (0.6982, 0.5405, -1.0, 1.0)
    >>> npmi(0, 0, 4, 10)
    nan
    """
    if not first or not second:
        return math.nan
    whole = total + 4 * prior
    together = (both + prior) / whole
    if together == 0:
        return -1.0
    if together == 1:
        return 1.0
    apart = (first + 2 * prior) / whole * ((second + 2 * prior) / whole)
    return math.log(together / apart) / -math.log(together)
