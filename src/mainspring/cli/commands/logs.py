"""`mainspring logs`: what a run printed."""

import time
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.pipeline import LogLine
    from mainspring.sdk.client import Client

_POLL_SECONDS = 0.3


@click.command()
@click.argument("run", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends.")
@click.option("--node", help="Of one step only.")
@pass_session
def logs(session: Session, /, run: str | None, follow: bool, node: str | None) -> None:
    """Print what a run's steps printed; the newest run's unless RUN is given."""
    from mainspring.kernel.errors import NotFound
    from mainspring.pipelines.requests import ListPipelineRuns

    with session.client() as client:
        if run is None:
            newest = client.call(ListPipelineRuns(limit=1))
            if not newest:
                raise NotFound("there are no runs yet", hint="`mainspring run` starts one.")
            run = newest[0].id
        printer = LogPrinter(session, client, run, node)
        printer.print_new()
        while follow and not printer.is_over():
            time.sleep(_POLL_SECONDS)
            printer.print_new()


class LogPrinter:
    """Prints each line of a run once."""

    def __init__(self, session: Session, client: "Client", run: str, node: str | None) -> None:
        self._session = session
        self._client = client
        self._run = run
        self._node = node
        self._seen: set[tuple[str, int, int]] = set()

    def print_new(self) -> None:
        from mainspring.pipelines.requests import ReadLogs

        lines = self._client.call(ReadLogs(run=self._run, node=self._node, limit=100_000))
        for line in lines:
            key = (line.node, line.attempt, line.seq)
            if key not in self._seen:
                self._seen.add(key)
                self._session.show(line, [log_text(line)])

    def is_over(self) -> bool:
        """Whether the run has ended; what it printed last is printed first."""
        from mainspring.pipelines.requests import GetPipelineRun

        over = self._client.call(GetPipelineRun(run=self._run)).state.is_final
        if over:
            self.print_new()
        return over


def log_text(line: "LogLine") -> str:
    """A line of a log with its step before it."""
    attempt = f"#{line.attempt}" if line.attempt > 1 else ""
    return f"{line.node}{attempt} | {line.text}"
