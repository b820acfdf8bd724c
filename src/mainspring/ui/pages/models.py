"""Registered models and their versions: what they showed, and how they came to be."""

from mainspring.blobs.trees import read_manifest
from mainspring.domain.actor import Permission
from mainspring.domain.dataset import Manifest
from mainspring.domain.model import ModelVersion
from mainspring.domain.service import Service
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import Corrupt, NotFound
from mainspring.monitoring.trace import lineage_of
from mainspring.registry.requests import (
    GetModel,
    GetModelVersion,
    GiveApproval,
    ListModels,
    ListModelVersions,
)
from mainspring.services.requests import ListServices
from mainspring.serving.requests import ListDeployments, ListRollouts
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.charts.lines import LineChart, Series, line_chart
from mainspring.ui.pages.provenance import describe_code, describe_environment
from mainspring.ui.pages.timeline import told
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_METRIC_COLUMNS = 6


def models(reader: Reader, asked: Asked) -> Page:
    """Every registered model."""
    return Page(
        template="models.html",
        title="Models",
        section="models",
        context={"models": reader.ask(ListModels())},
    )


def model(reader: Reader, asked: Asked) -> Page:
    """One model with all its versions."""
    name = asked.path["model"]
    found = reader.ask(GetModel(model=name))
    versions = reader.ask(ListModelVersions(model=name, limit=200))
    columns = _metric_columns(versions)
    fates = _fates(reader, name)
    charts = [
        line_chart(
            LineChart(
                id=f"metric-{i}",
                title=key,
                series=[
                    Series(
                        name=key,
                        points=[(float(v.number), v.metrics.get(key)) for v in reversed(versions)],
                        class_="s1",
                    )
                ],
                is_time=False,
                x_name="version",
                height=150,
                from_zero=False,
            )
        )
        for i, key in enumerate(columns[:4])
        if sum(key in v.metrics for v in versions) > 1
    ]
    return Page(
        template="model.html",
        title=name,
        section="models",
        context={
            "model": found,
            "versions": versions,
            "columns": columns,
            "charts": charts,
            "fates": fates,
        },
    )


def model_version(reader: Reader, asked: Asked) -> Page:
    """One version: evidence, lineage, who said what."""
    name, number = asked.path["model"], asked.path["number"]
    if not number.isdigit() or len(number) > 9:
        raise NotFound(f"{number[:40]!r} is not the number of a version of {name!r}")
    version = reader.ask(GetModelVersion(model=name, number=int(number)))
    serving = [
        (
            d.service,
            "champion"
            if d.champion == version.id
            else "previous champion"
            if d.previous == version.id
            else "candidate",
        )
        for d in reader.ask(ListDeployments())
        if version.id in (d.champion, d.previous)
        or (d.rollout and d.rollout.candidate == version.id and not d.rollout.state.is_final)
    ]
    service = _service_of(reader, version)
    lineage = lineage_of(reader.ask, version, service.spec.name if service else None)
    events = reader.ask(ListEvents(subject=version.id, limit=100)).items
    return Page(
        template="model_version.html",
        title=f"{name} v{number}",
        section="models",
        context={
            "version": version,
            "lineage": lineage,
            "code": describe_code(reader.app.blobs, lineage.project),
            "environment": describe_environment(reader.app.blobs, lineage.environment),
            "serving": serving,
            "service": service.spec.name if service else None,
            "files": _files(reader, version),
            "told": told(reader, list(events)),
            "may_approve": service is not None
            and service.spec.retrain.approvals.production > 0
            and reader.may(Permission.APPROVE),
            "approval_action": links.to_model(name, version.number) + "/approval",
        },
    )


def approve(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Say yes or no to a version."""
    name, number = asked.path["model"], asked.path["number"]
    version = reader.ask(GetModelVersion(model=name, number=int(number) if number.isdigit() else 0))
    reader.ask(
        GiveApproval(
            service=fields.get("service", ""),
            model=name,
            number=version.number,
            approved=fields.get("answer") == "yes",
            reason=fields.get("reason", "").strip()[:2000],
        )
    )
    return links.to_model(name, version.number) + "#approvals"


def _fates(reader: Reader, model: str) -> dict[str, str]:
    """What became of each version that was rolled out, by its id."""
    fates: dict[str, str] = {}
    for service in reader.ask(ListServices()):
        if service.spec.model == model:
            for rollout in reader.ask(ListRollouts(service=service.spec.name, limit=1000)):
                fates.setdefault(rollout.candidate, rollout.state.value)
    return fates


def _service_of(reader: Reader, version: ModelVersion) -> Service | None:
    """The service whose declaration names this model."""
    for service in reader.ask(ListServices()):
        if service.spec.model == version.model:
            return service
    return None


def _metric_columns(versions: tuple[ModelVersion, ...]) -> list[str]:
    counts: dict[str, int] = {}
    for version in versions:
        for key in version.metrics:
            counts[key] = counts.get(key, 0) + 1
    return sorted(counts, key=lambda key: (-counts[key], key))[:_METRIC_COLUMNS]


def _files(reader: Reader, version: ModelVersion) -> Manifest | None:
    try:
        return read_manifest(reader.app.blobs, version.manifest)
    except (NotFound, Corrupt):
        # The page says so; `mainspring fsck` tells more.
        return None
