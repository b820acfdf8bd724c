"""What can be asked of tracking."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from mainspring.domain.request import Request
from mainspring.domain.run import (
    Artifact,
    DatasetInput,
    Experiment,
    Lifecycle,
    Metric,
    Run,
    RunStatus,
)
from mainspring.kernel.digests import Digest
from mainspring.kernel.paging import Page

Name = Annotated[str, Meta(min_length=1, max_length=500)]


class CreateExperiment(Request[Experiment], frozen=True, kw_only=True):
    """Make an experiment; raises `Conflict` if the name is taken, even by a deleted one."""

    name: Name
    tags: dict[str, str] = {}


class GetExperiment(Request[Experiment], frozen=True, kw_only=True):
    """One experiment, by id or by name."""

    id: str | None = None
    name: str | None = None


class ListExperiments(Request[tuple[Experiment, ...]], frozen=True, kw_only=True):
    """Active experiments, newest first."""

    limit: Annotated[int, Meta(ge=1, le=50_000)] = 1000


class CreateRun(Request[Run], frozen=True, kw_only=True):
    """Begin a run. `id` is given only by the pipelines room, whose runs share it."""

    experiment: str
    name: str = ""
    user: str = ""
    started_at: datetime | None = None
    tags: dict[str, str] = {}
    id: str | None = None
    status: RunStatus = RunStatus.RUNNING


class UpdateRun(Request[Run], frozen=True, kw_only=True):
    """Change a run's name, state or end; what is UNSET stays as it is."""

    run: str
    name: str | msgspec.UnsetType = msgspec.UNSET
    status: RunStatus | msgspec.UnsetType = msgspec.UNSET
    ended_at: datetime | msgspec.UnsetType | None = msgspec.UNSET
    lifecycle: Lifecycle | msgspec.UnsetType = msgspec.UNSET


class GetRun(Request[Run], frozen=True, kw_only=True):
    """One run with its latest metrics, parameters, tags and inputs."""

    run: str


class LogBatch(Request[None], frozen=True, kw_only=True):
    """Add metrics, parameters and tags to a run, all or none. A parameter's value can't change."""

    run: str
    metrics: tuple[Metric, ...] = ()
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class LogInputs(Request[None], frozen=True, kw_only=True):
    """Say which datasets a run read."""

    run: str
    datasets: tuple[DatasetInput, ...]


class SearchRuns(Request[Page[Run]], frozen=True, kw_only=True):
    """Runs that match a filter in MLflow's search grammar, in the order asked for."""

    experiments: tuple[str, ...]
    filter: str = ""
    order_by: tuple[str, ...] = ()
    lifecycle: Lifecycle | None = Lifecycle.ACTIVE
    limit: Annotated[int, Meta(ge=1, le=50_000)] = 1000
    page_token: str | None = None


class GetMetricHistory(Request[Page[Metric]], frozen=True, kw_only=True):
    """Every point of one metric of a run, by step, then time."""

    run: str
    key: str
    limit: Annotated[int, Meta(ge=1, le=25_000)] = 25_000
    page_token: str | None = None


class RecordArtifact(Request[Artifact], frozen=True, kw_only=True):
    """Name stored bytes as a file below a root; an earlier file of that path is replaced.

    `root` is `<experiment>/<run>/artifacts` or `<experiment>/models/<logged model>/artifacts`.
    """

    root: str
    path: str
    digest: Digest
    size_bytes: int


class ListArtifacts(Request[tuple[Artifact, ...]], frozen=True, kw_only=True):
    """Every file below a root, by path."""

    root: str
    prefix: str = ""
