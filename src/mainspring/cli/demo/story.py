"""What happens in the demo, chapter by chapter. Nothing here decides: it acts as users do, waits, and checks."""

import statistics
import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mainspring.cli.commands.apply import apply_declaration
from mainspring.cli.demo.deliveries import DATASET, DataTeam
from mainspring.cli.demo.engine_room import EngineRoom
from mainspring.cli.demo.folder import DemoFolder
from mainspring.cli.demo.slow_idea import have_the_idea
from mainspring.cli.demo.teller import Teller
from mainspring.cli.demo.town import LABEL_DELAY, Pace, Town
from mainspring.cli.demo.watch import first_event, pace_for, wait_for
from mainspring.config import Settings
from mainspring.datasets.requests import GetDatasetVersion, GetDatasetVersionById
from mainspring.domain.gate import GateOutcome
from mainspring.domain.monitor import FindingKind, Incident, Window
from mainspring.domain.rollout import Rollout, RolloutState
from mainspring.kernel.errors import MainspringError, NotFound
from mainspring.monitoring.requests import ListIncidents, ListWindows
from mainspring.pipelines.requests import GetPipelineRun, ListPipelineRuns, ListSteps
from mainspring.quality.report import report_lines
from mainspring.registry.requests import GetModelVersionById, ListModelVersions
from mainspring.services.requests import PauseService, ResumeService
from mainspring.serving.requests import GetDeployment, ListRollouts

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.model import ModelVersion
    from mainspring.sdk.client import Client

SERVICE = "demand"
NEW_YEAR = datetime(2012, 1, 1, tzinfo=UTC)

_TRAINING_SECONDS = 60.0
_INCIDENT_SECONDS = 90.0
_ROLLOUT_SECONDS = 60.0


@dataclass(slots=True)
class Stage:
    """All that the chapters share."""

    teller: Teller
    settings: Settings
    folder: DemoFolder
    rides: "pl.DataFrame"
    engine: EngineRoom
    client: "Client"
    data: DataTeam
    speed: float
    town: Town | None = None
    watching: bool = True
    deliveries: list[str] = field(default_factory=list)

    @property
    def stage_town(self) -> Town:
        assert self.town is not None
        return self.town


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """A change of the flow under way: the text before it, the code with it, and failed requests until then."""

    original: str
    project: str
    failures: int


def first_year(stage: Stage) -> None:
    """The first year becomes version 1 of the dataset; its schema is inferred and checked."""
    tell = stage.teller
    result = stage.data.deliver(NEW_YEAR)
    tell.fact(f"rides version {result.version.number}: {result.version.row_count:,} hours of 2011")
    from mainspring.datasets.tables import scan
    from mainspring.quality.checks import check_table
    from mainspring.quality.infer import infer_schema
    from mainspring.quality.schema_file import parse_schema

    table = scan(stage.client.blobs, result.version.manifest)
    inferred = infer_schema(DATASET, table)
    owned = parse_schema((stage.folder.project / "rides.schema.toml").read_text())
    by_inferred, by_owned = check_table(inferred, table), check_table(owned, table)
    tell.claim(
        "the first year passes the schema inferred from it, and the one that people made of it",
        by_inferred.passed and by_owned.passed,
        f"{len(by_inferred.results)} checks inferred, {len(by_owned.results)} in rides.schema.toml, "
        f"on {by_owned.row_count:,} rows",
    )


def declare(stage: Stage) -> None:
    """`mainspring apply`: the loops see a service without a model, and see to it."""
    tell = stage.teller
    changes = apply_declaration(
        stage.client, stage.settings, stage.folder.project / "mainspring.toml"
    )
    tell.fact(f"mainspring apply: service {changes[0].service} is {changes[0].state}")
    champion = wait_for(
        lambda: _champion(stage),
        "a first champion",
        seconds=_TRAINING_SECONDS,
        meanwhile=stage.engine.check,
    )
    run = stage.client.call(GetPipelineRun(run=champion.run or ""))
    steps = stage.client.call(ListSteps(run=run.id))
    tell.fact(f"{run.requested_by} asked for a run: {run.why}")
    tell.fact(f"steps, each in a process of its own: {', '.join(step.node for step in steps)}")
    tell.facts(_gate_lines(champion))
    changed = first_event(stage.client, "ChampionChanged", service=SERVICE)
    tell.claim(
        "a loop trained, judged and deployed the first model; nobody else did",
        changed is not None
        and changed.actor.startswith("loop:")
        and run.requested_by.startswith("loop:"),
        f"{champion.model} version {champion.number} answers; {changed.actor if changed else '-'}: "
        f"{changed.why if changed else '-'}",
    )


