"""Parameters, metrics and plots of stages, commit by commit, as tracked runs."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mainspring.blobs.trees import check_relative
from mainspring.domain.run import (
    Artifact,
    Experiment,
    ExperimentId,
    Lifecycle,
    MetricPoints,
    Run,
    RunId,
    RunStatus,
)
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.takeover.dvc.git import Commit
from mainspring.takeover.dvc.history import Repository
from mainspring.takeover.dvc.metafiles import Locked
from mainspring.takeover.dvc.objects import Objects
from mainspring.takeover.dvc.report import DvcTakeover
from mainspring.takeover.dvc.templates import shown
from mainspring.takeover.dvc.texts import read_text
from mainspring.takeover.requests import (
    TakeOverExperiment,
    TakeOverFiles,
    TakeOverPoints,
    TakeOverRuns,
)
from mainspring.tracking.artifacts import root_of_run
from mainspring.tracking.rules import MAX_PARAM_VALUE, check_key


@dataclass(frozen=True, slots=True)
class _At:
    """One commit of the repository that is taken over."""

    repository: Repository
    objects: Objects
    report: DvcTakeover
    commit: Commit
    locked: Locked


def take_runs(
    repository: Repository,
    objects: Objects,
    report: DvcTakeover,
    commits: Sequence[Commit],
    *,
    name: str | None,
    writes: bool,
) -> None:
    """Keep a run for each commit whose stages had other parameters or metrics than the one before."""
    before: tuple[Mapping[str, str], Mapping[str, float]] = ({}, {})
    experiment: ExperimentId | None = None
    for commit in commits:
        at = _At(repository, objects, report, commit, repository.locked(commit.id))
        measured = dict(_files(at, repository.metrics_at(commit.id)))
        said = (dict(_params(at.locked, report)), dict(_metrics(measured, report, commit)))
        if said == before or not any(said):
            continue
        before = said
        report.runs_found += 1
        if writes:
            experiment = experiment or _experiment(repository, objects, commits, name)
            files = measured | dict(_files(at, repository.plots_at(commit.id)))
            report.runs_added += _keep(at, experiment, *said, files)


def _keep(
    at: _At,
    experiment: ExperimentId,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    files: Mapping[str, bytes],
) -> int:
    commit, home = at.commit, at.objects.home
    # The same commit is the same run, however often and from wherever it is taken over.
    place = f"{commit.id}:{at.repository.git.prefix}".encode()
    id_ = RunId(hashlib.sha256(place).hexdigest()[:32])
    tags = {"mlflow.source.git.commit": commit.id, "dvc.repository": at.repository.name}
    run = Run(
        id=id_,
        experiment=experiment,
        name=commit.subject[:500] or commit.short,
        status=RunStatus.FINISHED,
        lifecycle=Lifecycle.ACTIVE,
        user=commit.author[:200],
        started_at=commit.at,
        ended_at=commit.at,
        metrics=(),
        params=dict(params),
        tags=tags,
    )
    added = home.call(TakeOverRuns(experiment=experiment, runs=(run,)))
    when = int(commit.at.timestamp() * 1000)
    series = tuple(
        MetricPoints(run=id_, key=key, steps=(0,), timestamps_ms=(when,), values=(value,))
        for key, value in metrics.items()
    )
    home.call(TakeOverPoints(series=series))
    kept = tuple(
        Artifact(path=path, digest=home.blobs.put_bytes(data), size_bytes=len(data))
        for path, data in files.items()
    )
    home.call(TakeOverFiles(root=root_of_run(experiment, id_), files=kept))
    return added


def _experiment(
    repository: Repository, objects: Objects, commits: Sequence[Commit], name: str | None
) -> ExperimentId:
    name = name or repository.name
    experiment = Experiment(
        id=ExperimentId("dvc-" + hashlib.sha256(name.encode()).hexdigest()[:16]),
        name=name,
        lifecycle=Lifecycle.ACTIVE,
        created_at=commits[0].at,
        updated_at=commits[-1].at,
        tags={},
    )
    return ExperimentId(objects.home.call(TakeOverExperiment(experiment=experiment)).id)


def _files(at: _At, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files at some paths of a commit, from git or from among DVC's objects."""
    tracked = partial(at.repository.tracked, at.commit.id)
    for path in paths:
        try:
            check_relative(path)
            # What git keeps is what DVC shows, also where it was edited after the stage ran.
            if (stream := tracked(path)) is not None:
                with stream:
                    yield path, stream.read()
            elif path in at.locked.outs:
                yield from at.objects.read(at.locked.outs[path], tracked)
        except (NotFound, Corrupt, Invalid) as error:
            where = f"{path} at {at.commit.short}"
            _note(at.report, f"{where} is not among its run's files: {error.message}")


def _params(locked: Locked, report: DvcTakeover) -> Iterator[tuple[str, str]]:
    for key, value in sorted(_flat(locked.params)):
        text = shown(value)
        try:
            check_key("param", key)
        except Invalid as error:
            _note(report, f"the parameter {key!r} is not carried over: {error.message}")
            continue
        if len(text) > MAX_PARAM_VALUE:
            _note(report, f"the parameter {key!r} is cut off after {MAX_PARAM_VALUE} characters")
        yield key, text[:MAX_PARAM_VALUE]


def _metrics(
    files: Mapping[str, bytes], report: DvcTakeover, commit: Commit
) -> Iterator[tuple[str, float]]:
    """The numbers in files of metrics; where two files say the same name, the later ones say their file's too."""
    seen: set[str] = set()
    for path, data in files.items():
        if not path.lower().endswith((".json", ".yaml", ".yml", ".toml")):
            continue
        try:
            content = read_text(data, path)
        except Invalid as error:
            _note(report, f"{path} at {commit.short}: {error.message}")
            continue
        for key, value in _flat(content) if isinstance(content, dict) else ():
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            name = f"{path}:{key}" if key in seen else key
            try:
                check_key("metric", name)
                number = float(value)
            except (Invalid, OverflowError):
                _note(report, f"the metric {name!r} of {path} is not carried over as a metric")
                continue
            seen.add(name)
            yield name, number


def _flat(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Tables in tables as names with dots, as DVC shows them."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _note(report: DvcTakeover, text: str) -> None:
    if text not in report.notes:
        report.notes.append(text)
