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
    """How one version did within a window. Errors are None without labels.

    `row_count` counts what it answered, in the open or as a shadow; `failed_count` what it could not answer.
    `expected_error` is its mean error on held-out rows; `error` the same measured here, with its standard
    error: absolute differences for numbers, wrong answers as a share for classes.
    """

    version: ModelVersionId
    row_count: int
    labelled_count: int
    mae: float | None
    rmse: float | None
    bias: float | None
    accuracy: float | None = None
    failed_count: int = 0
    expected_error: float | None = None
    error: float | None = None
    standard_error: float | None = None


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

    `version` is the one that answered most rows; drift is told against its reference. `expected_error` is
    the reference's mean error; `estimated_error` what the window's inputs alone suggest; `error` inside
    `performance` what labels showed. Findings are made when the window closes, and again when labels or
    late rows come.
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
    version: ModelVersionId | None = None
    prediction_drift: FeatureDrift | None = None

    @property
    def measured(self) -> VersionPerformance | None:
        """How the window's version did."""
        return next((p for p in self.performance if p.version == self.version), None)


class IncidentKind(StrEnum):
    HARMFUL_DRIFT = "harmful-drift"
    ERROR_GROWTH = "error-growth"
    FAILING_RUNS = "failing-runs"
    SERVING = "serving"
    DAMAGED_LOG = "damaged-log"


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
