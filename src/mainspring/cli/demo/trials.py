"""What must not come in: a broken delivery, and a candidate that is too slow; then the rest of the year."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.cli.demo.deliveries import DATASET
from mainspring.cli.demo.slow_idea import have_the_idea
from mainspring.cli.demo.town import LABEL_DELAY
from mainspring.cli.demo.watch import wait_for
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.domain.gate import GateOutcome
from mainspring.domain.rollout import Rollout, RolloutState
from mainspring.quality.report import report_lines
from mainspring.registry.requests import GetModelVersionById, ListModelVersions
from mainspring.services.requests import ResumeService
from mainspring.serving.requests import ListRollouts

if TYPE_CHECKING:
    pass

from mainspring.cli.demo.stage import (
    ROLLOUT_SECONDS,
    SERVICE,
    TRAINING_SECONDS,
    Stage,
    apply,
    current_champion,
    gate_lines,
    look_after,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """A change of the flow under way: the text before it, the code with it, and failed requests until then."""

    original: str
    project: str
    failures: int


def an_idea(stage: Stage) -> Idea:
    """Somebody changes the flow for the better, as it seems, and applies it; the loops take it from there."""
    flow = stage.folder.project / "flow.py"
    original = have_the_idea(flow)
    failures = len(stage.stage_town.failures)
    # Known to the day, so that the challenger learns from weeks that the champion has not seen.
    stage.data.deliver(stage.stage_town.now - LABEL_DELAY)
    apply(stage)
    service = stage.client.call(ResumeService(name=SERVICE))
    stage.teller.fact(
        "somebody has an idea: flow.py averages a hundred forecasts now; applied, the service goes on"
    )
    return Idea(original=original, project=service.project, failures=failures)


def broken_delivery(stage: Stage) -> None:
    """Fahrenheit, missing humidity and hail: refused at the door."""
    tell = stage.teller
    before = stage.client.call(GetDatasetVersion(dataset=DATASET))
    result = stage.data.deliver_broken(stage.stage_town.now)
    if result.report is not None:
        tell.facts(line for line in report_lines(result.report) if line)
    failed = {r.column for r in result.report.blocking} if result.report else set()
    after = stage.client.call(GetDatasetVersion(dataset=DATASET))
    tell.claim(
        "a broken delivery is stopped by the checks, with rows that show why",
        not result.accepted
        and {"temperature", "humidity", "weather"} <= failed
        and all(r.examples for r in (result.report.blocking if result.report else ()))
        and after.state.value == "accepted"
        and after.number != result.version.number,
        f"rides version {result.version.number} is refused for {', '.join(sorted(map(str, failed)))}; "
        f"trainings go on reading version {max(before.number, after.number)}",
    )


def slow_candidate(stage: Stage, idea: Idea) -> None:
    """What came of the idea: it passes offline, is too slow live, and the canary takes it back."""
    tell, call, town = stage.teller, stage.client.call, stage.stage_town
    rollout = wait_for(
        lambda: _rollout_of(stage, idea.project),
        "the end of the slow candidate's rollout",
        seconds=TRAINING_SECONDS + ROLLOUT_SECONDS,
        meanwhile=lambda: look_after(stage),
    )
    (stage.folder.project / "flow.py").write_text(idea.original)
    apply(stage)
    candidate = call(GetModelVersionById(id=rollout.candidate))
    tell.facts(gate_lines(candidate))
    answered = [a for a in town.answers if a.version == str(candidate.number)]
    champion = current_champion(stage)
    passed = all(r.outcome is GateOutcome.PASSED for r in candidate.gate_results or ())
    tell.claim(
        "a candidate that passes offline but is slow on live traffic is rolled back by its guard",
        passed
        and rollout.state is RolloutState.ROLLED_BACK
        and champion is not None
        and champion.id == rollout.champion,
        f"version {candidate.number}: {rollout.reason}",
    )
    tell.claim(
        "no request failed meanwhile",
        len(town.failures) == idea.failures,
        f"{len(answered)} hours were answered by the candidate, the others by the champion",
    )
    tell.fact("the idea is taken back, and the flow applied as it was")


def rest_of_the_year(stage: Stage) -> None:
    """The town lives on to its last hour."""
    town, tell = stage.stage_town, stage.teller
    town.let_go()
    wait_for(
        lambda: town.is_over or None,
        "the end of the year",
        seconds=180,
        meanwhile=lambda: look_after(stage),
    )
    look_after(stage)
    tell.stop_bar()
    seconds = sorted(answer.seconds for answer in town.answers) or [0.0]
    tell.claim(
        "every hour of the second year was answered",
        len(town.answers) == town.hour_count and not town.failures and not town.repeats,
        f"{len(town.answers):,} of {town.hour_count:,} requests, {len(town.failures)} failed, {town.repeats} asked twice; half of them within "
        f"{1000 * seconds[len(seconds) // 2]:.0f} ms, 99 % within {1000 * seconds[len(seconds) * 99 // 100]:.0f} ms"
        + "".join(f"; {failure}" for failure in town.failures[:3]),
    )


def _rollout_of(stage: Stage, project: str) -> Rollout | None:
    """The finished rollout of a candidate that was made by this code."""
    ours = {
        version.id
        for version in stage.client.call(ListModelVersions(model=SERVICE))
        if version.project == project
    }
    for rollout in stage.client.call(ListRollouts(service=SERVICE)):
        if rollout.state.is_final and rollout.candidate in ours:
            return rollout
    return None
