"""Runs of pipelines and of users' own training scripts, as tracking sees them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

import msgspec

from mainspring.kernel.digests import Digest

RunId = NewType("RunId", str)
ExperimentId = NewType("ExperimentId", str)


class RunStatus(StrEnum):
    """MLflow's words for a run's state, so that its clients need no translation."""

    RUNNING = "RUNNING"
    SCHEDULED = "SCHEDULED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"
    KILLED = "KILLED"


class RunPart(StrEnum):
    """What belongs to a run and is read only when it is asked for."""

    METRICS = "metrics"
    PARAMS = "params"
    TAGS = "tags"
    INPUTS = "inputs"
    MODELS = "models"


class Lifecycle(StrEnum):
    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A folder of runs."""

    id: ExperimentId
    name: str
    lifecycle: Lifecycle
    created_at: datetime
    updated_at: datetime
    tags: dict[str, str]


# No dataclass as the other values: a page of runs has a hundred thousand of them, made ten times as quickly so.
class Metric(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One measured point. NaN and infinities are values like any other.

    `model` names the logged model that was measured, `dataset_name` and `dataset_digest` on what, where
    the run said so.
    """

    key: str
    value: float
    step: int = 0
    timestamp_ms: int = 0
    model: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPoints:
    """Points of one metric of one run by step, then time, as columns: histories are long."""

    run: str
    key: str
    steps: tuple[int, ...]
    timestamps_ms: tuple[int, ...]
    values: tuple[float, ...]
    next_token: str | None = None
    """Asks for the points after these; None: there are no more, or these are a sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetInput:
    """A dataset that a run said it read, in MLflow's terms."""

    name: str
    digest: str
    source_type: str
    source: str
    schema: str | None = None
    profile: str | None = None
    tags: tuple[tuple[str, str], ...] = ()


class Direction(StrEnum):
    """Whether a run read a logged model or made it."""

    INPUT = "input"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLink:
    """A logged model that a run read or made, and at which step."""

    model: str
    direction: Direction
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run with its latest metrics, parameters and tags."""

    id: RunId
    experiment: ExperimentId
    name: str
    status: RunStatus
    lifecycle: Lifecycle
    user: str
    started_at: datetime | None
    ended_at: datetime | None
    metrics: tuple[Metric, ...]
    params: dict[str, str]
    tags: dict[str, str]
    inputs: tuple[DatasetInput, ...] = ()
    models: tuple[ModelLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file that a run or logged model keeps."""

    path: str
    digest: Digest
    size_bytes: int
