"""The tracking room's SQL: experiments, runs, metrics, logged models, artifacts."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Row,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mainspring.domain.logged_model import (
    LoggedModel,
    LoggedModelId,
    LoggedModelStatus,
    ModelMetric,
)
from mainspring.domain.run import (
    Artifact,
    DatasetInput,
    Direction,
    Experiment,
    ExperimentId,
    Lifecycle,
    Metric,
    ModelLink,
    Run,
    RunId,
    RunStatus,
)
from mainspring.domain.search import Clause, Order
from mainspring.kernel.digests import Digest
from mainspring.store.search import Owned, Searchable, search
from mainspring.store.tables.tracking import (
    artifacts,
    experiment_tags,
    experiments,
    latest_metrics,
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
    metric_points,
    run_inputs,
    run_models,
    run_params,
    run_tags,
    runs,
)
from mainspring.store.tx import Tx

T = TypeVar("T")

DEFAULT = ExperimentId("0")
_DEFAULT_NAME = "Default"
_CONTEXT_TAG = "mlflow.data.context"

# SQLite takes 32,766 values in one statement, PostgreSQL 65,535.
_IDS_AT_ONCE = 10_000


def _chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _insert(tx: Tx, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT; both databases spell it alike."""
    return sqlite.insert(table) if tx.is_sqlite else postgresql.insert(table)


def _to_column(value: float) -> float | None:
    return None if math.isnan(value) else value


def _from_column(value: float | None) -> float:
    return math.nan if value is None else value


# --- experiments


def add_experiment(tx: Tx, id_: str, name: str) -> None:
    tx.execute(
        insert(experiments).values(
            id=id_,
            name=name,
            lifecycle=Lifecycle.ACTIVE.value,
            created_at=tx.now,
            updated_at=tx.now,
        )
    )


def ensure_default_experiment(tx: Tx) -> None:
    """Write the default experiment's row, which rows of runs refer to, unless it is there."""
    tx.execute(
        _insert(tx, experiments)
        .values(
            id=DEFAULT,
            name=_DEFAULT_NAME,
            lifecycle=Lifecycle.ACTIVE.value,
            created_at=tx.now,
            updated_at=tx.now,
        )
        .on_conflict_do_nothing()
    )


def experiment(tx: Tx, id_: str) -> Experiment | None:
    row = tx.execute(select(experiments).where(experiments.c.id == id_)).one_or_none()
    if row is None:
        return _unwritten_default() if id_ == DEFAULT else None
    return _with_tags(tx, [row])[0]


def experiment_named(tx: Tx, name: str) -> Experiment | None:
    row = tx.execute(select(experiments).where(experiments.c.name == name)).one_or_none()
    if row is not None:
        return _with_tags(tx, [row])[0]
    if name != _DEFAULT_NAME:
        return None
    # The default experiment may have been renamed, and then this name is free.
    default = experiment(tx, DEFAULT)
    return default if default and default.name == name else None


def _unwritten_default() -> Experiment:
    # It exists from the start, as MLflow's clients expect, though nothing has been written yet.
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return Experiment(
        id=DEFAULT,
        name=_DEFAULT_NAME,
        lifecycle=Lifecycle.ACTIVE,
        created_at=start,
        updated_at=start,
        tags={},
    )


def list_experiments(tx: Tx, limit: int) -> list[Experiment]:
    """Active experiments, newest first."""
    rows = tx.execute(
        select(experiments)
        .where(experiments.c.lifecycle == Lifecycle.ACTIVE.value)
        .order_by(experiments.c.created_at.desc(), experiments.c.id)
        .limit(limit)
    ).all()
    found = _with_tags(tx, rows)
    if len(found) < limit and not _has_default(tx):
        found.append(_unwritten_default())
    return found


def _has_default(tx: Tx) -> bool:
    return (
        tx.execute(select(experiments.c.id).where(experiments.c.id == DEFAULT)).first() is not None
    )


