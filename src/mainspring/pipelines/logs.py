"""Lines that steps print."""

from mainspring.domain.pipeline import LogLine
from mainspring.pipelines import queries
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import AppendLogs, ReadLogs
from mainspring.store.tx import Tx


def append_logs(tx: Tx, request: AppendLogs) -> None:
    """Keep lines; those that are there already are left as they are."""
    run_of(tx, request.run)
    if request.lines:
        queries.add_log_lines(tx, request.run, request.lines)


def read_logs(tx: Tx, request: ReadLogs) -> tuple[LogLine, ...]:
    """Lines of a run in the order they were kept; raises `NotFound` for an unknown run."""
    run_of(tx, request.run)
    return tuple(
        queries.log_lines(
            tx,
            request.run,
            node=request.node,
            attempt=request.attempt,
            after=request.after,
            newest=request.newest,
            limit=request.limit,
        )
    )
