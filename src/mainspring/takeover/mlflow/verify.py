"""Comparing what was taken over with what is over there: every value, every point, every byte."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from mainspring.blobs.trees import read_manifest
from mainspring.domain.logged_model import LoggedModel
from mainspring.domain.model import is_prompt
from mainspring.domain.request import Request
from mainspring.domain.run import Artifact, Experiment, Metric, Run
from mainspring.domain.trace import Trace
from mainspring.kernel.errors import Invalid, MainspringError, NotFound
from mainspring.registry.requests import GetModel, GetModelVersion
from mainspring.takeover.home import Home
from mainspring.takeover.mlflow.home import digest_over_there
from mainspring.takeover.mlflow.registry import CARRIED_AS, RESERVED
from mainspring.takeover.mlflow.source import Source, SourceFile, SourceTrace, SourceVersion
from mainspring.traces.requests import GetTraces
from mainspring.tracking.artifacts import root_of_model, root_of_run, root_of_trace
from mainspring.tracking.requests import (
    GetExperiment,
    GetLoggedModel,
    GetMetricPoints,
    GetRun,
    ListArtifacts,
)

T = TypeVar("T")


def differences(source: Source, home: Home) -> Iterator[str]:
    """Whatever is over there and not the same here, in words; what is only here is no difference."""
    for experiment in source.experiments():
        here = _asked(home, GetExperiment(name=experiment.name))
        if here is None:
            yield f"experiment {experiment.name!r} is not here"
            continue
        yield from _missing(f"experiment {experiment.name!r}", "tag", experiment.tags, here.tags)
        yield from _of_experiment(source, home, experiment, here)
    for model in source.models():
        registered = _asked(home, GetModel(model=model.name))
        if registered is None:
            yield f"model {model.name!r} is not here"
            continue
        what = f"model {model.name!r}"
        yield from _missing(what, "tag", model.tags, registered.tags)
        aliases = {
            CARRIED_AS if name.lower() == RESERVED else name: number
            for name, number in model.aliases.items()
        }
        yield from _missing(what, "alias", aliases, registered.aliases)
        for version in source.versions(model.name):
            yield from _of_version(source, home, version)


def _of_experiment(
    source: Source, home: Home, experiment: Experiment, here: Experiment
) -> Iterator[str]:
    for models in source.logged_models(experiment.id):
        for model in models:
            # A deleted one can't be asked for; its files can.
            if model.model.lifecycle.value == "active":
                yield from _of_logged_model(home, model.model)
            root = root_of_model(here.id, model.model.id)
            what = f"logged model {model.model.id}"
            yield from _of_files(home, root, what, partial(source.model_files, model))
    for runs in source.runs(experiment.id):
        theirs = _histories(source, [each.run for each in runs])
        for each in runs:
            run = _asked(home, GetRun(run=each.run.id))
            if run is None:
                yield f"run {each.run.id} is not here"
                continue
            yield from _of_run(home, each.run, run, theirs.get(run.id, {}))
            root = root_of_run(here.id, run.id)
            yield from _of_files(home, root, f"run {run.id}", partial(source.run_files, each))
    for traces in source.traces(experiment.id):
        yield from _of_traces(home, here, traces)
        for trace in traces:
            root = root_of_trace(here.id, trace.trace.id)
            what = f"trace {trace.trace.id}"
            yield from _of_files(home, root, what, partial(source.trace_files, trace))


def _of_traces(home: Home, here: Experiment, traces: Sequence[SourceTrace]) -> Iterator[str]:
    ours = {
        trace.id: trace
        for trace in home.call(
            GetTraces(traces=tuple(each.trace.id for each in traces), with_spans=True)
        )
    }
    for each in traces:
        what = f"trace {each.trace.id}"
        trace = ours.get(each.trace.id)
        if trace is None or trace.experiment != here.id:
            yield f"{what} is not here"
            continue
        yield from _of_trace(what, each.trace, trace)


def _of_trace(what: str, theirs: Trace, ours: Trace) -> Iterator[str]:
    for name in ("state", "started_at", "ended_at", "client_request_id"):
        if getattr(theirs, name) != getattr(ours, name):
            yield f"{what}: its {name} is {getattr(theirs, name)} there, {getattr(ours, name)} here"
    yield from _missing(what, "tag", theirs.tags, ours.tags)
    yield from _missing(what, "metadata", theirs.metadata, ours.metadata)
    spans = {span.id: span for span in ours.spans}
    for span in theirs.spans:
        if spans.get(span.id) != span:
            yield f"{what}: its span {span.id} is not the same here"
    said = {each.id: each for each in ours.assessments}
    for assessment in theirs.assessments:
        if said.get(assessment.id) != assessment:
            yield f"{what}: its assessment {assessment.name!r} is not the same here"


def _of_run(
    home: Home, theirs: Run, ours: Run, histories: Mapping[str, list[tuple[int, int, str]]]
) -> Iterator[str]:
    what = f"run {theirs.id}"
    for name in ("name", "status", "lifecycle", "user", "started_at", "ended_at"):
        if getattr(theirs, name) != getattr(ours, name):
            yield f"{what}: its {name} is {getattr(theirs, name)} there, {getattr(ours, name)} here"
    yield from _missing(what, "parameter", theirs.params, ours.params)
    yield from _missing(what, "tag", theirs.tags, ours.tags)
    for item in theirs.inputs:
        if item not in ours.inputs:
            yield f"{what}: its input {item.name!r} ({item.digest}) is not the same here"
    if set(theirs.models) - set(ours.models):
        yield f"{what}: its logged models are not the same here"
    for key, points in sorted(histories.items()):
        if points != sorted(_history_here(home, theirs.id, key)):
            yield f"{what}: the history of {key!r} is not the same here ({len(points):,} points there)"


def _histories(
    source: Source, runs: Sequence[Run]
) -> dict[str, dict[str, list[tuple[int, int, str]]]]:
    found: dict[str, dict[str, set[tuple[int, int, str]]]] = {}
    for series in source.points(runs):
        points = found.setdefault(series.run, {}).setdefault(series.key, set())
        points.update(_points(series.steps, series.timestamps_ms, series.values))
    return {
        run: {key: sorted(points) for key, points in by_key.items()}
        for run, by_key in found.items()
    }


def _history_here(home: Home, run: str, key: str) -> Iterator[tuple[int, int, str]]:
    token: str | None = None
    while True:
        page = home.call(GetMetricPoints(run=run, key=key, page_token=token))
        yield from _points(page.steps, page.timestamps_ms, page.values)
        token = page.next_token
        if token is None:
            return


def _points(
    steps: Iterable[int], times: Iterable[int], values: Iterable[float]
) -> Iterator[tuple[int, int, str]]:
    # As text, so that NaN is equal to itself; Python writes every float so that it reads back the same.
    return ((s, t, repr(float(v))) for s, t, v in zip(steps, times, values, strict=True))


def _of_logged_model(home: Home, theirs: LoggedModel) -> Iterator[str]:
    what = f"logged model {theirs.id}"
    ours = _asked(home, GetLoggedModel(model=theirs.id))
    if ours is None:
        yield f"{what} is not here"
        return
    for name in ("name", "source_run", "status", "model_type"):
        if getattr(theirs, name) != getattr(ours, name):
            yield f"{what}: its {name} is {getattr(theirs, name)} there, {getattr(ours, name)} here"
    yield from _missing(what, "parameter", theirs.params, ours.params)
    yield from _missing(what, "tag", theirs.tags, ours.tags)
    measured = {(each.run, *_measured(each.metric)) for each in ours.metrics}
    if any((each.run, *_measured(each.metric)) not in measured for each in theirs.metrics):
        yield f"{what}: its metrics are not the same here"


def _measured(metric: Metric) -> tuple[object, ...]:
    value = "nan" if math.isnan(metric.value) else repr(float(metric.value))
    return metric.key, metric.step, metric.timestamp_ms, value


def _of_version(source: Source, home: Home, given: SourceVersion) -> Iterator[str]:
    version = given.version
    what = f"version {version.number} of {version.model}"
    ours = _asked(home, GetModelVersion(model=version.model, number=version.number))
    if ours is None:
        yield f"{what} is not here"
        return
    for name in ("run", "source", "stage", "description", "logged_model"):
        if getattr(version, name) != getattr(ours, name):
            yield f"{what}: its {name} is {getattr(version, name)!r} there, {getattr(ours, name)!r} here"
    yield from _missing(what, "tag", version.tags, ours.tags)
    if is_prompt(version.tags):
        return
    here = {each.path: each.digest for each in read_manifest(home.blobs, ours.manifest).entries}
    for file in source.version_files(given):
        if here.get(file.path) != digest_over_there(file):
            yield f"{what}: its file {file.path!r} is not the same here"


def _of_files(
    home: Home, root: str, what: str, listed: Callable[[], list[SourceFile]]
) -> Iterator[str]:
    here: dict[str, Artifact] = {each.path: each for each in home.call(ListArtifacts(root=root))}
    try:
        files = listed()
    except (Invalid, NotFound) as error:
        yield f"{what}: its files can't be compared: {error}"
        return
    for file in files:
        ours = here.get(file.path)
        if ours is None:
            yield f"{what}: its file {file.path!r} is not here"
        elif ours.digest != digest_over_there(file):
            yield f"{what}: its file {file.path!r} has other bytes here"
        else:
            yield from _damage(home, what, ours)


def _damage(home: Home, what: str, file: Artifact) -> Iterator[str]:
    try:
        home.blobs.verify(file.digest)
    except MainspringError as error:
        yield f"{what}: its file {file.path!r} is damaged here: {error}"


def _missing(
    what: str, noun: str, theirs: Mapping[str, object], ours: Mapping[str, object]
) -> Iterator[str]:
    for key, value in theirs.items():
        if ours.get(key) != value:
            yield f"{what}: its {noun} {key!r} is not the same here"


def _asked(home: Home, request: Request[T]) -> T | None:
    try:
        return home.call(request)
    except NotFound:
        return None
