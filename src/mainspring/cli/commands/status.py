"""`mainspring status`: one screen that says what is running and how it is doing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.model import ModelVersion
    from mainspring.domain.monitor import Incident, IncidentId, Window
    from mainspring.domain.pipeline import PipelineRun
    from mainspring.domain.rollout import Deployment, ServingReport
    from mainspring.domain.service import Service
    from mainspring.sdk.client import Client


_WIDEST = 120
"""Of reasons, which can be long; `incident show` and `run show` give all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """What there is to say about one service."""

    service: "Service"
    deployment: "Deployment | None"
    champion: "ModelVersion | None"
    candidate: "ModelVersion | None"
    incidents: "tuple[Incident, ...]"
    waits_for: "dict[IncidentId, str]"
    """What closes each open incident."""
    window: "Window | None"
    runs: "tuple[PipelineRun, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole installation. `up` is what its supervisor says of itself, or None if none runs here."""

    home: str
    up: dict[str, object] | None
    serving: "tuple[ServingReport, ...]"
    services: tuple[ServiceStatus, ...]


@click.command()
@pass_session
def status(session: Session, /) -> None:
    """Show services, what answers for them, rollouts, incidents and runs."""
    from mainspring.server.supervisor import is_up, read_state

    settings = session.settings
    local = not settings.url
    with session.client() as client:
        found = look(
            client,
            home=settings.url or str(settings.home),
            up=read_state(settings.home) if local and is_up(settings.home) else None,
        )
    session.show(found, status_lines(found))


def look(client: "Client", *, home: str, up: dict[str, object] | None) -> Status:
    """Gather the status through the same operations that everything uses."""
    from mainspring.services.requests import ListServices
    from mainspring.serving.requests import ListServingReports

    return Status(
        home=home,
        up=up,
        serving=client.call(ListServingReports()),
        services=tuple(_service(client, each) for each in client.call(ListServices())),
    )


def _service(client: "Client", service: "Service") -> ServiceStatus:
    from mainspring.monitoring.recovery import RECENT_WINDOWS, waits_for
    from mainspring.monitoring.requests import ListIncidents, ListWindows
    from mainspring.pipelines.requests import ListPipelineRuns
    from mainspring.registry.requests import GetModelVersionById
    from mainspring.serving.requests import GetDeployment

    name = service.spec.name
    deployment = client.call(GetDeployment(service=name))
    rollout = deployment.rollout if deployment else None
    incidents = client.call(ListIncidents(service=name, open_only=True))
    windows = client.call(ListWindows(service=name, limit=RECENT_WINDOWS if incidents else 1))

    def version(id_: str | None) -> "ModelVersion | None":
        return client.call(GetModelVersionById(id=id_)) if id_ else None

    champion = version(deployment.champion if deployment else None)
    waits = {
        incident.id: waits_for(
            incident,
            windows,
            service.spec.monitor,
            champion.id if champion else None,
            number=champion.number if champion else None,
        )
        for incident in incidents
    }
    return ServiceStatus(
        service=service,
        deployment=deployment,
        champion=champion,
        candidate=version(rollout.candidate if rollout else None),
        incidents=incidents,
        waits_for={id_: text for id_, text in waits.items() if text},
        window=windows[0] if windows else None,
        runs=client.call(ListPipelineRuns(service=name, limit=3)),
    )


def status_lines(found: Status) -> Iterator[str]:
    """A status as text."""
    from mainspring.cli.show import text_of

    if found.up:
        yield f"up: pages and API {found.up['url']} , predictions {found.up['serving_url']}"
    else:
        yield f"home {found.home}: no supervisor runs here (`mainspring up` starts one)"
    for report in found.serving:
        yield f"serving: {report.address}, {len(report.ready)} versions ready"
        yield from (f"  failed: {id_}: {why}" for id_, why in report.failed.items())
    if not found.services:
        yield "no services are declared yet: write mainspring.toml, then `mainspring apply`"
    for each in found.services:
        yield ""
        paused = " (paused)" if each.service.paused else ""
        yield f"{each.service.spec.name}{paused}"
        yield f"  champion   {_version_text(each.champion)}"
        yield from _rollout_lines(each)
        yield from _window_lines(each.window)
        for incident in each.incidents:
            yield f"  INCIDENT   {incident.kind.value} since {text_of(incident.opened_at)}: {_cut(incident.summary)}"
            yield f"             it waits for {each.waits_for[incident.id]}"
        if not each.incidents:
            yield "  incidents  none open"
        for run in each.runs:
            yield f"  run        {run.id} {run.state.value} {text_of(run.requested_at)}: {_cut(run.why)}"


def _rollout_lines(each: ServiceStatus) -> Iterator[str]:
    rollout = each.deployment.rollout if each.deployment else None
    if rollout is not None:
        share = f"{rollout.share:.0%} of the traffic" if rollout.share else "no traffic yet"
        yield f"  candidate  {_version_text(each.candidate)}: {rollout.state.value}, {share}"
        for reading in rollout.readings:
            observed = "-" if reading.observed is None else f"{reading.observed:.4g}"
            yield (
                f"             {reading.guard.metric.value} {observed} "
                f"(at most {reading.guard.max:g}): {reading.outcome.value}"
            )


def _window_lines(window: "Window | None") -> Iterator[str]:
    if window is None:
        yield "  traffic    none seen yet"
        return
    from mainspring.cli.show import text_of

    errors = ", ".join(
        f"{word} {value:.4g}"
        for word, value in (
            ("expected", window.expected_error),
            ("estimated", window.estimated_error),
            *(("measured", each.mae) for each in window.performance),
        )
        if value is not None
    )
    yield (
        f"  window     from {text_of(window.start)}: {window.row_count} predictions, "
        f"{window.labelled_count} labelled" + (f"; error {errors}" if errors else "")
    )


def _version_text(version: "ModelVersion | None") -> str:
    if version is None:
        return "none yet"
    metrics = ", ".join(
        f"{name} {value:.4g}" for name, value in sorted(version.metrics.items())[:4]
    )
    return f"{version.model} version {version.number}" + (f" ({metrics})" if metrics else "")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"
