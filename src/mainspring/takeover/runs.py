"""Keeping runs, their metrics and files, and logged models from elsewhere."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from mainspring.blobs.trees import check_relative
from mainspring.domain.event import TrackingChanged
from mainspring.domain.run import Metric
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.store.tx import Tx
from mainspring.takeover.queries import tracking as queries
from mainspring.takeover.requests import (
    TakeOverFiles,
    TakeOverLoggedModels,
    TakeOverPoints,
    TakeOverRuns,
)
from mainspring.tracking import rules
from mainspring.tracking.artifacts import MAX_PATH
from mainspring.tracking.queries.artifacts import experiment_of_trace, put_artifact
from mainspring.tracking.queries.inputs import add_inputs, add_model_links
from mainspring.tracking.queries.logged_models import add_model_metrics
from mainspring.tracking.queries.metrics import add_metrics


def take_over_runs(tx: Tx, request: TakeOverRuns) -> int:
    """Keep runs; raises `Conflict` (code `run_elsewhere`) for one that another experiment here has."""
    ids = [run.id for run in request.runs]
    _require_experiment(tx, request.experiment, (run.experiment for run in request.runs))
    before = queries.experiments_of_runs(tx, ids)
    _refuse_elsewhere("run", request.experiment, before)
    for run in request.runs:
        rules.check_length("run_id", run.id, 64)
        for item in run.inputs:
            rules.check_input(item)
    queries.add_runs(tx, request.runs)
    for run in request.runs:
        add_inputs(tx, run.id, run.inputs)
        add_model_links(tx, run.id, run.models)
    return _told(tx, request.experiment, len(ids) - len(before), "runs")


def take_over_points(tx: Tx, request: TakeOverPoints) -> int:
    """Keep points, those that are here already once.

    Raises `Invalid` for columns that don't fit together or values that can't be kept, `NotFound` for a run
    that is not here.
    """
    by_run: dict[str, list[Metric]] = defaultdict(list)
    for series in request.series:
        if not len(series.values) == len(series.steps) == len(series.timestamps_ms):
            raise Invalid(
                f"the points of {series.key[:100]!r} have {len(series.values)} values, "
                f"{len(series.steps)} steps and {len(series.timestamps_ms)} timestamps",
                code="uneven_columns",
            )
        columns = zip(series.values, series.steps, series.timestamps_ms, strict=True)
        metrics = [
            Metric(key=series.key, value=value, step=step, timestamp_ms=at)
            for value, step, at in columns
        ]
        for metric in metrics:
            rules.check_metric(metric)
        by_run[series.run] += metrics
    experiments = queries.experiments_of_runs(tx, sorted(by_run))
    for run, metrics in sorted(by_run.items()):
        if run not in experiments:
            raise NotFound(f"Run with id={run} not found", code="no_such_run")
        if metrics:
            add_metrics(tx, run, experiments[run], metrics)
    return sum(len(metrics) for metrics in by_run.values())


def take_over_files(tx: Tx, request: TakeOverFiles) -> int:
    """Name stored bytes; raises `NotFound` if the bytes, the run, logged model or trace aren't here."""
    _check_root(tx, request.root)
    for file in request.files:
        check_relative(file.path)
        if len(file.path) > MAX_PATH:
            raise Invalid(f"an artifact's path may be {MAX_PATH} characters long", code="bad_path")
        if not tx.blobs.exists(file.digest):
            raise NotFound(f"there are no bytes {file.digest}", code="blob_missing")
        put_artifact(tx, request.root, file)
    return len(request.files)


def take_over_logged_models(tx: Tx, request: TakeOverLoggedModels) -> int:
    """Keep logged models; raises `Conflict` for one that another experiment here has."""
    ids = [model.id for model in request.models]
    _require_experiment(tx, request.experiment, (model.experiment for model in request.models))
    before = queries.experiments_of_models(tx, ids)
    _refuse_elsewhere("logged model", request.experiment, before)
    queries.add_logged_models(tx, request.models)
    by_run: dict[str, list[Metric]] = defaultdict(list)
    for model in request.models:
        for measured in model.metrics:
            by_run[measured.run].append(measured.metric)
    for run, metrics in sorted(by_run.items()):
        add_model_metrics(tx, run, metrics)
    return _told(tx, request.experiment, len(ids) - len(before), "logged models")


def _require_experiment(tx: Tx, experiment: str, named: Iterable[str]) -> None:
    if not queries.has_experiment(tx, experiment):
        raise NotFound(f"No Experiment with id={experiment} exists", code="no_such_experiment")
    other = next((each for each in named if each != experiment), None)
    if other is not None:
        raise Invalid(f"all must be of experiment {experiment!r}, and one is of {other!r}")


def _refuse_elsewhere(what: str, experiment: str, before: Mapping[str, str]) -> None:
    for id_, place in before.items():
        if place != experiment:
            raise Conflict(
                f"the {what} {id_} is in experiment {place!r} here, not in {experiment!r}",
                code="run_elsewhere",
                hint="Take over into a new home, or rename the experiment back.",
            )


def _told(tx: Tx, experiment: str, count: int, what: str) -> int:
    if count:
        tx.emit(TrackingChanged(id=experiment, what=f"{what} taken over", why=f"{count} {what}"))
    return count


def _check_root(tx: Tx, root: str) -> None:
    match root.split("/"):
        case [experiment, "models", model, "artifacts"]:
            if queries.experiments_of_models(tx, [model]).get(model) == experiment:
                return
        case [experiment, "traces", trace, "artifacts"]:
            if experiment_of_trace(tx, trace) == experiment:
                return
        case [experiment, run, "artifacts"]:
            if queries.experiments_of_runs(tx, [run]).get(run) == experiment:
                return
    raise NotFound(
        f"there is no run, logged model or trace whose files are at {root!r}", code="bad_root"
    )