def second_year(stage: Stage) -> Incident:
    """Every hour of 2012 is asked about; the error grows until an incident opens."""
    import polars as pl

    tell = stage.teller
    town = stage.town = Town(
        stage.rides.filter(pl.col("time") >= NEW_YEAR.replace(tzinfo=None)),
        serving_url=_serving_url(stage),
        service=SERVICE,
        hours_per_second=stage.speed,
        deliver=lambda until: _deliver(stage, until),
    )
    town.keep_back = 0.65
    tell.start_bar(town.hour_count)
    town.start()
    threading.Thread(target=_watch, args=(stage,), name="watch", daemon=True).start()
    incident = wait_for(
        lambda: _open_incident(stage),
        "an incident",
        seconds=_INCIDENT_SECONDS,
        meanwhile=lambda: _look_after(stage),
    )
    windows = stage.client.call(ListWindows(service=SERVICE, limit=1000))
    tell.fact(f"it is {town.now:%d %B %Y} in the town; {len(town.answers):,} hours were answered")
    tell.facts(_window_line(window) for window in reversed(windows))
    drifting = [
        w for w in windows if _has(w, FindingKind.FEATURE_DRIFT, FindingKind.PREDICTION_DRIFT)
    ]
    growing = [w for w in windows if _has(w, FindingKind.ERROR_GROWTH)]
    tell.claim(
        "the monitor's windows show drift, and the error growing",
        bool(drifting) and bool(growing),
        f"{len(drifting)} of {len(windows)} weeks drifted, {len(growing)} with an error a quarter above "
        "what the model showed when it was accepted",
    )
    tell.fact(f"incident: {incident.summary}")
    for finding in incident.findings[:8]:
        effect = f", {finding.effect:+.1f} on the error" if finding.effect is not None else ""
        tell.fact(f"  {finding.kind.value} {finding.feature or ''}: {finding.detail}{effect}")
    opened = first_event(stage.client, "IncidentOpened", service=SERVICE)
    tell.claim(
        "an incident opened with its evidence",
        bool(incident.findings) and opened is not None and opened.actor.startswith("loop:"),
        f"{incident.id}: {len(incident.findings)} findings from {len(incident.windows)} weeks, "
        f"by {opened.actor if opened else '-'}",
    )
    return incident


def renewal(stage: Stage, incident: Incident) -> None:
    """The loops retrain, compare, roll out and promote."""
    tell, call = stage.teller, stage.client.call
    first = _version_number(stage, 1)
    rollout = wait_for(
        lambda: _finished_rollout(stage, {first.id}),
        "a finished rollout of a challenger",
        seconds=_TRAINING_SECONDS + _ROLLOUT_SECONDS,
        meanwhile=lambda: _look_after(stage),
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
    tell.facts(_gate_lines(challenger))
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
    first = _version_number(stage, 1)
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
        meanwhile=lambda: _look_after(stage),
    )
    stage.stage_town.least_pace = 0.0
    stage.teller.claim(
        "the error is seen to fall",
        statistics.mean(after) < statistics.mean(before),
        f"mean absolute error by week: {_numbers(before)} under version 1, then {_numbers(after)}",
    )


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


def an_idea(stage: Stage) -> Idea:
    """Somebody changes the flow for the better, as it seems, and applies it; the loops take it from there."""
    flow = stage.folder.project / "flow.py"
    original = have_the_idea(flow)
    failures = len(stage.stage_town.failures)
    # Known to the day, so that the challenger learns from weeks that the champion has not seen.
    stage.data.deliver(stage.stage_town.now - LABEL_DELAY)
    _apply(stage)
    service = stage.client.call(ResumeService(name=SERVICE))
    stage.teller.fact(
        "somebody has an idea: flow.py averages a hundred forecasts now; applied, the service goes on"
    )
    return Idea(original=original, project=service.project, failures=failures)


def slow_candidate(stage: Stage, idea: Idea) -> None:
    """What came of the idea: it passes offline, is too slow live, and the canary takes it back."""
    tell, call, town = stage.teller, stage.client.call, stage.stage_town
    rollout = wait_for(
        lambda: _rollout_of(stage, idea.project),
        "the end of the slow candidate's rollout",
        seconds=_TRAINING_SECONDS + _ROLLOUT_SECONDS,
        meanwhile=lambda: _look_after(stage),
    )
    (stage.folder.project / "flow.py").write_text(idea.original)
    _apply(stage)
    candidate = call(GetModelVersionById(id=rollout.candidate))
    tell.facts(_gate_lines(candidate))
    answered = [a for a in town.answers if a.version == str(candidate.number)]
    champion = _champion(stage)
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
        meanwhile=lambda: _look_after(stage),
    )
    _look_after(stage)
    tell.stop_bar()
    seconds = sorted(answer.seconds for answer in town.answers) or [0.0]
    tell.claim(
        "every hour of the second year was answered",
        len(town.answers) == town.hour_count and not town.failures,
        f"{len(town.answers):,} of {town.hour_count:,} requests, {len(town.failures)} failed; half of them within "
        f"{1000 * seconds[len(seconds) // 2]:.0f} ms, 99 % within {1000 * seconds[len(seconds) * 99 // 100]:.0f} ms"
        + "".join(f"; {failure}" for failure in town.failures[:3]),
    )


