"""SQL of runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Row,
    insert,
    literal,
    select,
    update,
)

from mainspring.domain.run import (
    ExperimentId,
    Lifecycle,
    Run,
    RunId,
    RunPart,
    RunStatus,
)
from mainspring.domain.search import Clause, Order
from mainspring.store.search import Owned, Searchable, search
from mainspring.store.tables.tracking import (
    metric_series,
    run_inputs,
    run_params,
    run_tags,
    runs,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.inputs import inputs_of, models_of
from mainspring.tracking.queries.metrics import latest_of_runs
from mainspring.tracking.queries.pairs import (
    add_pairs,
    milliseconds,
    pairs_of,
    remove_pair,
    set_pairs,
)


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
    return place_of_run(tx, id_) is not None


def place_of_run(tx: Tx, id_: str) -> tuple[str, Lifecycle] | None:
    """The experiment of a run, and whether it is deleted."""
    c = runs.c
    row = tx.execute(select(c.experiment, c.lifecycle).where(c.id == id_)).one_or_none()
    return (row.experiment, Lifecycle(row.lifecycle)) if row else None


def experiment_of_run(tx: Tx, id_: str) -> str | None:
    found: str | None = tx.execute(
        select(runs.c.experiment).where(runs.c.id == id_)
    ).scalar_one_or_none()
    return found


def run(tx: Tx, id_: str, parts: Collection[RunPart] = tuple(RunPart)) -> Run | None:
    rows = tx.execute(select(runs).where(runs.c.id == id_)).all()
    return hydrated_runs(tx, rows, parts)[0] if rows else None


def change_run(tx: Tx, id_: str, values: Mapping[str, object]) -> None:
    if values:
        tx.execute(update(runs).where(runs.c.id == id_).values(**values))


def set_run_tags(tx: Tx, id_: str, tags: Mapping[str, str]) -> None:
    set_pairs(tx, run_tags, "run", id_, tags)


def remove_run_tag(tx: Tx, id_: str, key: str) -> bool:
    return remove_pair(tx, run_tags, "run", id_, key)


def add_run_params(tx: Tx, id_: str, params: Mapping[str, str]) -> dict[str, str]:
    return add_pairs(tx, run_params, "run", id_, params)


def hydrated_runs(
    tx: Tx, rows: Sequence[Row[Any]], parts: Collection[RunPart] = tuple(RunPart)
) -> list[Run]:
    """Rows of runs with what is asked for of them, by a number of queries that does not grow with them."""
    ids = [row.id for row in rows]

    def of(part: RunPart) -> Sequence[str]:
        return ids if part in parts else ()

    params = pairs_of(tx, run_params, "run", of(RunPart.PARAMS))
    tags = pairs_of(tx, run_tags, "run", of(RunPart.TAGS))
    metrics = latest_of_runs(tx, of(RunPart.METRICS))
    inputs = inputs_of(tx, of(RunPart.INPUTS))
    models = models_of(tx, of(RunPart.MODELS))
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
            metrics=tuple(metrics.get(row.id, ())),
            params=params[row.id],
            tags=tags[row.id],
            inputs=tuple(inputs[row.id]),
            models=tuple(models[row.id]),
        )
        for row in rows
    ]


def _runs(experiment_ids: Sequence[str]) -> Searchable:
    return Searchable(
        table=runs,
        id=runs.c.id,
        attributes={
            "run_id": runs.c.id,
            "run_name": runs.c.name,
            "status": runs.c.status,
            "user_id": runs.c.user,
            "start_time": milliseconds(runs.c.started_at),
            "end_time": milliseconds(runs.c.ended_at),
            "artifact_uri": literal("mlflow-artifacts:/")
            + runs.c.experiment
            + literal("/")
            + runs.c.id
            + literal("/artifacts"),
        },
        sorts={"start_time": runs.c.started_at, "end_time": runs.c.ended_at},
        owned={
            "metric": Owned(
                table=metric_series,
                owner="run",
                within=lambda table: table.c.experiment.in_(experiment_ids),
            ),
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
    parts: Collection[RunPart],
) -> tuple[list[Run], str | None]:
    """One page of runs, and the token of the next."""
    rows, token = search(
        tx,
        _runs(experiment_ids),
        where=[] if lifecycle is None else [runs.c.lifecycle == lifecycle.value],
        scope=[runs.c.experiment.in_(experiment_ids)],
        clauses=clauses,
        order=order,
        limit=limit,
        page_token=page_token,
    )
    return hydrated_runs(tx, rows, parts), token
