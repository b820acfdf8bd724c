"""Predictions as the log keeps them, and labels that come later."""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from mainspring.domain.check import Scalar
from mainspring.domain.model import ModelVersionId

PredictionId = NewType("PredictionId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One answered row.

    `key` is the caller's own name for it (what a label will be joined on, and what routing sticks to).
    `event_at` is when it happened in the user's world; `at` is when we answered. `arm` is `champion`,
    `candidate` or `shadow`. `output` is None when the model failed (`code` is then not 200).
    """

    id: PredictionId
    service: str
    version: ModelVersionId
    arm: str
    key: str | None
    at: datetime
    event_at: datetime
    inputs: dict[str, Scalar]
    output: float | str | bool | None
    latency_ms: float
    code: int
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What turned out to be true for a prediction, named by its id or by the caller's key."""

    service: str
    value: float | str | bool
    prediction: PredictionId | None = None
    key: str | None = None
    at: datetime
