"""A model is trained anew, compared, rolled out and promoted, and the error falls."""

import statistics
from collections.abc import Collection
from typing import TYPE_CHECKING

from mainspring.cli.demo.deliveries import DATASET
from mainspring.cli.demo.watch import wait_for
from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.domain.gate import GateOutcome
from mainspring.domain.monitor import Incident
from mainspring.domain.rollout import Rollout, RolloutState
from mainspring.monitoring.requests import ListWindows
from mainspring.pipelines.requests import GetPipelineRun
from mainspring.registry.requests import GetModelVersionById
from mainspring.services.requests import PauseService, ResumeService
from mainspring.serving.requests import ListRollouts

if TYPE_CHECKING:
    pass

from mainspring.cli.demo.stage import (
    ROLLOUT_SECONDS,
    SERVICE,
    TRAINING_SECONDS,
    Stage,
    gate_lines,
    is_busy,
    look_after,
    numbers,
    version_number,
)


def renewal(stage: Stage, incident: Incident) -> None:
    """The loops retrain, compare, roll out and promote."""
    tell, call = stage.teller, stage.client.call
    first = version_number(stage, 1)
    rollout = wait_for(
        lambda: finished_rollout(stage, {first.id}),
        "a finished rollout of a challenger",
        seconds=TRAINING_SECONDS + ROLLOUT_SECONDS,
        meanwhile=lambda: look_after(stage),
    )
    challenger = call(GetModelVersionById(id=rollout.candidate))
    run = call(GetPipelineRun(run=challenger.run or ""))
    before = call(GetPipelineRun(run=first.run or "")).inputs[DATASET]
    data = call(GetDatasetVersionById(id=run.inputs[DATASET]))
    old = call(GetDatasetVersionById(id=before))
    tell.claim(
        "the loop retrained on newer data",
        data.number > old.number and run.requested_by.startswith("loop:"),
        f"{run.id} on rides version {data.number} instead of {old.number}, "
        f"{data.row_count or 0:,} hours instead of {old.row_count or 0:,}; because {run.why}",
    )
    tell.facts(gate_lines(challenger))
    versus = [r for r in challenger.gate_results or () if r.interval is not None]
    tell.claim(
        "the challenger beat the champion on the same, latest labelled hours",
        bool(versus) and all(r.outcome is GateOutcome.PASSED for r in versus),
        "; ".join(r.detail for r in versus),
    )
    shares = _shares(stage, rollout)
    tell.claim(
        "it came into service by canary, step by step, and was promoted",
        rollout.state is RolloutState.PROMOTED and len(shares) > 1,
        f"shares of the traffic: {', '.join(f'{share:.0%}' for share in shares)}; "
        + "; ".join(
            f"{r.guard.metric.value} {r.observed:.4g}"
            for r in rollout.readings
            if r.observed is not None
        ),
    )


def error_falls(stage: Stage) -> None:
    """Compare the last weeks before a challenger answered with the first ones after it."""
    first = version_number(stage, 1)
    _pause_when_quiet(stage)
    stage.teller.fact("somebody wants to work on the flow: mainspring service pause demand")

    def weeks() -> tuple[list[float], list[float]]:
        windows = stage.client.call(ListWindows(service=SERVICE, limit=1000))
        entries = [e for w in reversed(windows) for e in w.performance if e.labelled_count >= 100]
        before = [e.mae for e in entries if e.mae is not None and e.version == first.id]
        after = [e.mae for e in entries if e.mae is not None and e.version != first.id]
        return before[-3:], after

    stage.stage_town.least_pace = 0.5
    before, after = wait_for(
        lambda: found if len((found := weeks())[1]) >= 3 else None,
        "labelled weeks under the new champion",
        seconds=60,
        meanwhile=lambda: look_after(stage),
    )
    stage.stage_town.least_pace = 0.0
    stage.teller.claim(
        "the error is seen to fall",
        statistics.mean(after) < statistics.mean(before),
        f"mean absolute error by week: {numbers(before)} under version 1, then {numbers(after)}",
    )


def _pause_when_quiet(stage: Stage) -> None:
    """Pause the service while neither a run nor a rollout is under way."""

    def look() -> bool | None:
        if is_busy(stage):
            return None
        stage.client.call(PauseService(name=SERVICE))
        if not is_busy(stage):
            return True
        # A loop was faster.
        stage.client.call(ResumeService(name=SERVICE))
        return None

    wait_for(
        look,
        "quiet",
        seconds=TRAINING_SECONDS + ROLLOUT_SECONDS,
        meanwhile=lambda: look_after(stage),
    )


def finished_rollout(stage: Stage, known: Collection[str]) -> Rollout | None:
    """The oldest finished rollout of a candidate that is not `known`."""
    rollouts = stage.client.call(ListRollouts(service=SERVICE))
    for rollout in sorted(rollouts, key=lambda each: each.started_at):
        if rollout.state.is_final and rollout.candidate not in known:
            return rollout
    return None


def _shares(stage: Stage, rollout: Rollout) -> list[float]:
    from mainspring.cli.demo.watch import all_events

    return [
        float(str(event.payload["share"]))
        for event in all_events(stage.client, SERVICE)
        if event.type in ("RolloutStarted", "RolloutAdvanced")
        and event.payload["rollout"] == rollout.id
    ]
