"""What runs log: batches of metrics, parameters and tags; inputs and outputs; and reading metrics back."""

import math

from mainspring.domain.run import Metric, MetricPoints
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.paging import Key, Page, key_of, token_of
from mainspring.store.tx import Tx
from mainspring.tracking import rules
from mainspring.tracking.queries import inputs, logged_models, metrics, runs
from mainspring.tracking.requests import (
    CompareMetric,
    GetMetricHistory,
    GetMetricPoints,
    InputDataset,
    ListInputDatasets,
    LogBatch,
    LogInputs,
    RemoveRunTag,
)
from mainspring.tracking.runs import NAME_TAG, require_active_run, require_run


def log_batch(tx: Tx, request: LogBatch) -> None:
    """Add a batch, all of it or nothing; a batch that was logged already changes nothing.

    Raises `Conflict` (code `param_changed`) if a parameter would get another value.
    """
    experiment = require_active_run(tx, request.run)
    for metric in request.metrics:
        rules.check_metric(metric)
    params, tags = rules.checked_params(request.params), rules.checked_tags(request.tags)
    kept = runs.add_run_params(tx, request.run, params)
    rules.refuse_changes(f"run ID='{request.run}'", kept, params)
    runs.set_run_tags(tx, request.run, tags)
    if tags.get(NAME_TAG):
        runs.change_run(tx, request.run, {"name": tags[NAME_TAG][:500]})
    if request.metrics:
        metrics.add_metrics(tx, request.run, experiment, request.metrics)
        _log_on_models(tx, request.run, [m for m in request.metrics if m.model is not None])


def _log_on_models(tx: Tx, run: str, metrics: list[Metric]) -> None:
    if not metrics:
        return
    named = {str(metric.model) for metric in metrics}
    unknown = named - logged_models.known_logged_models(tx, named)
    if unknown:
        raise NotFound(
            f"Logged model with ID '{min(unknown)}' not found.", code="no_such_logged_model"
        )
    logged_models.add_model_metrics(tx, run, metrics)


def remove_run_tag(tx: Tx, request: RemoveRunTag) -> None:
    """Remove a tag; raises `NotFound` if the run has no such tag."""
    require_active_run(tx, request.run)
    if not runs.remove_run_tag(tx, request.run, request.key):
        raise NotFound(f"No tag with name: {request.key} in run with id {request.run}")


def log_inputs(tx: Tx, request: LogInputs) -> None:
    """Say what a run read and made; saying it again changes nothing."""
    require_active_run(tx, request.run)
    for item in request.datasets:
        rules.check_input(item)
    for link in request.models:
        rules.check_link(link)
    inputs.add_inputs(tx, request.run, request.datasets)
    inputs.add_model_links(tx, request.run, request.models)


def list_input_datasets(tx: Tx, request: ListInputDatasets) -> tuple[InputDataset, ...]:
    """Datasets that runs read, each once for each context; deleted runs count too."""
    return tuple(
        InputDataset(experiment=experiment, name=name, digest=digest, context=context)
        for experiment, name, digest, context in inputs.datasets_of(tx, request.experiments)
    )


def get_metric_history(tx: Tx, request: GetMetricHistory) -> Page[Metric]:
    """Points of one metric by step, then time; an unknown metric has none."""
    rows, token = _page(tx, request.run, request.key, request.limit, request.page_token)
    return Page(
        items=[
            Metric(key=request.key, value=math.nan if is_nan else value, step=step, timestamp_ms=at)
            for step, at, value, is_nan in rows
        ],
        next_token=token,
    )


def get_metric_points(tx: Tx, request: GetMetricPoints) -> MetricPoints:
    """Points of one metric as columns; an unknown metric has none."""
    rows, token = _page(tx, request.run, request.key, request.limit, request.page_token)
    return _columns(request.run, request.key, rows, token)


def compare_metric(tx: Tx, request: CompareMetric) -> tuple[MetricPoints, ...]:
    """One metric of many runs; raises `NotFound` if one of the runs is unknown."""
    if (request.first_step is None) != (request.last_step is None):
        raise Invalid("If either start step or end step are specified, both must be specified.")
    steps = None
    if request.first_step is not None and request.last_step is not None:
        steps = request.first_step, request.last_step
        if steps[0] > steps[1]:
            raise Invalid(
                "end_step must be greater than start_step. "
                f"Found start_step={steps[0]} and end_step={steps[1]}."
            )
    found = []
    for run in request.runs:
        require_run(tx, run)
        rows = metrics.sampled_history(tx, run, request.key, steps=steps, limit=request.limit)
        found.append(_columns(run, request.key, rows, None))
    return tuple(found)


def _page(
    tx: Tx, run: str, key: str, limit: int, token: str | None
) -> tuple[list[metrics.Row], str | None]:
    require_run(tx, run)
    rows = metrics.history(tx, run, key, after=_position(token) if token else None, limit=limit + 1)
    page = rows[:limit]
    return page, token_of(_place(page[-1])) if len(rows) > limit else None


def _columns(run: str, key: str, rows: list[metrics.Row], token: str | None) -> MetricPoints:
    # Column by column: `zip(*rows)` would make an iterator for each row.
    values = tuple([math.nan if row[3] else row[2] for row in rows])
    return MetricPoints(
        run=run,
        key=key,
        steps=tuple([row[0] for row in rows]),
        timestamps_ms=tuple([row[1] for row in rows]),
        values=values,
        next_token=token,
    )


def _place(row: metrics.Row) -> Key:
    # JSON, which tokens are made of, has no infinities.
    step, at, value, is_nan = row
    return [step, at, value if math.isfinite(value) else str(value), is_nan]


def _position(token: str) -> metrics.Row:
    match key_of(token):
        case [
            int(step),
            int(at),
            ("inf" | "-inf" | float() | int()) as value,
            (0 | 1) as is_nan,
        ] if max(abs(step), abs(at)) < 2**63:
            return step, at, float(value), int(is_nan)
    raise Invalid("this page token was not given by this server", code="bad_page_token")
