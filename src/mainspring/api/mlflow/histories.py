"""What metrics were over time: all points of one, or of many runs for a chart."""

import math
from collections.abc import Iterable

import msgspec

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.runs import run_id_of
from mainspring.api.mlflow.wire import Json, Params, compact, number_json
from mainspring.app import App
from mainspring.domain.run import MetricPoints
from mainspring.kernel.codec import encode_text
from mainspring.kernel.errors import Invalid
from mainspring.tracking.requests import CompareMetric, GetMetricPoints

_MAX_PAGE = 25_000
_MAX_SAMPLE = 2500
_MAX_RUNS = 100


def get_history(app: App, params: Params) -> Json:
    """Points of one metric. Without `max_results` all of them, which is what older clients expect."""
    run, key = run_id_of(params), params.text("metric_key")
    token = params.optional_text("page_token") or None
    limit = params.page(_MAX_PAGE, _MAX_PAGE)
    points: list[str] = []
    while True:
        page = app.call(GetMetricPoints(run=run, key=key, limit=limit, page_token=token))
        points += _written(page)
        token = page.next_token
        if token is None or params.has("max_results"):
            return compact({"metrics": _list(points), "next_page_token": token})


def get_history_bulk_interval(app: App, params: Params) -> Json:
    """Points of one metric of many runs, sampled to what a chart can show."""
    found = app.call(
        CompareMetric(
            runs=_run_ids(params, "run_ids"),
            key=params.text("metric_key"),
            first_step=params.integer("start_step") if params.has("start_step") else None,
            last_step=params.integer("end_step") if params.has("end_step") else None,
            limit=params.page(_MAX_SAMPLE, _MAX_SAMPLE),
        )
    )
    return {"metrics": _list([point for each in found for point in _written(each, each.run)])}


def get_history_bulk(app: App, params: Params) -> Json:
    """Points of one metric of many runs, the first of each: what older pages ask for."""
    runs = params.texts("run_id")
    if not runs:
        raise Invalid("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(runs) > _MAX_RUNS:
        raise Invalid(
            f"GetMetricHistoryBulk request cannot specify more than {_MAX_RUNS} run_ids. "
            f"Received {len(runs)} run_ids."
        )
    if not (key := params.optional_text("metric_key")):
        raise Invalid("GetMetricHistoryBulk request must specify a metric_key.")
    limit = min(params.page(_MAX_PAGE, 2**31), _MAX_PAGE)
    points: list[str] = []
    for run in sorted(runs):
        points += _written(app.call(GetMetricPoints(run=run, key=key, limit=limit)), run)
        if len(points) >= limit:
            break
    return {"metrics": _list(points[:limit])}


def _run_ids(params: Params, name: str) -> tuple[str, ...]:
    runs = params.texts(name)
    if not runs:
        raise Invalid(f"Missing value for required parameter '{name}'.")
    if len(runs) > _MAX_RUNS:
        raise Invalid(
            f"GetMetricHistoryBulkInterval request must specify at most {_MAX_RUNS} run_ids. "
            f"Received {len(runs)} run_ids."
        )
    return runs


def _written(points: MetricPoints, run: str | None = None) -> list[str]:
    """Points as JSON. Histories are long: objects that an encoder would write take five times as long."""
    key, values = encode_text(points.key), points.values
    numbers: Iterable[object] = values
    if not all(map(math.isfinite, values)):
        numbers = (encode_text(number_json(value)) for value in values)
    end = f',"run_id":{encode_text(run)}}}' if run else "}"
    return [
        f'{{"key":{key},"value":{number},"timestamp":{at},"step":{step}{end}'
        for number, at, step in zip(numbers, points.timestamps_ms, points.steps, strict=True)
    ]


def _list(items: list[str]) -> msgspec.Raw:
    return msgspec.Raw(f"[{','.join(items)}]".encode())


CALLS = (
    Call(method="GET", path="/metrics/get-history", handler=get_history),
    Call(
        method="GET",
        path="/metrics/get-history-bulk-interval",
        handler=get_history_bulk_interval,
    ),
    Call(method="GET", path="/metrics/get-history-bulk", handler=get_history_bulk),
)