def _deliver(stage: Stage, until: datetime) -> None:
    # The truth about the last day is not known yet.
    result = stage.data.deliver(until - LABEL_DELAY)
    stage.deliveries.append(f"{result.version.number}: {result.version.state.value}")


def _watch(stage: Stage) -> None:
    """Slow the town's time while the loops are busy, and keep the bar up to date."""
    import time

    while stage.watching:
        try:
            stage.stage_town.pace = pace_for(stage.client, SERVICE)
        except MainspringError:
            # The server restarts, perhaps: the story itself says if it stays away.
            stage.stage_town.pace = Pace.TRAINING
        town = stage.stage_town
        stage.teller.bar(town.sent, f"{town.now:%d %b %Y}, {len(town.answers):,} answered")
        time.sleep(0.2)


def _look_after(stage: Stage) -> None:
    """Raise what went wrong elsewhere instead of waiting in vain."""
    stage.engine.check()
    if stage.town is not None and stage.town.error is not None:
        raise stage.town.error


def _pause_when_quiet(stage: Stage) -> None:
    """Pause the service while neither a run nor a rollout is under way."""

    def look() -> bool | None:
        if _is_busy(stage):
            return None
        stage.client.call(PauseService(name=SERVICE))
        if not _is_busy(stage):
            return True
        # A loop was faster.
        stage.client.call(ResumeService(name=SERVICE))
        return None

    wait_for(
        look,
        "quiet",
        seconds=_TRAINING_SECONDS + _ROLLOUT_SECONDS,
        meanwhile=lambda: _look_after(stage),
    )


def _is_busy(stage: Stage) -> bool:
    deployment = stage.client.call(GetDeployment(service=SERVICE))
    runs = stage.client.call(ListPipelineRuns(service=SERVICE, limit=3))
    (newest,) = stage.client.call(ListModelVersions(model=SERVICE, limit=1))
    return (
        (deployment is not None and deployment.rollout is not None)
        or any(not run.state.is_final for run in runs)
        or newest.gate_results is None
    )


def _apply(stage: Stage) -> None:
    declaration = stage.folder.project / "mainspring.toml"
    apply_declaration(stage.client, stage.settings, declaration)


def _champion(stage: Stage) -> "ModelVersion | None":
    deployment = stage.client.call(GetDeployment(service=SERVICE))
    if deployment is None or deployment.champion is None:
        return None
    return stage.client.call(GetModelVersionById(id=deployment.champion))


def _open_incident(stage: Stage) -> Incident | None:
    found = stage.client.call(ListIncidents(service=SERVICE))
    return found[-1] if found else None


def _finished_rollout(stage: Stage, known: Collection[str]) -> Rollout | None:
    """The oldest finished rollout of a candidate that is not `known`."""
    rollouts = stage.client.call(ListRollouts(service=SERVICE))
    for rollout in sorted(rollouts, key=lambda each: each.started_at):
        if rollout.state.is_final and rollout.candidate not in known:
            return rollout
    return None


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


def _shares(stage: Stage, rollout: Rollout) -> list[float]:
    from mainspring.cli.demo.watch import all_events

    return [
        float(str(event.payload["share"]))
        for event in all_events(stage.client, SERVICE)
        if event.type in ("RolloutStarted", "RolloutAdvanced")
        and event.payload["rollout"] == rollout.id
    ]


def _version_number(stage: Stage, number: int) -> "ModelVersion":
    for version in stage.client.call(ListModelVersions(model=SERVICE)):
        if version.number == number:
            return version
    raise NotFound(f"there is no version {number} of {SERVICE}")


def _serving_url(stage: Stage) -> str:
    return str(stage.engine.wait_until_ready()["serving_url"])


def _gate_lines(version: "ModelVersion") -> list[str]:
    return [
        f"gate: version {version.number} {result.outcome.value}: {result.detail}"
        for result in version.gate_results or ()
    ]


def _has(window: Window, *kinds: FindingKind) -> bool:
    return any(finding.kind in kinds for finding in window.findings)


def _window_line(window: Window) -> str:
    measured = [f"{each.mae:.0f}" for each in window.performance if each.mae is not None]
    expected = f"{window.expected_error:.0f}" if window.expected_error is not None else "-"
    estimated = f"{window.estimated_error:.0f}" if window.estimated_error is not None else "-"
    worst = sorted(window.drift, key=lambda each: -each.psi)[:2]
    drift = ", ".join(f"{each.feature} {each.psi:.2f}" for each in worst)
    return (
        f"week of {window.start:%d %b}: error expected {expected}, estimated {estimated}, "
        f"measured {', '.join(measured) or '-'}; most drift: {drift}"
    )


def _numbers(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)
