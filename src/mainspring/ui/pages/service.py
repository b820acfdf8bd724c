"""One service: what answers, how well, and every decision about it."""

from dataclasses import dataclass

from mainspring.datasets.requests import ListDatasets
from mainspring.domain.actor import Permission
from mainspring.domain.approval import Approval
from mainspring.domain.model import ModelVersion
from mainspring.domain.rollout import Deployment, GuardReading, Rollout, RolloutState
from mainspring.domain.service import Service
from mainspring.governance.requests import ListEvents
from mainspring.monitoring.requests import ListIncidents, ListWindows
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.registry.requests import ListApprovals, ListModels, ListModelVersions
from mainspring.services.requests import GetService, PauseService, ResumeService
from mainspring.serving.requests import (
    GetDeployment,
    ListRollouts,
    ListServingReports,
    RollBack,
    RollBackRollout,
)
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.health import SILENT_AFTER
from mainspring.ui.pages.overview import service_card
from mainspring.ui.pages.timeline import decisions
from mainspring.ui.pages.watching import drift_map, error_chart, volume
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_WINDOWS = (24, 96, 336, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardLine:
    """A guard of a rollout with what it saw last, if anything."""

    metric: str
    limit: float
    min_requests: int
    reading: GuardReading | None


def service(reader: Reader, asked: Asked) -> Page:
    """All there is to see of one service."""
    name = asked.path["name"]
    found = reader.ask(GetService(name=name))
    deployment = reader.ask(GetDeployment(service=name))
    reports = reader.ask(ListServingReports())
    incidents = reader.ask(ListIncidents(service=name, limit=20))
    rollouts = reader.ask(ListRollouts(service=name, limit=20))
    rollout = deployment.rollout if deployment and deployment.rollout else None
    shown_rollout = rollout or (rollouts[0] if rollouts else None)
    count = _window_count(asked)
    windows = reader.ask(ListWindows(service=name, limit=count))[::-1]
    champions = reader.ask(ListEvents(service=name, type="ChampionChanged", limit=20)).items
    active = shown_rollout is not None and not shown_rollout.state.is_final
    return Page(
        template="service.html",
        title=name,
        section=f"service:{name}",
        refresh_seconds=2 if active else 10,
        context={
            "service": found,
            "card": service_card(
                reader, found, deployment, tuple(i for i in incidents if i.is_open), reports
            ),
            "deployment": deployment,
            "previous": reader.version(deployment.previous) if deployment else None,
            "reports": [(r, reader.now - r.at <= SILENT_AFTER) for r in reports],
            "rollout": shown_rollout,
            "rollout_candidate": reader.version(shown_rollout.candidate) if shown_rollout else None,
            "rollout_champion": reader.version(shown_rollout.champion) if shown_rollout else None,
            "guards": guard_lines(shown_rollout) if shown_rollout else (),
            "approvals": _approvals(reader, shown_rollout),
            "past_rollouts": [(r, reader.version(r.candidate)) for r in rollouts],
            "error_chart": error_chart(
                reader,
                windows,
                champions=champions,
                incidents=incidents,
                max_growth=found.spec.monitor.max_error_growth,
            ),
            "drift_map": drift_map(windows),
            "volume": volume(windows),
            "window_counts": _WINDOWS,
            "window_count": count,
            "incidents": incidents[:6],
            "runs": reader.ask(ListPipelineRuns(service=name, limit=6)),
            "versions": _versions(reader, found),
            "known_datasets": {dataset.name for dataset in reader.ask(ListDatasets())},
            "told": decisions(
                reader, service=name, limit=60, details=asked.get("details") is not None
            ),
            "details": asked.get("details") is not None,
            "may_operate": reader.may(Permission.OPERATE),
            "may_deploy": reader.may(Permission.DEPLOY),
            "may_approve": reader.may(Permission.APPROVE),
            "can_roll_back": _can_roll_back(deployment),
        },
    )


def guard_lines(rollout: Rollout) -> tuple[GuardLine, ...]:
    """The guards, each with its latest reading."""
    readings = {(r.guard.metric, r.guard.max): r for r in rollout.readings}
    return tuple(
        GuardLine(
            metric=guard.metric.value,
            limit=guard.max,
            min_requests=guard.min_requests,
            reading=readings.get((guard.metric, guard.max)),
        )
        for guard in rollout.guards
    )


def pause(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Stop the loops for this service."""
    reader.ask(PauseService(name=asked.path["name"]))
    return links.to_service(asked.path["name"])


def resume(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Let the loops act on this service again."""
    reader.ask(ResumeService(name=asked.path["name"]))
    return links.to_service(asked.path["name"])


def roll_back(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Put the previous champion back."""
    name = asked.path["name"]
    reader.ask(RollBack(service=name, why=_reason(fields)))
    return links.to_service(name)


def end_rollout(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """End the rollout that is under way."""
    reader.ask(RollBackRollout(rollout=fields.get("rollout", ""), why=_reason(fields)))
    return links.to_service(asked.path["name"])


def _reason(fields: dict[str, str]) -> str:
    return fields.get("why", "").strip()[:2000] or "by hand, from the pages"


def _window_count(asked: Asked) -> int:
    wanted = asked.get("windows") or ""
    return int(wanted) if wanted.isdigit() and int(wanted) in _WINDOWS else _WINDOWS[1]


def _approvals(reader: Reader, rollout: Rollout | None) -> tuple[Approval, ...]:
    if rollout is None or rollout.state is not RolloutState.WAITING:
        return ()
    return reader.ask(ListApprovals(version=rollout.candidate))


def _versions(reader: Reader, found: Service) -> tuple[ModelVersion, ...]:
    models = {model.name for model in reader.ask(ListModels())}
    if found.spec.model not in models:
        return ()
    return reader.ask(ListModelVersions(model=found.spec.model, limit=6))


def _can_roll_back(deployment: Deployment | None) -> bool:
    """A rollout under way has a button of its own to end it."""
    return deployment is not None and deployment.previous is not None and deployment.rollout is None
