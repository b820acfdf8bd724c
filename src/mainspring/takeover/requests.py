"""What can be asked of the takeover room: writing down what happened elsewhere.

Every request can be carried out again and adds only what is missing: what is here already stays as it is.
"""

import msgspec

from mainspring.domain.logged_model import LoggedModel
from mainspring.domain.model import ModelVersion, RegisteredModel
from mainspring.domain.request import Request
from mainspring.domain.run import Artifact, Experiment, MetricPoints, Run


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


class TakeOverModel(Request[TakenOver], frozen=True, kw_only=True):
    """Keep a registered model; its versions and aliases follow one by one."""

    model: RegisteredModel


class TakeOverVersion(Request[TakenOver], frozen=True, kw_only=True):
    """Keep a version of a registered model under its number; its bytes must be stored.

    Raises `Conflict` (code `number_taken`) if that number has other bytes here.
    """

    version: ModelVersion
