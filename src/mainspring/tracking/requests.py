"""What can be asked of tracking."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from mainspring.domain.logged_model import LoggedModel, LoggedModelStatus
from mainspring.domain.request import Request
from mainspring.domain.run import (
    Artifact,
    DatasetInput,
    Experiment,
    Lifecycle,
    Metric,
    MetricPoints,
    ModelLink,
    Run,
    RunPart,
    RunStatus,
)
from mainspring.kernel.digests import Digest
from mainspring.kernel.paging import Page

Name = Annotated[str, Meta(min_length=1, max_length=500)]


class CreateExperiment(Request[Experiment], frozen=True, kw_only=True):
    """Make an experiment; a name that is taken, even by a deleted one, is refused."""

    name: Name
    tags: dict[str, str] = {}


class GetExperiment(Request[Experiment], frozen=True, kw_only=True):
    """One experiment, by id or by name."""

    id: str | None = None
    name: str | None = None


class ListExperiments(Request[tuple[Experiment, ...]], frozen=True, kw_only=True):
    """Active experiments, newest first."""

    limit: Annotated[int, Meta(ge=1, le=50_000)] = 1000


class SearchExperiments(Request[Page[Experiment]], frozen=True, kw_only=True):
    """Experiments that match a filter in MLflow's search grammar; the last updated first by default."""

    filter: str = ""
    order_by: tuple[str, ...] = ()
    lifecycle: Lifecycle | None = Lifecycle.ACTIVE
    limit: Annotated[int, Meta(ge=1, le=50_000)] = 1000
    page_token: str | None = None


class UpdateExperiment(Request[Experiment], frozen=True, kw_only=True):
    """Rename an experiment, delete it with its runs, or restore it with them; UNSET stays as it is."""

    id: str
    name: Name | msgspec.UnsetType = msgspec.UNSET
    lifecycle: Lifecycle | msgspec.UnsetType = msgspec.UNSET


class TagExperiment(Request[Experiment], frozen=True, kw_only=True):
    """Set tags of an experiment, and remove others."""

    id: str
    tags: dict[str, str] = {}
    removed: tuple[str, ...] = ()


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
    """One run with its latest metrics, parameters, tags, inputs and models, or those of them in `parts`."""

    run: str
    parts: tuple[RunPart, ...] = tuple(RunPart)


class LogBatch(Request[None], frozen=True, kw_only=True):
    """Add metrics, parameters and tags to a run, all or none. A parameter's value can't change."""

    run: str
    metrics: tuple[Metric, ...] = ()
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class InputDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that runs of an experiment read, and what for."""

    experiment: str
    name: str
    digest: str
    context: str


class ListInputDatasets(Request[tuple[InputDataset, ...]], frozen=True, kw_only=True):
    """Which datasets the runs of some experiments read, by name; the first 1,000."""

    experiments: tuple[str, ...]


class RemoveRunTag(Request[None], frozen=True, kw_only=True):
    """Remove a tag of a run; raises `NotFound` if it has no such tag."""

    run: str
    key: str


class LogInputs(Request[None], frozen=True, kw_only=True):
    """Say which datasets a run read, and which logged models it read or made."""

    run: str
    datasets: tuple[DatasetInput, ...] = ()
    models: tuple[ModelLink, ...] = ()


class SearchRuns(Request[Page[Run]], frozen=True, kw_only=True):
    """Runs that match a filter in MLflow's search grammar, in the order asked for.

    Each comes with its latest metrics, parameters, tags, inputs and models, or those of them in `parts`: a
    page of names costs little, whatever the runs logged.
    """

    experiments: tuple[str, ...]
    parts: tuple[RunPart, ...] = tuple(RunPart)
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


class GetMetricPoints(Request[MetricPoints], frozen=True, kw_only=True):
    """Every point of one metric of a run as columns, by step, then time: the quick way to read a long history."""

    run: str
    key: str
    limit: Annotated[int, Meta(ge=1, le=100_000)] = 25_000
    page_token: str | None = None


class CompareMetric(Request[tuple[MetricPoints, ...]], frozen=True, kw_only=True):
    """One metric of many runs, as many points of each as a chart can show.

    A run with more than `limit` points (within the steps, if they are given) is sampled evenly, its first
    and last point included. Every run is sampled by itself.
    """

    runs: Annotated[tuple[str, ...], Meta(max_length=100)]
    key: str
    first_step: int | None = None
    last_step: int | None = None
    limit: Annotated[int, Meta(ge=1, le=2500)] = 2500


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


class CreateLoggedModel(Request[LoggedModel], frozen=True, kw_only=True):
    """Announce a model whose files will follow; an empty name is made up."""

    experiment: str
    name: Annotated[str, Meta(max_length=500)] = ""
    source_run: str | None = None
    model_type: str = ""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class UpdateLoggedModel(Request[LoggedModel], frozen=True, kw_only=True):
    """Say whether a logged model's files are all there, or delete it; UNSET stays as it is."""

    model: str
    status: LoggedModelStatus | msgspec.UnsetType = msgspec.UNSET
    lifecycle: Lifecycle | msgspec.UnsetType = msgspec.UNSET


class DescribeLoggedModel(Request[LoggedModel], frozen=True, kw_only=True):
    """Add parameters and tags to a logged model, and remove tags. A parameter's value can't change."""

    model: str
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    removed_tags: tuple[str, ...] = ()


class GetLoggedModel(Request[LoggedModel], frozen=True, kw_only=True):
    """One logged model with its parameters, tags and metrics."""

    model: str


class MetricDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that the metrics of a search were measured on."""

    dataset_name: str
    dataset_digest: str | None = None


class ModelOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One field that logged models are ordered by, as MLflow's clients send it."""

    field_name: str
    ascending: bool = True
    dataset_name: str | None = None
    dataset_digest: str | None = None


class SearchLoggedModels(Request[Page[LoggedModel]], frozen=True, kw_only=True):
    """Logged models that match a filter in MLflow's search grammar; the newest first by default."""

    experiments: tuple[str, ...]
    filter: str = ""
    datasets: tuple[MetricDataset, ...] = ()
    order_by: tuple[ModelOrder, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    page_token: str | None = None


class GetArtifact(Request[Artifact], frozen=True, kw_only=True):
    """One file below a root; raises `NotFound`."""

    root: str
    path: str


class DeleteArtifacts(Request[int], frozen=True, kw_only=True):
    """Forget a file, or every file below a folder; answers how many. The bytes are swept later."""

    root: str
    path: str = ""
