"""What the chapters share: the stage they play on, and questions that several of them ask."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mainspring.cli.commands.apply import apply_declaration
from mainspring.cli.demo.deliveries import DataTeam
from mainspring.cli.demo.engine_room import EngineRoom
from mainspring.cli.demo.folder import DemoFolder
from mainspring.cli.demo.teller import Teller
from mainspring.cli.demo.town import Town
from mainspring.config import Settings
from mainspring.kernel.errors import NotFound
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.registry.requests import GetModelVersionById, ListModelVersions
from mainspring.serving.requests import GetDeployment

if TYPE_CHECKING:
    import polars as pl

    from mainspring.domain.model import ModelVersion
    from mainspring.sdk.client import Client

SERVICE = "demand"
NEW_YEAR = datetime(2012, 1, 1, tzinfo=UTC)

# Patience for a slow and busy machine; on a quiet one each takes a tenth.
TRAINING_SECONDS = 240.0
INCIDENT_SECONDS = 240.0
ROLLOUT_SECONDS = 120.0


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


def current_champion(stage: Stage) -> "ModelVersion | None":
    """The version that answers now, or None before the first."""
    deployment = stage.client.call(GetDeployment(service=SERVICE))
    if deployment is None or deployment.champion is None:
        return None
    return stage.client.call(GetModelVersionById(id=deployment.champion))


def version_number(stage: Stage, number: int) -> "ModelVersion":
    """One version of the model."""
    for version in stage.client.call(ListModelVersions(model=SERVICE)):
        if version.number == number:
            return version
    raise NotFound(f"there is no version {number} of {SERVICE}")


def gate_lines(version: "ModelVersion") -> list[str]:
    """What its gates said of a version."""
    return [
        f"gate: version {version.number} {result.outcome.value}: {result.detail}"
        for result in version.gate_results or ()
    ]


def look_after(stage: Stage) -> None:
    """Raise what went wrong elsewhere instead of waiting in vain."""
    stage.engine.check()
    if stage.town is not None and stage.town.error is not None:
        raise stage.town.error


def apply(stage: Stage) -> None:
    """Put the project as it lies there in force."""
    declaration = stage.folder.project / "mainspring.toml"
    apply_declaration(stage.client, stage.settings, declaration)


def numbers(values: list[float]) -> str:
    """Errors, rounded to whole rides."""
    return ", ".join(f"{value:.0f}" for value in values)


def is_busy(stage: Stage) -> bool:
    """Whether the loops are in the middle of something."""
    deployment = stage.client.call(GetDeployment(service=SERVICE))
    runs = stage.client.call(ListPipelineRuns(service=SERVICE, limit=3))
    (newest,) = stage.client.call(ListModelVersions(model=SERVICE, limit=1))
    return (
        (deployment is not None and deployment.rollout is not None)
        or any(not run.state.is_final for run in runs)
        or newest.gate_results is None
    )
