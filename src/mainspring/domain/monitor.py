"""What monitoring sees: windows, findings, incidents."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from mainspring.domain.model import ModelVersionId

WindowId = NewType("WindowId", str)
IncidentId = NewType("IncidentId", str)


class FindingKind(StrEnum):
    FEATURE_DRIFT = "feature-drift"
    PREDICTION_DRIFT = "prediction-drift"
    MISSING_VALUES = "missing-values"
    ERROR_GROWTH = "error-growth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something in a window that is not as the reference was.

    `score` crossed `threshold` by the named `method`. `effect` is the estimated change of the model's
    error in the target's unit (None if unknown); for ERROR_GROWTH it is the measured change.
    """

    kind: FindingKind
    feature: str | None
    method: str
    score: float
    threshold: float
    effect: float | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionPerformance:
    """How one version did within a window. Errors are None without labels."""

    version: ModelVersionId
    row_count: int
    labelled_count: int
    mae: float | None
    rmse: float | None
    bias: float | None
    accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureDrift:
    """A feature's distance from its reference in one window (PSI), with its null share beside."""

    feature: str
    psi: float
    threshold: float
    null_share: float
    reference_null_share: float
    effect: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A span of event time of one service: [start, end).

    `expected_error` is the reference's mean absolute error; `estimated_error` what the window's inputs
    alone suggest; `mae` inside `performance` what labels showed.
    """

    id: WindowId
    service: str
    start: datetime
    end: datetime
    is_closed: bool
    row_count: int
    labelled_count: int
    drift: tuple[FeatureDrift, ...]
    performance: tuple[VersionPerformance, ...]
    expected_error: float | None
    estimated_error: float | None
    findings: tuple[Finding, ...]
    updated_at: datetime


class IncidentKind(StrEnum):
    HARMFUL_DRIFT = "harmful-drift"
    ERROR_GROWTH = "error-growth"
    FAILING_RUNS = "failing-runs"
    SERVING = "serving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that needs an answer, with its evidence. At most one of a kind is open per service."""

    id: IncidentId
    service: str
    kind: IncidentKind
    summary: str
    version: ModelVersionId | None
    findings: tuple[Finding, ...]
    windows: tuple[WindowId, ...]
    opened_at: datetime
    closed_at: datetime | None = None
    resolution: str | None = None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