def _with_tags(tx: Tx, rows: Sequence[Row[Any]]) -> list[Experiment]:
    tags = _pairs(tx, experiment_tags, "experiment", [row.id for row in rows])
    return [
        Experiment(
            id=ExperimentId(row.id),
            name=row.name,
            lifecycle=Lifecycle(row.lifecycle),
            created_at=row.created_at,
            updated_at=row.updated_at,
            tags=tags[row.id],
        )
        for row in rows
    ]


def change_experiment(tx: Tx, id_: str, **values: object) -> None:
    tx.execute(
        update(experiments).where(experiments.c.id == id_).values(updated_at=tx.now, **values)
    )


def set_lifecycle_of_runs(tx: Tx, experiment_id: str, lifecycle: Lifecycle) -> None:
    tx.execute(
        update(runs).where(runs.c.experiment == experiment_id).values(lifecycle=lifecycle.value)
    )


def set_experiment_tags(tx: Tx, id_: str, tags: Mapping[str, str]) -> None:
    _set_pairs(tx, experiment_tags, "experiment", id_, tags)


def remove_experiment_tag(tx: Tx, id_: str, key: str) -> bool:
    return _remove_pair(tx, experiment_tags, "experiment", id_, key)


# --- keys and values: tags and parameters


def _pairs(tx: Tx, table: Table, owner: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Keys and values of many owners, by key; one query for each ten thousand owners."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for some in _chunks(ids, _IDS_AT_ONCE):
        column = table.c[owner]
        query = select(column, table.c.key, table.c.value).where(column.in_(some))
        for row in tx.execute(query.order_by(table.c.key)):
            found[row[0]][row.key] = row.value
    return found


def _set_pairs(tx: Tx, table: Table, owner: str, id_: str, pairs: Mapping[str, str]) -> None:
    rows = [{owner: id_, "key": key, "value": value} for key, value in sorted(pairs.items())]
    if rows:
        new = _insert(tx, table)
        newer = {"value": new.excluded.value}
        tx.execute(new.on_conflict_do_update(index_elements=[owner, "key"], set_=newer), rows)


def _add_pairs(
    tx: Tx, table: Table, owner: str, id_: str, pairs: Mapping[str, str]
) -> dict[str, str]:
    """Add what is not there yet; answers all that is there afterwards, if any was given.

    Waits for others who add the same key, so that of two values one is seen by the other.
    """
    rows = [{owner: id_, "key": key, "value": value} for key, value in sorted(pairs.items())]
    if not rows:
        return {}
    tx.execute(_insert(tx, table).on_conflict_do_nothing(), rows)
    query = select(table.c.key, table.c.value).where(table.c[owner] == id_)
    return {row.key: row.value for row in tx.execute(query)}


def _remove_pair(tx: Tx, table: Table, owner: str, id_: str, key: str) -> bool:
    """False if there was no such key."""
    result = tx.execute(delete(table).where(table.c[owner] == id_, table.c.key == key))
    return result.rowcount == 1


# --- runs


def add_run(tx: Tx, run: Run) -> None:
    tx.execute(
        insert(runs).values(
            id=run.id,
            experiment=run.experiment,
            name=run.name,
            status=run.status.value,
            lifecycle=run.lifecycle.value,
            user=run.user,
            started_at=run.started_at,
            ended_at=run.ended_at,
        )
    )
    set_run_tags(tx, run.id, run.tags)


def run_exists(tx: Tx, id_: str) -> bool:
    return lifecycle_of_run(tx, id_) is not None


def lifecycle_of_run(tx: Tx, id_: str) -> Lifecycle | None:
    found = tx.execute(select(runs.c.lifecycle).where(runs.c.id == id_)).scalar_one_or_none()
    return Lifecycle(found) if found else None


def experiment_of_run(tx: Tx, id_: str) -> str | None:
    found: str | None = tx.execute(
        select(runs.c.experiment).where(runs.c.id == id_)
    ).scalar_one_or_none()
    return found


def run(tx: Tx, id_: str) -> Run | None:
    rows = tx.execute(select(runs).where(runs.c.id == id_)).all()
    return hydrated_runs(tx, rows)[0] if rows else None


def change_run(tx: Tx, id_: str, values: Mapping[str, object]) -> None:
    if values:
        tx.execute(update(runs).where(runs.c.id == id_).values(**values))


def set_run_tags(tx: Tx, id_: str, tags: Mapping[str, str]) -> None:
    _set_pairs(tx, run_tags, "run", id_, tags)


def remove_run_tag(tx: Tx, id_: str, key: str) -> bool:
    return _remove_pair(tx, run_tags, "run", id_, key)


def add_run_params(tx: Tx, id_: str, params: Mapping[str, str]) -> dict[str, str]:
    return _add_pairs(tx, run_params, "run", id_, params)


def hydrated_runs(tx: Tx, rows: Sequence[Row[Any]]) -> list[Run]:
    """Rows of runs with all that belongs to them, by a number of queries that does not grow with them."""
    ids = [row.id for row in rows]
    params = _pairs(tx, run_params, "run", ids)
    tags = _pairs(tx, run_tags, "run", ids)
    metrics = _latest_metrics(tx, ids)
    inputs = _inputs(tx, ids)
    models = _models(tx, ids)
    return [
        Run(
            id=RunId(row.id),
            experiment=ExperimentId(row.experiment),
            name=row.name,
            status=RunStatus(row.status),
            lifecycle=Lifecycle(row.lifecycle),
            user=row.user,
            started_at=row.started_at,
            ended_at=row.ended_at,
            metrics=tuple(metrics[row.id]),
            params=params[row.id],
            tags=tags[row.id],
            inputs=tuple(inputs[row.id]),
            models=tuple(models[row.id]),
        )
        for row in rows
    ]


def _latest_metrics(tx: Tx, ids: Sequence[str]) -> dict[str, list[Metric]]:
    found: dict[str, list[Metric]] = defaultdict(list)
    for some in _chunks(ids, _IDS_AT_ONCE):
        query = select(latest_metrics).where(latest_metrics.c.run.in_(some))
        for row in tx.execute(query.order_by(latest_metrics.c.key)):
            found[row.run].append(
                Metric(
                    key=row.key,
                    value=_from_column(row.value),
                    step=row.step,
                    timestamp_ms=row.timestamp_ms,
                )
            )
    return found


def _inputs(tx: Tx, ids: Sequence[str]) -> dict[str, list[DatasetInput]]:
    found: dict[str, list[DatasetInput]] = defaultdict(list)
    for some in _chunks(ids, _IDS_AT_ONCE):
        query = select(run_inputs).where(run_inputs.c.run.in_(some))
        for row in tx.execute(query.order_by(run_inputs.c.name, run_inputs.c.digest)):
            found[row.run].append(
                DatasetInput(
                    name=row.name,
                    digest=row.digest,
                    source_type=row.source_type,
                    source=row.source,
                    schema=row.schema,
                    profile=row.profile,
                    tags=row.tags,
                )
            )
    return found


def _models(tx: Tx, ids: Sequence[str]) -> dict[str, list[ModelLink]]:
    found: dict[str, list[ModelLink]] = defaultdict(list)
    for some in _chunks(ids, _IDS_AT_ONCE):
        query = select(run_models).where(run_models.c.run.in_(some))
        for row in tx.execute(query.order_by(run_models.c.step, run_models.c.model)):
            found[row.run].append(
                ModelLink(model=row.model, direction=Direction(row.direction), step=row.step)
            )
    return found


# --- what runs log


def add_metrics(tx: Tx, run_id: str, metrics: Sequence[Metric]) -> None:
    """Add points, those that are there already once, and move the latest values on."""
    rows = [
        {
            "run": run_id,
            "key": metric.key,
            "step": metric.step,
            "timestamp_ms": metric.timestamp_ms,
            "value": _to_column(metric.value),
        }
        for metric in metrics
    ]
    # Each row by itself in one prepared statement: a statement of many rows is compiled anew each time.
    tx.execute(_insert(tx, metric_points).on_conflict_do_nothing(), rows)
    _advance_latest(tx, _latest_of(rows))


def _latest_of(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each key the row with the greatest step, then time, then value; by key, so that locks are taken alike."""
    latest: dict[str, dict[str, Any]] = {}
    for row in rows:
        before = latest.get(row["key"])
        if before is None or _rank(row) >= _rank(before):
            latest[row["key"]] = row
    return [latest[key] for key in sorted(latest)]


def _rank(row: Mapping[str, Any]) -> tuple[int, int, float]:
    value = row["value"]
    return row["step"], row["timestamp_ms"], -math.inf if value is None else value


def _advance_latest(tx: Tx, rows: list[dict[str, Any]]) -> None:
    now, new = latest_metrics.c, _insert(tx, latest_metrics)
    given = new.excluded
    is_later = or_(
        given.step > now.step,
        and_(given.step == now.step, given.timestamp_ms > now.timestamp_ms),
        and_(
            given.step == now.step,
            given.timestamp_ms == now.timestamp_ms,
            or_(now.value.is_(None), given.value > now.value),
        ),
    )
    tx.execute(
        new.on_conflict_do_update(
            index_elements=["run", "key"],
            set_={
                "step": given.step,
                "timestamp_ms": given.timestamp_ms,
                "value": given.value,
            },
            where=is_later,
        ),
        rows,
    )


def metric_history(
    tx: Tx, run_id: str, key: str, after: tuple[int, int, int] | None, limit: int
) -> list[tuple[int, Metric]]:
    """Points with their sequence numbers by step, then time, from after (step, time, number) on."""
    c = metric_points.c
    query = select(c.seq, c.step, c.timestamp_ms, c.value).where(c.run == run_id, c.key == key)
    if after is not None:
        step, at, seq = after
        query = query.where(
            c.step >= step,
            or_(
                c.step > step,
                c.timestamp_ms > at,
                and_(c.timestamp_ms == at, c.seq > seq),
            ),
        )
    rows = tx.execute(query.order_by(c.step, c.timestamp_ms, c.seq).limit(limit))
    return [
        (
            row.seq,
            Metric(
                key=key,
                value=_from_column(row.value),
                step=row.step,
                timestamp_ms=row.timestamp_ms,
            ),
        )
        for row in rows
    ]


def add_inputs(tx: Tx, run_id: str, inputs: Sequence[DatasetInput]) -> None:
    for item in sorted(inputs, key=lambda one: (one.name, one.digest)):
        tx.execute(
            _insert(tx, run_inputs)
            .values(
                run=run_id,
                name=item.name,
                digest=item.digest,
                source_type=item.source_type,
                source=item.source,
                schema=item.schema,
                profile=item.profile,
                context=dict(item.tags).get(_CONTEXT_TAG, "")[:250],
                tags=item.tags,
            )
            .on_conflict_do_nothing()
        )


def add_model_links(tx: Tx, run_id: str, links: Sequence[ModelLink]) -> None:
    for link in sorted(links, key=lambda one: (one.model, one.direction)):
        tx.execute(
            _insert(tx, run_models)
            .values(run=run_id, model=link.model, direction=link.direction.value, step=link.step)
            .on_conflict_do_nothing()
        )


# --- logged models


def add_model_metrics(tx: Tx, run_id: str, metrics: Sequence[Metric]) -> None:
    """Add metrics that were measured on logged models; unknown models are refused by the foreign key."""
    rows = {
        (metric.model, metric.key, metric.step): {
            "model": metric.model,
            "run": run_id,
            "key": metric.key,
            "step": metric.step,
            "timestamp_ms": metric.timestamp_ms,
            "value": _to_column(metric.value),
            "dataset_name": metric.dataset_name,
            "dataset_digest": metric.dataset_digest,
        }
        for metric in metrics
    }
    if rows:
        new = _insert(tx, logged_model_metrics)
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
    return _add_pairs(tx, logged_model_params, "model", id_, params)


def set_logged_model_tags(tx: Tx, id_: str, tags: Mapping[str, str]) -> None:
    _set_pairs(tx, logged_model_tags, "model", id_, tags)


def remove_logged_model_tag(tx: Tx, id_: str, key: str) -> bool:
    return _remove_pair(tx, logged_model_tags, "model", id_, key)


def _hydrated_models(tx: Tx, rows: Sequence[Row[Any]]) -> list[LoggedModel]:
    ids = [row.id for row in rows]
    params = _pairs(tx, logged_model_params, "model", ids)
    tags = _pairs(tx, logged_model_tags, "model", ids)
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
    for some in _chunks(ids, _IDS_AT_ONCE):
        query = select(logged_model_metrics).where(c.model.in_(some))
        for row in tx.execute(query.order_by(c.run, c.key, c.step)):
            metric = Metric(
                key=row.key,
                value=_from_column(row.value),
                step=row.step,
                timestamp_ms=row.timestamp_ms,
                model=row.model,
                dataset_name=row.dataset_name,
                dataset_digest=row.dataset_digest,
            )
            found[row.model].append(ModelMetric(run=RunId(row.run), metric=metric))
    return found


# --- searching


def _ms(instant: Any) -> Any:
    """Whole milliseconds, which is how searches name an instant."""
    return type_coerce(instant, BigInteger) // 1000


def _runs() -> Searchable:
    return Searchable(
        table=runs,
        id=runs.c.id,
        attributes={
            "run_id": runs.c.id,
            "run_name": runs.c.name,
            "status": runs.c.status,
            "user_id": runs.c.user,
            "start_time": _ms(runs.c.started_at),
            "end_time": _ms(runs.c.ended_at),
            "artifact_uri": literal("mlflow-artifacts:/")
            + runs.c.experiment
            + literal("/")
            + runs.c.id
            + literal("/artifacts"),
        },
        owned={
            "metric": Owned(table=latest_metrics, owner="run"),
            "param": Owned(table=run_params, owner="run"),
            "tag": Owned(table=run_tags, owner="run"),
            "dataset": Owned(
                table=run_inputs,
                owner="run",
                fields={
                    "name": run_inputs.c.name,
                    "digest": run_inputs.c.digest,
                    "context": run_inputs.c.context,
                },
            ),
        },
        tie=(
            Order(entity="attribute", key="start_time", is_descending=True),
            Order(entity="attribute", key="run_id"),
        ),
    )


def search_runs(
    tx: Tx,
    *,
    experiment_ids: Sequence[str],
    lifecycle: Lifecycle | None,
    clauses: Sequence[Clause],
    order: Sequence[Order],
    limit: int,
    page_token: str | None,
) -> tuple[list[Run], str | None]:
    """One page of runs, and the token of the next."""
    where: list[ColumnElement[bool]] = [runs.c.experiment.in_(experiment_ids)]
    if lifecycle is not None:
        where.append(runs.c.lifecycle == lifecycle.value)
    rows, token = search(
        tx,
        _runs(),
        where=where,
        clauses=clauses,
        order=order,
        limit=limit,
        page_token=page_token,
    )
    return hydrated_runs(tx, rows), token


def _experiments() -> Searchable:
    default = _unwritten_default()
    unwritten = select(
        literal(default.id).label("id"),
        literal(default.name).label("name"),
        literal(default.lifecycle.value).label("lifecycle"),
        literal(default.created_at, experiments.c.created_at.type).label("created_at"),
        literal(default.updated_at, experiments.c.updated_at.type).label("updated_at"),
    ).where(~exists().where(experiments.c.id == DEFAULT))
    table = union_all(select(experiments), unwritten).subquery()
    return Searchable(
        table=table,
        id=table.c.id,
        attributes={
            "name": table.c.name,
            "experiment_id": table.c.id,
            "creation_time": _ms(table.c.created_at),
            "last_update_time": _ms(table.c.updated_at),
            "lifecycle": table.c.lifecycle,
        },
        owned={"tag": Owned(table=experiment_tags, owner="experiment")},
        tie=(
            Order(entity="attribute", key="creation_time", is_descending=True),
            Order(entity="attribute", key="experiment_id"),
        ),
    )


def search_experiments(
    tx: Tx,
    *,
    lifecycle: Lifecycle | None,
    clauses: Sequence[Clause],
    order: Sequence[Order],
    limit: int,
    page_token: str | None,
) -> tuple[list[Experiment], str | None]:
    """One page of experiments, the default one among them, and the token of the next."""
    target = _experiments()
    where = [] if lifecycle is None else [target.attributes["lifecycle"] == lifecycle.value]
    rows, token = search(
        tx, target, where=where, clauses=clauses, order=order, limit=limit, page_token=page_token
    )
    return _with_tags(tx, rows), token


def _logged_models(datasets: Sequence[tuple[str, str | None]]) -> Searchable:
    metrics = _metrics_of_models(datasets)
    c = logged_models.c
    return Searchable(
        table=logged_models,
        id=c.id,
        attributes={
            "model_id": c.id,
            "name": c.name,
            "model_type": c.model_type,
            "status": c.status,
            "source_run_id": c.source_run,
            "creation_timestamp": _ms(c.created_at),
            "last_updated_timestamp": _ms(c.updated_at),
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
        query = query.where(
            or_(
                *(
                    and_(
                        c.dataset_name == name,
                        literal(True) if digest is None else c.dataset_digest == digest,
                    )
                    for name, digest in datasets
                )
            )
        )
    ranked = query.subquery()
    return select(ranked).where(ranked.c.age == 1).subquery()


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

    `datasets` says whose metrics the clauses mean; each order may name a dataset of its own.
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
    rows, token = search(
        tx,
        replace(target, owned=owned),
        where=[
            logged_models.c.experiment.in_(experiment_ids),
            logged_models.c.lifecycle == Lifecycle.ACTIVE.value,
        ],
        clauses=clauses,
        order=plain_order,
        limit=limit,
        page_token=page_token,
    )
    return _hydrated_models(tx, rows), token


# --- artifacts


def put_artifact(tx: Tx, root: str, artifact: Artifact) -> None:
    statement = _insert(tx, artifacts).values(
        root=root,
        path=artifact.path,
        digest=artifact.digest,
        size_bytes=artifact.size_bytes,
        created_at=tx.now,
    )
    given = statement.excluded
    tx.execute(
        statement.on_conflict_do_update(
            index_elements=["root", "path"],
            set_={
                "digest": given.digest,
                "size_bytes": given.size_bytes,
                "created_at": given.created_at,
            },
        )
    )


def artifact(tx: Tx, root: str, path: str) -> Artifact | None:
    c = artifacts.c
    row = tx.execute(select(artifacts).where(c.root == root, c.path == path)).one_or_none()
    return _artifact(row) if row else None


def list_artifacts(tx: Tx, root: str, prefix: str) -> list[Artifact]:
    query = select(artifacts).where(artifacts.c.root == root).order_by(artifacts.c.path)
    return [_artifact(row) for row in tx.execute(_below(query, prefix))]


def delete_artifacts(tx: Tx, root: str, path: str) -> int:
    """Remove the file at a path and every file below it; the empty path is the root itself."""
    statement = delete(artifacts).where(artifacts.c.root == root)
    return int(tx.execute(_below(statement, path)).rowcount)


def _below(statement: Any, path: str) -> Any:
    """Restrict to a file, or to the files of a folder."""
    if not path:
        return statement
    below = artifacts.c.path.startswith(path + "/", autoescape=True)
    return statement.where(or_(artifacts.c.path == path, below))


def _artifact(row: Row[Any]) -> Artifact:
    return Artifact(path=row.path, digest=Digest(row.digest), size_bytes=row.size_bytes)
