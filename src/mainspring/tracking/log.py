"""What runs log: batches of metrics, parameters and tags; inputs and outputs; and reading metrics back."""

import math

from mainspring.domain.run import Metric
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.paging import Page, key_of, token_of
from mainspring.store.tx import Tx
from mainspring.tracking import rules
from mainspring.tracking.queries import inputs, logged_models, metrics, runs
from mainspring.tracking.requests import GetMetricHistory, LogBatch, LogInputs, RemoveRunTag
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


def get_metric_history(tx: Tx, request: GetMetricHistory) -> Page[Metric]:
    """Points of one metric by step, then time; an unknown metric has none."""
    require_run(tx, request.run)
    after = _position(request.page_token) if request.page_token else None
    rows = metrics.history(tx, request.run, request.key, after=after, limit=request.limit + 1)
    page = rows[: request.limit]
    token = token_of(list(page[-1])) if len(rows) > request.limit else None
    return Page(
        items=[
            Metric(key=request.key, value=math.nan if is_nan else value, step=step, timestamp_ms=at)
            for step, at, value, is_nan in page
        ],
        next_token=token,
    )


def _position(token: str) -> tuple[int, int, float, int]:
    match key_of(token):
        case [int(step), int(at), int(value) | float(value), int(is_nan)]:
            return step, at, value, is_nan
    raise Invalid("this page token was not given by this server", code="bad_page_token")
