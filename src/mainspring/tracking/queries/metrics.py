"""SQL of what runs measured."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    and_,
    or_,
    select,
)

from mainspring.domain.run import (
    Metric,
)
from mainspring.store.tables.tracking import (
    latest_metrics,
    metric_points,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import (
    IDS_AT_ONCE,
    chunks,
    from_column,
    insert_into,
    to_column,
)


def add_metrics(tx: Tx, run_id: str, metrics: Sequence[Metric]) -> None:
    """Add points, those that are there already once, and move the latest values on."""
    rows = [
        {
            "run": run_id,
            "key": metric.key,
            "step": metric.step,
            "timestamp_ms": metric.timestamp_ms,
            "value": to_column(metric.value),
        }
        for metric in metrics
    ]
    # Each row by itself in one prepared statement: a statement of many rows is compiled anew each time.
    tx.execute(insert_into(tx, metric_points).on_conflict_do_nothing(), rows)
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
    now, new = latest_metrics.c, insert_into(tx, latest_metrics)
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
                value=from_column(row.value),
                step=row.step,
                timestamp_ms=row.timestamp_ms,
            ),
        )
        for row in rows
    ]


def latest_of_runs(tx: Tx, ids: Sequence[str]) -> dict[str, list[Metric]]:
    found: dict[str, list[Metric]] = defaultdict(list)
    for some in chunks(ids, IDS_AT_ONCE):
        query = select(latest_metrics).where(latest_metrics.c.run.in_(some))
        for row in tx.execute(query.order_by(latest_metrics.c.key)):
            found[row.run].append(
                Metric(
                    key=row.key,
                    value=from_column(row.value),
                    step=row.step,
                    timestamp_ms=row.timestamp_ms,
                )
            )
    return found
