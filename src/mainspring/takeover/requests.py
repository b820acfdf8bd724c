"""What can be asked of the takeover room: writing down what happened elsewhere.

Every request can be carried out again and adds only what is missing: what is here already stays as it is.
"""

from datetime import datetime
from typing import Annotated

import msgspec

from mainspring.datasets.requests import Name
from mainspring.domain.dataset import Column, DatasetVersion
from mainspring.domain.logged_model import LoggedModel
from mainspring.domain.model import ModelVersion, RegisteredModel
from mainspring.domain.request import Request
from mainspring.domain.run import Artifact, Experiment, MetricPoints, Run
from mainspring.domain.trace import Trace
from mainspring.kernel.digests import Digest


class TakenOver(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one thing that was taken over: its id here, and whether it is new."""

    id: str
    is_new: bool


class TakeOverExperiment(Request[TakenOver], frozen=True, kw_only=True):
    """Keep an experiment from elsewhere; one of the same name here takes its place.

    Its id is kept unless another experiment here has it.
    """

    experiment: Experiment


class TakeOverRuns(Request[int], frozen=True, kw_only=True):
    """Keep runs of one experiment as they were elsewhere; answers how many are new.

    A run that was running when it was taken over ends when it is taken over again and has ended.
    """

    experiment: str
    runs: tuple[Run, ...]


class TakeOverPoints(Request[int], frozen=True, kw_only=True):
    """Keep points of metrics of runs that were taken over; answers how many were given."""

    series: tuple[MetricPoints, ...]


class TakeOverFiles(Request[int], frozen=True, kw_only=True):
    """Name stored bytes as files of a run or logged model, as they were named elsewhere."""

    root: str
    files: tuple[Artifact, ...]


class TakeOverLoggedModels(Request[int], frozen=True, kw_only=True):
    """Keep logged models of one experiment with their metrics; answers how many are new."""

    experiment: str
    models: tuple[LoggedModel, ...]


class TakenTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace with its spans and assessments, and the runs that it was linked with."""

    trace: Trace
    runs: tuple[str, ...] = ()


class TakeOverTraces(Request[int], frozen=True, kw_only=True):
    """Keep traces of one experiment with their spans; answers how many are new."""

    experiment: str
    traces: tuple[TakenTrace, ...]


class TakeOverModel(Request[TakenOver], frozen=True, kw_only=True):
    """Keep a registered model; its versions and aliases follow one by one."""

    model: RegisteredModel


class TakeOverVersion(Request[TakenOver], frozen=True, kw_only=True):
    """Keep a version of a registered model under its number; its bytes must be stored.

    Raises `Conflict` (code `number_taken`) if that number has other bytes here.
    """

    version: ModelVersion


class DigestAlias(msgspec.Struct, frozen=True, kw_only=True):
    """Another name for bytes that are stored here, such as `md5:` and its digits."""

    alias: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    digest: Digest


class DatasetOrigin(msgspec.Struct, frozen=True, kw_only=True):
    """What a version was elsewhere: `git:` and a commit, or `tag:` and its name."""

    dataset: str
    number: int
    origin: str


class TakeOverDatasetVersion(Request[DatasetVersion], frozen=True, kw_only=True):
    """Keep a version from elsewhere with its time and author, as the newest; its bytes must be stored.

    A version that was taken over from that origin before is given back, and so is the newest one if it has
    the same manifest.
    """

    dataset: Name
    origin: Annotated[str, msgspec.Meta(min_length=1, max_length=300)]
    manifest: Digest
    file_count: int
    size_bytes: int
    row_count: int | None = None
    columns: tuple[Column, ...] | None = None
    profile: Digest | None = None
    note: str = ""
    created_at: datetime
    created_by: str


class TakeOverOrigins(Request[int], frozen=True, kw_only=True):
    """Say what versions were elsewhere; what is said of an origin already stays, unless it is a tag."""

    origins: tuple[DatasetOrigin, ...]


class TakeOverAliases(Request[int], frozen=True, kw_only=True):
    """Keep other names of stored bytes; answers how many were given."""

    aliases: tuple[DigestAlias, ...]


class FindAliases(Request[tuple[DigestAlias, ...]], frozen=True, kw_only=True):
    """Those of some names that are known, each with the digests that it is for."""

    aliases: tuple[str, ...]


class FindOrigins(Request[tuple[DatasetOrigin, ...]], frozen=True, kw_only=True):
    """Versions by what they were elsewhere; an origin that ends in `*` stands for all that begin so."""

    dataset: str | None = None
    origin: str | None = None
