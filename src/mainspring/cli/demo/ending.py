"""The end of the demo: the timeline, one prediction traced, the audit verified, and the sum of the claims."""

from typing import TYPE_CHECKING

from mainspring.cli.commands.trace import trace_lines
from mainspring.cli.demo.timeline import timeline
from mainspring.cli.demo.watch import all_events
from mainspring.governance.requests import VerifyAudit
from mainspring.monitoring.trace import Trace, trace

if TYPE_CHECKING:
    from mainspring.cli.demo.stage import Stage


def tell(stage: "Stage") -> None:
    """Show what is left behind, and check it."""
    teller = stage.teller
    teller.facts(timeline(all_events(stage.client)))
    answer = stage.stage_town.answers[-1]
    teller.chapter("One prediction, back to where it comes from")
    found = trace(stage.client.call, stage.settings.predictions_path, answer.prediction)
    teller.facts(trace_lines(found))
    teller.claim(
        "one prediction is traced to model, run, code, environment, data and checks",
        _is_whole(found),
        f"{answer.prediction}, answered for {answer.event_at:%d %B %Y, %H:00}",
    )
    verdict = stage.client.call(VerifyAudit())
    teller.claim(
        "the audit log is whole",
        verdict.intact,
        f"{verdict.entry_count:,} entries, {verdict.event_count:,} events, head {verdict.head}",
    )
    _sum_up(stage)


def _is_whole(found: Trace) -> bool:
    lineage = found.lineage
    return (
        lineage is not None
        and lineage.run is not None
        and lineage.project is not None
        and lineage.environment is not None
        and bool(lineage.data)
        and all(data.report is not None and data.report.passed for data in lineage.data)
        and bool(lineage.version.gate_results)
        and bool(lineage.rollouts)
    )


def _sum_up(stage: "Stage") -> None:
    teller = stage.teller
    held = sum(claim.held for claim in teller.claims)
    teller.console.print()
    verdict = f"{held} of {len(teller.claims)} claims came true in {teller.elapsed():.0f} seconds."
    teller.console.print(verdict, style="bold green" if held == len(teller.claims) else "bold red")
    for claim in teller.claims:
        if not claim.held:
            teller.console.print(f"NOT TRUE: {claim.text}: {claim.evidence}", markup=False)
    home = stage.settings.home
    teller.console.print(f"Look around: mainspring status --home {home}", markup=False)
