"""SQL that writes experiments, runs and logged models as they were elsewhere, never over what is here."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, func, select, update

from mainspring.domain.logged_model import LoggedModel, LoggedModelStatus
from mainspring.domain.run import Experiment, Run, RunStatus
from mainspring.store.tables.tracking import (
    experiment_tags,
    experiments,
    logged_model_params,
    logged_model_tags,
    logged_models,
    run_params,
    run_tags,
    runs,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import IDS_AT_ONCE, chunks, insert_into

_OPEN = (RunStatus.RUNNING.value, RunStatus.SCHEDULED.value)


def add_experiment(tx: Tx, id_: str, experiment: Experiment) -> None:
    row = {
        "id": id_,
        "name": experiment.name,
        "lifecycle": experiment.lifecycle.value,
        "created_at": experiment.created_at,
        "updated_at": experiment.updated_at,
    }
    _add(tx, experiments, [row])


def add_experiment_tags(tx: Tx, id_: str, tags: Mapping[str, str]) -> None:
    _add_pairs(tx, experiment_tags, "experiment", {id_: tags})


def experiments_of_runs(tx: Tx, ids: Sequence[str]) -> dict[str, str]:
    """The experiment of each of those runs that are here."""
    return _experiments_of(tx, runs, ids)


def experiments_of_models(tx: Tx, ids: Sequence[str]) -> dict[str, str]:
    """The experiment of each of those logged models that are here, deleted ones too."""
    return _experiments_of(tx, logged_models, ids)


def add_runs(tx: Tx, found: Sequence[Run]) -> None:
    """Add runs with their parameters and tags, and end those that have ended since."""
    rows = [
        {
            "id": run.id,
            "experiment": run.experiment,
            "name": run.name,
            "status": run.status.value,
            "lifecycle": run.lifecycle.value,
            "user": run.user,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
        }
        for run in found
    ]
    _add(tx, runs, rows)
    for run in found:
        if run.status.value not in _OPEN:
            tx.execute(
                update(runs)
                .where(runs.c.id == run.id, runs.c.status.in_(_OPEN))
                .values(status=run.status.value, ended_at=run.ended_at)
            )
    _add_pairs(tx, run_params, "run", {run.id: run.params for run in found})
    _add_pairs(tx, run_tags, "run", {run.id: run.tags for run in found})


def add_logged_models(tx: Tx, found: Sequence[LoggedModel]) -> None:
    """Add logged models with their parameters and tags, and say which are ready by now."""
    rows = [
        {
            "id": model.id,
            "experiment": model.experiment,
            "name": model.name,
            "source_run": model.source_run,
            "status": model.status.value,
            "model_type": model.model_type,
            "lifecycle": model.lifecycle.value,
            "created_at": model.created_at,
            "updated_at": model.updated_at,
        }
        for model in found
    ]
    _add(tx, logged_models, rows)
    for model in found:
        c = logged_models.c
        tx.execute(
            update(logged_models)
            .where(c.id == model.id, c.status == LoggedModelStatus.PENDING.value)
            .values(status=model.status.value)
        )
    _add_pairs(tx, logged_model_params, "model", {model.id: model.params for model in found})
    _add_pairs(tx, logged_model_tags, "model", {model.id: model.tags for model in found})


def has_experiment(tx: Tx, id_: str) -> bool:
    query = select(func.count()).select_from(experiments).where(experiments.c.id == id_)
    return bool(tx.execute(query).scalar_one())


def _experiments_of(tx: Tx, table: Table, ids: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in chunks(ids, IDS_AT_ONCE):
        query = select(table.c.id, table.c.experiment).where(table.c.id.in_(some))
        found |= {row.id: row.experiment for row in tx.execute(query)}
    return found


def _add_pairs(tx: Tx, table: Table, owner: str, pairs: Mapping[str, Mapping[str, str]]) -> None:
    rows = [
        {owner: id_, "key": key, "value": value}
        for id_, values in pairs.items()
        for key, value in sorted(values.items())
    ]
    _add(tx, table, rows)


def _add(tx: Tx, table: Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        tx.execute(insert_into(tx, table).on_conflict_do_nothing(), rows)
