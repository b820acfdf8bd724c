"""Taking over an MLflow: a loop over what is there that can be stopped anywhere and begun again.

Nothing remembers how far it came: every step adds only what is missing, and files that are here with the same
path and size aren't read again. So a second takeover also brings what came since the first.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from mainspring.domain.run import Experiment, ExperimentId, MetricPoints
from mainspring.kernel.codec import encode
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.takeover.home import Home
from mainspring.takeover.mlflow.home import stored
from mainspring.takeover.mlflow.registry import take_registry
from mainspring.takeover.mlflow.report import Takeover, Tally
from mainspring.takeover.mlflow.source import (
    Source,
    SourceFile,
    SourceLoggedModel,
    SourceRun,
    SourceTrace,
)
from mainspring.takeover.requests import (
    TakenTrace,
    TakeOverExperiment,
    TakeOverFiles,
    TakeOverLoggedModels,
    TakeOverPoints,
    TakeOverRuns,
    TakeOverTraces,
)
from mainspring.tracking.artifacts import root_of_model, root_of_run, root_of_trace
from mainspring.tracking.requests import ListArtifacts

_POINTS_AT_ONCE = 20_000
_BYTES_AT_ONCE = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    source: Source
    home: Home
    tally: Tally
    writes: bool


def take_over(
    source: Source,
    home: Home,
    *,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Takeover:
    """Carry over everything that is missing here; `say` is told of progress."""
    taking = _Taking(source=source, home=home, tally=Tally(), writes=not dry_run)
    for experiment in source.experiments():
        say(f"experiment {experiment.name!r}")
        _take_experiment(taking, experiment)
    say("registered models")
    take_registry(source, home, taking.tally, writes=taking.writes)
    return Takeover(
        source=source.description,
        is_dry_run=dry_run,
        found=taking.tally.found,
        added=taking.tally.added,
        left_behind=dict(source.left_behind()),
        notes=tuple(taking.tally.notes),
    )


def _take_experiment(taking: _Taking, experiment: Experiment) -> None:
    here, is_new = ExperimentId(experiment.id), False
    if taking.writes:
        answer = taking.home.call(TakeOverExperiment(experiment=experiment))
        here, is_new = ExperimentId(answer.id), answer.is_new
    taking.tally.count("experiments", 1, int(is_new))
    for models in taking.source.logged_models(experiment.id):
        _take_models(taking, here, models)
    for runs in taking.source.runs(experiment.id):
        _take_runs(taking, here, runs)
    for traces in taking.source.traces(experiment.id):
        _take_traces(taking, here, traces)


def _take_models(taking: _Taking, here: ExperimentId, models: Sequence[SourceLoggedModel]) -> None:
    added = 0
    if taking.writes:
        moved = tuple(replace(each.model, experiment=here) for each in models)
        added = taking.home.call(TakeOverLoggedModels(experiment=here, models=moved))
    taking.tally.count("logged models", len(models), added)
    for each in models:
        what = f"logged model {each.model.id}"
        root = root_of_model(here, each.model.id)
        _take_files(taking, root, what, partial(taking.source.model_files, each))


def _take_runs(taking: _Taking, here: ExperimentId, runs: Sequence[SourceRun]) -> None:
    added = 0
    if taking.writes:
        moved = tuple(replace(each.run, experiment=here) for each in runs)
        added = taking.home.call(TakeOverRuns(experiment=here, runs=moved))
    taking.tally.count("runs", len(runs), added)
    for part in _parts(taking.source.points([each.run for each in runs])):
        count = sum(len(series.steps) for series in part)
        if taking.writes:
            taking.home.call(TakeOverPoints(series=tuple(part)))
        taking.tally.count("points of metrics", count, None)
    for each in runs:
        root = root_of_run(here, each.run.id)
        _take_files(taking, root, f"run {each.run.id}", partial(taking.source.run_files, each))


def _take_traces(taking: _Taking, here: ExperimentId, traces: Sequence[SourceTrace]) -> None:
    added = 0
    moved = [
        TakenTrace(trace=replace(each.trace, experiment=here), runs=each.runs) for each in traces
    ]
    for part in _bounded(moved) if taking.writes else ():
        added += taking.home.call(TakeOverTraces(experiment=here, traces=part))
    taking.tally.count("traces", len(traces), added)
    taking.tally.count("spans", sum(len(each.trace.spans) for each in traces), None)
    for each in traces:
        root = root_of_trace(here, each.trace.id)
        what = f"trace {each.trace.id}"
        _take_files(taking, root, what, partial(taking.source.trace_files, each))


def _bounded(traces: Sequence[TakenTrace]) -> Iterator[tuple[TakenTrace, ...]]:
    """Traces in parts that fit into a request; a large one goes by itself."""
    part: list[TakenTrace] = []
    size = 0
    for each in traces:
        length = len(encode(each))
        if part and size + length > _BYTES_AT_ONCE:
            yield tuple(part)
            part, size = [], 0
        part.append(each)
        size += length
    if part:
        yield tuple(part)


def _parts(series: Iterator[MetricPoints]) -> Iterator[list[MetricPoints]]:
    part: list[MetricPoints] = []
    size = 0
    for each in series:
        part.append(each)
        size += len(each.steps)
        if size >= _POINTS_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _take_files(
    taking: _Taking, root: str, what: str, listed: Callable[[], list[SourceFile]]
) -> None:
    try:
        files = listed()
    except (Invalid, NotFound) as error:
        taking.tally.notes.append(f"the files of {what}: {error}")
        return
    taking.tally.count("files", len(files))
    if not files or not taking.writes:
        return
    here = {each.path: each for each in taking.home.call(ListArtifacts(root=root))}
    for file in files:
        known = here.get(file.path)
        if known is not None and known.size_bytes == file.size_bytes:
            continue
        request = TakeOverFiles(root=root, files=(stored(taking.home, file),))
        taking.tally.count("files", 0, taking.home.call(request))
