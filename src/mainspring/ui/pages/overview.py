"""The overview: how every service is, and what happened last."""

from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from mainspring.datasets.requests import ListDatasets
from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import Incident, Window
from mainspring.domain.pipeline import PipelineRun
from mainspring.domain.rollout import Deployment, ServingReport, Strategy
from mainspring.domain.service import Service
from mainspring.governance.requests import ListEvents
from mainspring.monitoring.requests import ListIncidents, ListWindows
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.services.requests import ListServices
from mainspring.serving.requests import ListDeployments, ListServingReports
from mainspring.ui.answering import Asked
from mainspring.ui.charts.bars import share_bar
from mainspring.ui.charts.spark import sparkline
from mainspring.ui.health import Health, health_of
from mainspring.ui.pages.timeline import decisions
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_SPARK_WINDOWS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCard:
    """A service as the overview shows it."""

    service: Service
    health: Health
    deployment: Deployment | None
    champion: ModelVersion | None
    candidate: ModelVersion | None
    since: datetime | None
    split: Markup
    split_words: tuple[tuple[str, float], ...]
    spark: Markup
    error_now: float | None
    incidents: tuple[Incident, ...]
    last_run: PipelineRun | None
    window: Window | None


def overview(reader: Reader, asked: Asked) -> Page:
    """Every service, and the newest decisions."""
    services = reader.ask(ListServices())
    deployments = {d.service: d for d in reader.ask(ListDeployments())}
    incidents = reader.ask(ListIncidents(open_only=True))
    reports = reader.ask(ListServingReports())
    cards = [
        service_card(
            reader,
            service,
            deployments.get(service.spec.name),
            tuple(i for i in incidents if i.service == service.spec.name),
            reports,
        )
        for service in services
    ]
    return Page(
        template="overview.html",
        title="Overview",
        section="overview",
        refresh_seconds=10 if cards else None,
        context={
            "cards": cards,
            "told": decisions(reader, limit=20),
            "datasets": reader.ask(ListDatasets()) if not cards else (),
        },
    )


def service_card(
    reader: Reader,
    service: Service,
    deployment: Deployment | None,
    incidents: tuple[Incident, ...],
    reports: tuple[ServingReport, ...],
) -> ServiceCard:
    """Put together what is known of one service."""
    name = service.spec.name
    runs = reader.ask(ListPipelineRuns(service=name, limit=1))
    windows = reader.ask(ListWindows(service=name, limit=_SPARK_WINDOWS))[::-1]
    rollout = deployment.rollout if deployment else None
    candidate = (
        reader.version(rollout.candidate) if rollout and not rollout.state.is_final else None
    )
    champion = reader.version(deployment.champion) if deployment else None
    errors = [measured_error(window) for window in windows]
    split, words = traffic_split(deployment, champion, candidate)
    last_run = runs[0] if runs else None
    return ServiceCard(
        service=service,
        health=health_of(
            service,
            deployment=deployment,
            incidents=incidents,
            last_run=last_run,
            reports=reports,
            now=reader.now,
        ),
        deployment=deployment,
        champion=champion,
        candidate=candidate,
        since=champion_since(reader, name) if champion else None,
        split=split,
        split_words=words,
        spark=sparkline(errors, "Error", windows[-1].expected_error if windows else None),
        error_now=next((e for e in reversed(errors) if e is not None), None),
        incidents=incidents,
        last_run=last_run,
        window=windows[-1] if windows else None,
    )


def champion_since(reader: Reader, service: str) -> datetime | None:
    """When the champion that answers now began to."""
    page = reader.ask(ListEvents(service=service, type="ChampionChanged", limit=1))
    return page.items[0].at if page.items else None


def measured_error(window: Window) -> float | None:
    """The mean absolute error over all labelled predictions of a window; for classes, the share of wrong ones."""
    total, count = 0.0, 0
    for p in window.performance:
        error = p.mae if p.mae is not None else None if p.accuracy is None else 1 - p.accuracy
        if error is not None:
            total += error * p.labelled_count
            count += p.labelled_count
    return total / count if count else None


def traffic_split(
    deployment: Deployment | None, champion: ModelVersion | None, candidate: ModelVersion | None
) -> tuple[Markup, tuple[tuple[str, float], ...]]:
    """The split as a bar, and in words."""
    if deployment is None or (champion is None and candidate is None):
        return Markup(), ()
    rollout = deployment.rollout
    share = rollout.share if rollout and candidate else 0.0
    words: list[tuple[str, float]] = []
    if champion:
        words.append((f"v{champion.number}", 1 - share))
    if candidate and rollout:
        shadow = rollout.strategy is Strategy.SHADOW
        words.append((f"v{candidate.number}" + (" in the shadow" if shadow else ""), share))
    bar = share_bar(
        [(1 - share if champion else 0.0, "share-champion"), (share, "share-candidate")],
        "Traffic: " + ", ".join(f"{word} {part:.0%}" for word, part in words),
    )
    return bar, tuple(words)
