"""What an MLflow looks like to whoever takes it over, wherever its rows and files are."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, Protocol

from mainspring.domain.logged_model import LoggedModel
from mainspring.domain.model import ModelVersion, RegisteredModel
from mainspring.domain.run import Experiment, MetricPoints, Run
from mainspring.domain.trace import Trace
from mainspring.kernel.digests import Digest

UNSTORED = Digest("")
"""The manifest of a version whose files are still over there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file over there; `open` reads it from its start."""

    path: str
    size_bytes: int
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRun:
    """A run, and where MLflow keeps its files."""

    run: Run
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLoggedModel:
    """A logged model, and where MLflow keeps its files."""

    model: LoggedModel
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVersion:
    """A version of a registered model, and where MLflow keeps its files."""

    version: ModelVersion
    location: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrace:
    """A trace with its spans, the runs that it is linked with, and where MLflow keeps its files."""

    trace: Trace
    runs: tuple[str, ...]
    location: str


class Source(Protocol):
    """An MLflow to read; every method may be called again. Raises `Unavailable`, `Invalid`."""

    description: str

    def experiments(self) -> list[Experiment]: ...

    def runs(self, experiment: str) -> Iterator[list[SourceRun]]:
        """Pages of runs, deleted ones too."""
        ...

    def points(self, runs: Sequence[Run]) -> Iterator[MetricPoints]:
        """The whole history of every metric of some runs, in parts of bounded length."""
        ...

    def logged_models(self, experiment: str) -> Iterator[list[SourceLoggedModel]]: ...

    def traces(self, experiment: str) -> Iterator[list[SourceTrace]]:
        """Pages of traces."""
        ...

    def models(self) -> list[RegisteredModel]: ...

    def versions(self, model: str) -> list[SourceVersion]: ...

    def run_files(self, run: SourceRun) -> list[SourceFile]:
        """Raises `Invalid` (code `files_elsewhere`) for files that can't be reached from here."""
        ...

    def model_files(self, model: SourceLoggedModel) -> list[SourceFile]: ...

    def version_files(self, version: SourceVersion) -> list[SourceFile]: ...

    def trace_files(self, trace: SourceTrace) -> list[SourceFile]: ...

    def left_behind(self) -> Mapping[str, int]:
        """What is there and is not carried over, by its kind."""
        ...

    def close(self) -> None: ...


def instant(milliseconds: int | None) -> datetime | None:
    """MLflow's clock: milliseconds since 1970.

    >>> instant(0)
    datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def instant_or_start(milliseconds: int | None) -> datetime:
    """The same for what old versions left empty."""
    return instant(milliseconds or 0) or datetime.fromtimestamp(0, UTC)
