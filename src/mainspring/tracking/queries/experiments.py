"""SQL of experiments."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Row,
    exists,
    insert,
    literal,
    select,
    union_all,
    update,
)

from mainspring.domain.run import (
    Experiment,
    ExperimentId,
    Lifecycle,
)
from mainspring.domain.search import Clause, Order
from mainspring.store.search import Owned, Searchable, search
from mainspring.store.tables.tracking import (
    experiment_tags,
    experiments,
    runs,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import (
    insert_into,
    milliseconds,
    pairs_of,
    remove_pair,
    set_pairs,
)

DEFAULT = ExperimentId("0")
_DEFAULT_NAME = "Default"


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
        insert_into(tx, experiments)
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
    tags = pairs_of(tx, experiment_tags, "experiment", [row.id for row in rows])
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
    set_pairs(tx, experiment_tags, "experiment", id_, tags)


def remove_experiment_tag(tx: Tx, id_: str, key: str) -> bool:
    return remove_pair(tx, experiment_tags, "experiment", id_, key)


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
            "creation_time": milliseconds(table.c.created_at),
            "last_update_time": milliseconds(table.c.updated_at),
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
