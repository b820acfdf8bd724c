"""What the loops look at before they decide: the state of one service, gathered in one place."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mainspring.domain.approval import Approval
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import Incident, Window
from mainspring.domain.pipeline import PipelineRun
from mainspring.domain.rollout import Deployment, GuardReading, Rollout, ServingReport
from mainspring.domain.run import RunId
from mainspring.domain.service import Service


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenForTraining:
    """What decides whether to train, and what becomes of what was trained. Lists are newest first.

    `data` holds the newest accepted version of each dataset that has one. `evaluations` holds, for runs
    that succeeded and were looked into, what their outputs say of a model, None if they say nothing.
    """

    service: Service
    data: Mapping[str, DatasetVersion]
    runs: tuple[PipelineRun, ...]
    evaluations: Mapping[RunId, Evaluation | None]
    versions: tuple[ModelVersion, ...]
    deployment: Deployment | None
    rollouts: tuple[Rollout, ...]
    incidents: tuple[Incident, ...]

    @property
    def name(self) -> str:
        return self.service.spec.name

    @property
    def champion(self) -> ModelVersion | None:
        """The version that answers now."""
        wanted = self.deployment.champion if self.deployment else None
        return next((v for v in self.versions if v.id == wanted), None) if wanted else None

    @property
    def has_champion(self) -> bool:
        return self.deployment is not None and self.deployment.champion is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenForRollout:
    """What decides what becomes of a rollout that is under way.

    `readings` and `request_count` are the candidate's on live traffic since the step began.
    `running_since` is when the rollout left its wait for approval, or began.
    """

    service: Service
    rollout: Rollout
    candidate: ModelVersion
    readings: tuple[GuardReading, ...]
    request_count: int
    approvals: tuple[Approval, ...]
    reports: tuple[ServingReport, ...]
    running_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenForMonitoring:
    """What decides whether something is wrong with what is served. Lists are newest first."""

    service: Service
    windows: tuple[Window, ...]
    deployment: Deployment | None
    incidents: tuple[Incident, ...]
    reports: tuple[ServingReport, ...]
    numbers: Mapping[str, int]
