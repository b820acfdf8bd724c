"""Deployments and rollouts: which version answers, and how a candidate comes to answer."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from mainspring.domain.model import ModelVersionId

RolloutId = NewType("RolloutId", str)


class Strategy(StrEnum):
    CANARY = "canary"
    """Growing shares of the traffic, by key."""
    SHADOW = "shadow"
    """A copy of the traffic; the candidate's answers are logged, not returned."""
    BLUE_GREEN = "blue-green"
    """All of the traffic at once; the old version stays ready."""


class RolloutState(StrEnum):
    WAITING = "waiting"
    """For people's approval."""
    RUNNING = "running"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"

    @property
    def is_final(self) -> bool:
        return self in (self.PROMOTED, self.ROLLED_BACK)


class GuardMetric(StrEnum):
    """What a guard can watch on live traffic, for the candidate since the current step began."""

    P50_LATENCY_MS = "p50_latency_ms"
    P99_LATENCY_MS = "p99_latency_ms"
    ERROR_RATE = "error_rate"
    PREDICTION_PSI = "prediction_psi"
    """Population stability index of its predictions against the champion's over the same time."""
    ERROR_RATIO = "error_ratio"
    """Its mean absolute error on labelled predictions over the champion's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A limit that ends a rollout when it is crossed with at least `min_requests` of evidence."""

    metric: GuardMetric
    max: float
    min_requests: int = 20


class GuardOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardReading:
    """What a guard saw."""

    guard: Guard
    outcome: GuardOutcome
    observed: float | None
    request_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A model version on its way to all of a service's traffic.

    `share` is the candidate's part of the traffic, 0 to 1. For a shadow rollout it stays 0 until the end.
    `step_index` counts into `steps`; it is -1 while the rollout waits for approval.
    """

    id: RolloutId
    service: str
    strategy: Strategy
    candidate: ModelVersionId
    champion: ModelVersionId | None
    steps: tuple[float, ...]
    step_index: int
    share: float
    state: RolloutState
    hold_seconds: float
    min_requests: int
    max_seconds: float
    guards: tuple[Guard, ...]
    readings: tuple[GuardReading, ...]
    why: str
    started_at: datetime
    step_started_at: datetime
    finished_at: datetime | None = None
    reason: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise ValueError(f"share is {self.share}; it is a share between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """Which version answers for a service. `routing_version` grows with every change of routing."""

    service: str
    model: str
    champion: ModelVersionId | None
    previous: ModelVersionId | None
    rollout: Rollout | None
    routing_version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingReport:
    """What a serving process says of itself: the routing it follows and the versions it can answer with."""

    process: str
    address: str
    routing_version: int
    ready: tuple[ModelVersionId, ...]
    failed: dict[ModelVersionId, str]
    at: datetime
