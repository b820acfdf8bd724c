"""`mainspring trace`: from one answer back to all that it came from."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.monitoring.trace import Lineage, Trace


@click.command()
@click.argument("prediction")
@pass_session
def trace(session: Session, /, prediction: str) -> None:
    """Trace PREDICTION (the id that came with the answer) to model, run, code, environment and data."""
    from mainspring.monitoring.trace import trace as follow

    with session.app() as app:
        found = follow(app.call, app.settings.predictions_path, prediction)
    session.show(found, trace_lines(found))


def trace_lines(found: "Trace") -> Iterator[str]:
    """A trace as an indented chain, newest first."""
    from mainspring.cli.show import text_of

    given = found.prediction
    yield f"prediction {given.id}"
    yield f"  answered    {text_of(given.output)} at {text_of(given.at)} in {given.latency_ms:.1f} ms"
    yield f"  asked       {text_of(given.inputs)}"
    yield f"  for         {given.service}, key {text_of(given.key)}, event {text_of(given.event_at)}"
    if found.lineage is None:
        yield f"  by model version {given.version}, which is in the registry no more"
        return
    yield from _lineage_lines(found.lineage, given.arm)


def _lineage_lines(lineage: "Lineage", arm: str) -> Iterator[str]:
    from mainspring.cli.show import text_of

    version = lineage.version
    yield f"by model {version.model} version {version.number} as {arm}"
    yield f"  bytes       {version.manifest}"
    yield f"  metrics     {text_of(version.metrics)}"
    for result in version.gate_results or ():
        yield f"  gate        {result.gate.title}: {result.outcome.value} {result.detail}".rstrip()
    for approval in lineage.approvals:
        word = "approved" if approval.approved else "turned down"
        yield f"  {word} by {approval.actor} at {text_of(approval.at)} {approval.reason}".rstrip()
    for rollout in lineage.rollouts:
        yield f"  rollout     {rollout.id} {rollout.state.value}: {rollout.why}"
    if run := lineage.run:
        yield f"made by run {run.id} of {run.pipeline}"
        yield f"  asked by    {run.requested_by} at {text_of(run.requested_at)}: {run.why}"
        yield f"  parameters  {text_of(run.params)}"
    yield f"  code        {text_of(lineage.project)}"
    yield f"  environment {text_of(lineage.environment)}"
    for data in lineage.data:
        known = data.version
        yield f"from {known.dataset} version {known.number} as `{data.parameter}`"
        yield f"  bytes       {known.manifest}"
        yield f"  rows        {text_of(known.row_count)}, added by {known.created_by}"
        if data.report is None:
            yield "  checks      none were in force"
        else:
            count = len(data.report.report.results)
            word = "passed" if data.report.passed else "failed"
            yield f"  checks      {word}: {count} checks of schema {data.report.report.schema}"
