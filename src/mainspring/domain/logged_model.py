"""Logged models: model folders that a run saved, before anyone gives them a name in the registry."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from mainspring.domain.run import ExperimentId, Lifecycle, Metric, RunId

LoggedModelId = NewType("LoggedModelId", str)


class LoggedModelStatus(StrEnum):
    """MLflow's words for whether a model's files are all there."""

    PENDING = "LOGGED_MODEL_PENDING"
    READY = "LOGGED_MODEL_READY"
    FAILED = "LOGGED_MODEL_UPLOAD_FAILED"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMetric:
    """A metric that some run measured on a logged model."""

    run: RunId
    metric: Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedModel:
    """A model folder as a run saved it, with what was said of it."""

    id: LoggedModelId
    experiment: ExperimentId
    name: str
    source_run: RunId | None
    status: LoggedModelStatus
    model_type: str
    lifecycle: Lifecycle
    created_at: datetime
    updated_at: datetime
    params: dict[str, str]
    tags: dict[str, str]
    metrics: tuple[ModelMetric, ...] = ()
