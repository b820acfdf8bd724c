"""SQL of logged models."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    and_,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from mainspring.domain.logged_model import (
    LoggedModel,
    LoggedModelId,
    LoggedModelStatus,
    ModelMetric,
)
from mainspring.domain.run import (
    ExperimentId,
    Lifecycle,
    Metric,
    RunId,
)
from mainspring.domain.search import Clause, Order
from mainspring.store.search import Owned, Searchable, search
from mainspring.store.tables.tracking import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import (
    IDS_AT_ONCE,
    add_pairs,
    chunks,
    from_column,
    insert_into,
    milliseconds,
    pairs_of,
    remove_pair,
    set_pairs,
    to_column,
)


def add_model_metrics(tx: Tx, run_id: str, metrics: Sequence[Metric]) -> None:
    """Add metrics that were measured on logged models; unknown models are refused by the foreign key."""
    rows = {
        (metric.model, metric.key, metric.step): {
            "model": metric.model,
            "run": run_id,
            "key": metric.key,
            "step": metric.step,
            "timestamp_ms": metric.timestamp_ms,
            "value": to_column(metric.value),
            "dataset_name": metric.dataset_name,
            "dataset_digest": metric.dataset_digest,
        }
        for metric in metrics
    }
    if rows:
        new = insert_into(tx, logged_model_metrics)
        newer = {"timestamp_ms": new.excluded.timestamp_ms, "value": new.excluded.value}
        on = ["model", "run", "key", "step"]
        tx.execute(
            new.on_conflict_do_update(index_elements=on, set_=newer),
            [rows[key] for key in sorted(rows)],
        )


def add_logged_model(tx: Tx, model: LoggedModel) -> None:
    tx.execute(
        insert(logged_models).values(
            id=model.id,
            experiment=model.experiment,
            name=model.name,
            source_run=model.source_run,
            status=model.status.value,
            model_type=model.model_type,
            lifecycle=model.lifecycle.value,
            created_at=model.created_at,
            updated_at=model.updated_at,
        )
    )


def logged_model(tx: Tx, id_: str) -> LoggedModel | None:
    rows = tx.execute(select(logged_models).where(logged_models.c.id == id_)).all()
    return _hydrated_models(tx, rows)[0] if rows else None


def known_logged_models(tx: Tx, ids: Iterable[str]) -> set[str]:
    """Those of the ids that there are."""
    query = select(logged_models.c.id).where(logged_models.c.id.in_(sorted(set(ids))))
    return set(tx.execute(query).scalars())


def change_logged_model(tx: Tx, id_: str, **values: object) -> None:
    tx.execute(
        update(logged_models).where(logged_models.c.id == id_).values(updated_at=tx.now, **values)
    )


def add_logged_model_params(tx: Tx, id_: str, params: Mapping[str, str]) -> dict[str, str]:
    return add_pairs(tx, logged_model_params, "model", id_, params)


def set_logged_model_tags(tx: Tx, id_: str, tags: Mapping[str, str]) -> None:
    set_pairs(tx, logged_model_tags, "model", id_, tags)


def remove_logged_model_tag(tx: Tx, id_: str, key: str) -> bool:
    return remove_pair(tx, logged_model_tags, "model", id_, key)


def _hydrated_models(tx: Tx, rows: Sequence[Row[Any]]) -> list[LoggedModel]:
    ids = [row.id for row in rows]
    params = pairs_of(tx, logged_model_params, "model", ids)
    tags = pairs_of(tx, logged_model_tags, "model", ids)
    metrics = _model_metrics(tx, ids)
    return [
        LoggedModel(
            id=LoggedModelId(row.id),
            experiment=ExperimentId(row.experiment),
            name=row.name,
            source_run=RunId(row.source_run) if row.source_run else None,
            status=LoggedModelStatus(row.status),
            model_type=row.model_type,
            lifecycle=Lifecycle(row.lifecycle),
            created_at=row.created_at,
            updated_at=row.updated_at,
            params=params[row.id],
            tags=tags[row.id],
            metrics=tuple(metrics[row.id]),
        )
        for row in rows
    ]


def _model_metrics(tx: Tx, ids: Sequence[str]) -> dict[str, list[ModelMetric]]:
    found: dict[str, list[ModelMetric]] = defaultdict(list)
    c = logged_model_metrics.c
    for some in chunks(ids, IDS_AT_ONCE):
        query = select(logged_model_metrics).where(c.model.in_(some))
        for row in tx.execute(query.order_by(c.run, c.key, c.step)):
            metric = Metric(
                key=row.key,
                value=from_column(row.value),
                step=row.step,
                timestamp_ms=row.timestamp_ms,
                model=row.model,
                dataset_name=row.dataset_name,
                dataset_digest=row.dataset_digest,
            )
            found[row.model].append(ModelMetric(run=RunId(row.run), metric=metric))
    return found


def _logged_models(datasets: Sequence[tuple[str, str | None]]) -> Searchable:
    metrics = _metrics_of_models(datasets)
    c = logged_models.c
    return Searchable(
        table=logged_models,
        id=c.id,
        attributes={
            "model_id": c.id,
            "experiment_id": c.experiment,
            "name": c.name,
            "model_type": c.model_type,
            "status": c.status,
            "source_run_id": c.source_run,
            "creation_timestamp": milliseconds(c.created_at),
            "last_updated_timestamp": milliseconds(c.updated_at),
        },
        owned={
            "metric": Owned(table=metrics, owner="model"),
            "param": Owned(table=logged_model_params, owner="model"),
            "tag": Owned(table=logged_model_tags, owner="model"),
        },
        tie=(
            Order(entity="attribute", key="creation_timestamp", is_descending=True),
            Order(entity="attribute", key="model_id"),
        ),
    )


def _metrics_of_models(datasets: Sequence[tuple[str, str | None]]) -> FromClause:
    """The latest value of each metric of each logged model, on some datasets or on any."""
    c = logged_model_metrics.c
    newest_first = func.row_number().over(
        partition_by=(c.model, c.key), order_by=(c.step.desc(), c.timestamp_ms.desc(), c.run.desc())
    )
    query = select(c.model, c.key, c.value, newest_first.label("age"))
    if datasets:
        query = query.where(_measured_on(datasets))
    ranked = query.subquery()
    return select(ranked).where(ranked.c.age == 1).subquery()


def _measured_on(datasets: Sequence[tuple[str, str | None]]) -> ColumnElement[bool]:
    c = logged_model_metrics.c
    return or_(
        *(
            and_(
                c.dataset_name == name,
                literal(True) if digest is None else c.dataset_digest == digest,
            )
            for name, digest in datasets
        )
    )


def search_logged_models(
    tx: Tx,
    *,
    experiment_ids: Sequence[str],
    clauses: Sequence[Clause],
    datasets: Sequence[tuple[str, str | None]],
    order: Sequence[tuple[Order, tuple[str, str | None] | None]],
    limit: int,
    page_token: str | None,
) -> tuple[list[LoggedModel], str | None]:
    """One page of logged models, and the token of the next.

    With `datasets` only models that were measured on one of them are found, and the clauses mean those metrics;
    each order may name a dataset of its own.
    """
    target = _logged_models(datasets)
    owned, plain_order = dict(target.owned), []
    for number, (each, dataset) in enumerate(order):
        if dataset is None:
            plain_order.append(each)
            continue
        entity = f"metric {number}"
        owned[entity] = Owned(table=_metrics_of_models([dataset]), owner="model")
        plain_order.append(replace(each, entity=entity))
    where = [
        logged_models.c.experiment.in_(experiment_ids),
        logged_models.c.lifecycle == Lifecycle.ACTIVE.value,
    ]
    if datasets:
        measured = select(logged_model_metrics.c.model).where(_measured_on(datasets))
        where.append(logged_models.c.id.in_(measured))
    rows, token = search(
        tx,
        replace(target, owned=owned),
        where=where,
        clauses=clauses,
        order=plain_order,
        limit=limit,
        page_token=page_token,
    )
    return _hydrated_models(tx, rows), token
