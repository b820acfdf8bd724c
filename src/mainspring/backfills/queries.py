"""The backfills room's SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, func, insert, select, update

from mainspring.domain.backfill import (
    Backfill,
    BackfillId,
    BackfillPart,
    BackfillState,
    PartState,
    Reprocess,
)
from mainspring.domain.pipeline import PipelineRunState
from mainspring.domain.run import RunId
from mainspring.store.tables.backfills import backfill_parts as parts
from mainspring.store.tables.backfills import backfills
from mainspring.store.tables.pipelines import pipeline_runs
from mainspring.store.tx import Tx

_FINAL = [state.value for state in PipelineRunState if state.is_final]
_ROWS = 1000


def add(tx: Tx, values: dict[str, Any], new: Sequence[BackfillPart]) -> None:
    tx.execute(insert(backfills).values(**values))
    rows = [
        {
            "backfill": values["id"],
            "number": number,
            "partition": part.partition,
            "state": part.state.value,
            "run": part.run,
        }
        for number, part in enumerate(new)
    ]
    for start in range(0, len(rows), _ROWS):
        tx.execute(insert(parts), rows[start : start + _ROWS])


def row_of(tx: Tx, id_: str, *, locked: bool = False) -> Row[Any] | None:
    """All that is kept of a backfill; `locked` keeps other transactions from changing it until this one ends."""
    query = select(backfills).where(backfills.c.id == id_)
    return tx.execute(query.with_for_update() if locked else query).one_or_none()


def backfill_in(tx: Tx, row: Row[Any]) -> Backfill:
    return Backfill(
        id=BackfillId(row.id),
        pipeline=row.pipeline,
        reprocess=Reprocess(row.reprocess),
        concurrency=row.concurrency,
        state=BackfillState(row.state),
        params=row.params,
        inputs=row.inputs,
        asked_at=row.asked_at,
        asked_by=row.asked_by,
        counts=counts(tx, row.id),
        why=row.why,
        finished_at=row.finished_at,
    )


def newest(tx: Tx, *, pipeline: str | None, limit: int) -> list[Backfill]:
    query = select(backfills).order_by(backfills.c.asked_at.desc(), backfills.c.id.desc())
    if pipeline is not None:
        query = query.where(backfills.c.pipeline == pipeline)
    return [backfill_in(tx, row) for row in tx.execute(query.limit(limit)).all()]


def not_over(tx: Tx) -> list[Row[Any]]:
    over = [state.value for state in BackfillState if state.is_over]
    query = select(backfills).where(backfills.c.state.not_in(over)).order_by(backfills.c.asked_at)
    return list(tx.execute(query))


def counts(tx: Tx, id_: str) -> dict[PartState, int]:
    """How many partitions are in each state that any is in."""
    rows = tx.execute(
        select(parts.c.state, func.count().label("number"))
        .where(parts.c.backfill == id_)
        .group_by(parts.c.state)
    )
    found = {PartState(row.state): row.number for row in rows}
    return {state: found[state] for state in PartState if state in found}


def parts_of(
    tx: Tx, id_: str, *, state: PartState | None = None, after: int = -1, limit: int
) -> list[tuple[int, BackfillPart]]:
    """Partitions in their order, with their numbers."""
    query = (
        select(parts)
        .where(parts.c.backfill == id_, parts.c.number > after)
        .order_by(parts.c.number)
        .limit(limit)
    )
    if state is not None:
        query = query.where(parts.c.state == state.value)
    return [
        (
            row.number,
            BackfillPart(
                partition=row.partition,
                state=PartState(row.state),
                run=RunId(row.run) if row.run else None,
            ),
        )
        for row in tx.execute(query)
    ]


def ended_runs(tx: Tx, id_: str) -> list[tuple[int, PipelineRunState]]:
    """Partitions whose run was asked for and has ended, by number, and how."""
    rows = tx.execute(
        select(parts.c.number, pipeline_runs.c.state)
        .join(pipeline_runs, pipeline_runs.c.id == parts.c.run)
        .where(
            parts.c.backfill == id_,
            parts.c.state == PartState.ASKED.value,
            pipeline_runs.c.state.in_(_FINAL),
        )
    )
    return [(row.number, PipelineRunState(row.state)) for row in rows]


def change_part(tx: Tx, id_: str, number: int, **values: Any) -> None:
    tx.execute(
        update(parts).where(parts.c.backfill == id_, parts.c.number == number).values(**values)
    )


def cancel_waiting(tx: Tx, id_: str) -> None:
    tx.execute(
        update(parts)
        .where(parts.c.backfill == id_, parts.c.state == PartState.WAITING.value)
        .values(state=PartState.CANCELLED.value)
    )


def change(tx: Tx, id_: str, **values: Any) -> None:
    tx.execute(update(backfills).where(backfills.c.id == id_).values(**values))


def runs_by_partition(tx: Tx, pipeline: str) -> list[tuple[str, RunId, PipelineRunState]]:
    """Every run of a pipeline that was of a partition, oldest first."""
    rows = tx.execute(
        select(pipeline_runs.c.partition, pipeline_runs.c.id, pipeline_runs.c.state)
        .where(pipeline_runs.c.pipeline == pipeline, pipeline_runs.c.partition.is_not(None))
        .order_by(pipeline_runs.c.requested_at, pipeline_runs.c.id)
    )
    return [(row.partition, RunId(row.id), PipelineRunState(row.state)) for row in rows]
