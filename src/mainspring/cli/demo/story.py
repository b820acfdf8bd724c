"""The first chapters: data, a service, a model, and a world that changes. They act as users do, wait, and check."""

import threading
from datetime import datetime
from typing import TYPE_CHECKING

from mainspring.cli.commands.apply import apply_declaration
from mainspring.cli.demo.deliveries import DATASET
from mainspring.cli.demo.town import LABEL_DELAY, Pace, Town
from mainspring.cli.demo.watch import first_event, pace_for, wait_for
from mainspring.domain.monitor import FindingKind, Incident, Window
from mainspring.kernel.errors import MainspringError
from mainspring.monitoring.requests import ListIncidents, ListWindows
from mainspring.pipelines.requests import GetPipelineRun, ListSteps

if TYPE_CHECKING:
    pass

from mainspring.cli.demo.stage import (
    INCIDENT_SECONDS,
    NEW_YEAR,
    SERVICE,
    TRAINING_SECONDS,
    Stage,
    current_champion,
    gate_lines,
    look_after,
)


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
        lambda: current_champion(stage),
        "a first champion",
        seconds=TRAINING_SECONDS,
        meanwhile=stage.engine.check,
    )
    run = stage.client.call(GetPipelineRun(run=champion.run or ""))
    steps = stage.client.call(ListSteps(run=run.id))
    tell.fact(f"{run.requested_by} asked for a run: {run.why}")
    tell.fact(f"steps, each in a process of its own: {', '.join(step.node for step in steps)}")
    tell.facts(gate_lines(champion))
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
        seconds=INCIDENT_SECONDS,
        meanwhile=lambda: look_after(stage),
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


def _open_incident(stage: Stage) -> Incident | None:
    found = stage.client.call(ListIncidents(service=SERVICE))
    return found[-1] if found else None


def _serving_url(stage: Stage) -> str:
    return str(stage.engine.wait_until_ready()["serving_url"])


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
