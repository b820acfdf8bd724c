"""Searching experiments, runs and logged models in MLflow's grammar."""

from dataclasses import replace

from mainspring.domain.logged_model import LoggedModel, LoggedModelStatus
from mainspring.domain.run import Experiment, Run
from mainspring.domain.search import Clause, FieldType, Grammar, Order, parse_filter, parse_order
from mainspring.kernel.errors import Invalid
from mainspring.kernel.paging import Page
from mainspring.store.tx import Tx
from mainspring.tracking.queries import experiments, logged_models, runs
from mainspring.tracking.requests import (
    ModelOrder,
    SearchExperiments,
    SearchLoggedModels,
    SearchRuns,
)

RUNS = Grammar(
    what="run",
    attributes={
        "run_id": FieldType.ID,
        "run_name": FieldType.TEXT,
        "status": FieldType.TEXT,
        "user_id": FieldType.TEXT,
        "artifact_uri": FieldType.TEXT,
        "start_time": FieldType.NUMBER,
        "end_time": FieldType.NUMBER,
    },
    entities=frozenset({"metric", "param", "tag", "dataset"}),
    aliases={"run name": "run_name", "created": "start_time"},
)

EXPERIMENTS = Grammar(
    what="experiment",
    attributes={
        "name": FieldType.TEXT,
        "experiment_id": FieldType.ID,
        "creation_time": FieldType.NUMBER,
        "last_update_time": FieldType.NUMBER,
    },
    entities=frozenset({"tag"}),
)

LOGGED_MODELS = Grammar(
    what="logged model",
    attributes={
        "name": FieldType.ID,
        "model_id": FieldType.ID,
        "experiment_id": FieldType.ID,
        "model_type": FieldType.ID,
        "status": FieldType.ID,
        "source_run_id": FieldType.ID,
        "creation_timestamp": FieldType.NUMBER,
        "last_updated_timestamp": FieldType.NUMBER,
    },
    entities=frozenset({"metric", "param", "tag"}),
    aliases={
        "creation_time": "creation_timestamp",
        "last_updated_time": "last_updated_timestamp",
    },
)


def search_runs(tx: Tx, request: SearchRuns) -> Page[Run]:
    """One page of the runs that match, each with what is asked for of it."""
    items, token = runs.search_runs(
        tx,
        experiment_ids=request.experiments,
        lifecycle=request.lifecycle,
        clauses=parse_filter(request.filter, RUNS),
        order=_run_order(request.order_by),
        limit=request.limit,
        page_token=request.page_token,
        parts=request.parts,
    )
    return Page(items=items, next_token=token)


def search_experiments(tx: Tx, request: SearchExperiments) -> Page[Experiment]:
    """One page of the experiments that match."""
    items, token = experiments.search_experiments(
        tx,
        lifecycle=request.lifecycle,
        clauses=parse_filter(request.filter, EXPERIMENTS),
        order=parse_order(request.order_by or ("last_update_time DESC",), EXPERIMENTS),
        limit=request.limit,
        page_token=request.page_token,
    )
    return Page(items=items, next_token=token)


def search_logged_models(tx: Tx, request: SearchLoggedModels) -> Page[LoggedModel]:
    """One page of the logged models that match."""
    orders = parse_order([_text(each) for each in request.order_by], LOGGED_MODELS)
    datasets = [
        (each.dataset_name, each.dataset_digest) if each.dataset_name else None
        for each in request.order_by
    ]
    items, token = logged_models.search_logged_models(
        tx,
        experiment_ids=request.experiments,
        clauses=[_status_in_full(each) for each in parse_filter(request.filter, LOGGED_MODELS)],
        datasets=[(each.dataset_name, each.dataset_digest) for each in request.datasets],
        order=list(zip(orders, datasets, strict=True)),
        limit=request.limit,
        page_token=request.page_token,
    )
    return Page(items=items, next_token=token)


def _status_in_full(clause: Clause) -> Clause:
    """A clause on a status, which clients write `READY` and the store as the protocol does."""
    if (clause.entity, clause.key) != ("attribute", "status"):
        return clause
    if isinstance(clause.value, tuple):
        return replace(clause, value=tuple(_status(each) for each in clause.value))
    if clause.operator in ("=", "!="):
        return replace(clause, value=_status(str(clause.value)))
    return clause


def _status(text: str) -> str:
    for status in LoggedModelStatus:
        if text.upper() in (status.name, status.value, status.value.removeprefix("LOGGED_MODEL_")):
            return status.value
    raise Invalid(f"Unknown model status in filter: {text[:40]!r}")


def _run_order(fields: tuple[str, ...]) -> tuple[Order, ...]:
    orders = parse_order(fields, RUNS)
    if any(order.entity == "dataset" for order in orders):
        raise Invalid("runs can't be ordered by their datasets")
    return orders


def _text(order: ModelOrder) -> str:
    return f"{order.field_name} {'ASC' if order.ascending else 'DESC'}"
