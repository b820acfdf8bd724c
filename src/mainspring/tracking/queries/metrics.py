"""SQL of what runs measured: the latest point of each metric, and all points.

Logging is the room's hot path, so its statements are written out for each database's driver: SQLite takes many
short rows through one prepared statement fastest, PostgreSQL whole columns as arrays.
"""

import math
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, and_, func, or_, select

from mainspring.domain.run import Metric
from mainspring.store.tables.tracking import metric_history, metric_series
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import IDS_AT_ONCE, chunks, to_column


class Point(NamedTuple):
    """One point as it is kept; without a value it is NaN."""

    step: int
    timestamp_ms: int
    value: float | None

    @property
    def rank(self) -> tuple[int, int, float]:
        """Of two points the one with the greater rank is the latest; NaN ranks lowest."""
        return self.step, self.timestamp_ms, -math.inf if self.value is None else self.value


class _Series(NamedTuple):
    number: int
    latest: Point


_SELECT = "SELECT key, number, step, timestamp_ms, value FROM metric_series WHERE run = {} AND key "
_ADD = "INSERT INTO metric_series (experiment, run, key, step, timestamp_ms, value) "
_MOVE = "UPDATE metric_series SET step = {}, timestamp_ms = {}, value = {} WHERE number = {}"
_APPEND = "INSERT INTO metric_history (series, step, timestamp_ms, value, is_nan) "


def add_metrics(tx: Tx, run_id: str, experiment: str, metrics: Sequence[Metric]) -> None:
    """Add points, those that are there already once, and move the latest values on."""
    points = [(m.key, Point(m.step, m.timestamp_ms, to_column(m.value))) for m in metrics]
    latest = _latest_of(points)
    series = _series_of(tx, run_id, experiment, latest)
    _append(tx, [(series[key].number, *point) for key, point in points])
    _move(
        tx,
        [
            (*point, series[key].number)
            for key, point in latest.items()
            if point.rank > series[key].latest.rank
        ],
    )


def _latest_of(points: Iterable[tuple[str, Point]]) -> dict[str, Point]:
    """For each key its latest point; by key, so that locks are taken in the same order."""
    latest: dict[str, Point] = {}
    for key, point in points:
        before = latest.get(key)
        if before is None or point.rank >= before.rank:
            latest[key] = point
    return dict(sorted(latest.items()))


def _series_of(
    tx: Tx, run_id: str, experiment: str, latest: dict[str, Point]
) -> dict[str, _Series]:
    """The series of these keys, made where there is none; nobody else changes them until we commit."""
    found = _known(tx, run_id, list(latest))
    new = [(experiment, run_id, key, *latest[key]) for key in latest if key not in found]
    if not new:
        return found
    if tx.is_sqlite:
        tx.execute_sql(_ADD + "VALUES (?, ?, ?, ?, ?, ?)", new)
    else:
        keys, steps, times, values = zip(*(row[2:] for row in new), strict=True)
        # What another transaction adds meanwhile is waited for, then found below.
        tx.execute_sql(
            _ADD + "SELECT %s, %s, new.* FROM "
            "unnest(%s::text[], %s::bigint[], %s::bigint[], %s::float8[]) AS new "
            "ON CONFLICT DO NOTHING",
            (experiment, run_id, list(keys), list(steps), list(times), list(values)),
        )
    return found | _known(tx, run_id, [row[2] for row in new])


def _known(tx: Tx, run_id: str, keys: list[str]) -> dict[str, _Series]:
    found: dict[str, _Series] = {}
    for some in chunks(keys, IDS_AT_ONCE):
        if tx.is_sqlite:
            marks = ", ".join("?" * len(some))
            rows = tx.execute_sql(_SELECT.format("?") + f"IN ({marks})", (run_id, *some))
        else:
            rows = tx.execute_sql(
                _SELECT.format("%s") + "= ANY(%s) ORDER BY number FOR NO KEY UPDATE",
                (run_id, list(some)),
            )
        for row in rows.all():
            key, number, step, at, value = tuple(row)
            found[key] = _Series(number, Point(step, at, value))
    return found


def _append(tx: Tx, rows: list[tuple[int, int, int, float | None]]) -> None:
    plain = [
        (series, step, at, 0.0 if value is None else value, int(value is None))
        for series, step, at, value in rows
    ]
    if tx.is_sqlite:
        tx.execute_sql(_APPEND + "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", plain)
        return
    columns = [list(column) for column in zip(*plain, strict=True)]
    tx.execute_sql(
        _APPEND + "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::float8[], "
        "%s::smallint[]) ON CONFLICT DO NOTHING",
        tuple(columns),
    )


def _move(tx: Tx, rows: list[tuple[int, int, float | None, int]]) -> None:
    if not rows:
        return
    if tx.is_sqlite:
        tx.execute_sql(_MOVE.format("?", "?", "?", "?"), rows)
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    tx.execute_sql(
        "UPDATE metric_series SET step = new.step, timestamp_ms = new.at, value = new.value "
        "FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::bigint[]) "
        "AS new (step, at, value, number) WHERE metric_series.number = new.number",
        tuple(columns),
    )


_ORDER = tuple(metric_history.c[name] for name in ("step", "timestamp_ms", "value", "is_nan"))

Row = tuple[int, int, float, int]
"""Step, time, value and whether it is NaN: a point as histories are read, and a place in them."""


def history(tx: Tx, run_id: str, key: str, *, after: Row | None = None, limit: int) -> list[Row]:
    """Points by step, then time, from after one of them on."""
    c = metric_history.c
    query = _points(run_id, key, None)
    if after is not None:
        step, at, value, is_nan = after
        later = or_(
            c.timestamp_ms > at,
            and_(
                c.timestamp_ms == at,
                or_(c.value > value, and_(c.value == value, c.is_nan > is_nan)),
            ),
        )
        query = query.where(c.step >= step, or_(c.step > step, later))
    return _rows(tx, query.order_by(*_ORDER).limit(limit))


def sampled_history(
    tx: Tx, run_id: str, key: str, *, steps: tuple[int, int] | None, limit: int
) -> list[Row]:
    """At most so many points, evenly spaced, the first and the last among them; of one, the last."""
    points = _points(run_id, key, steps)
    count = tx.execute(select(func.count()).select_from(points.subquery())).scalar_one()
    if count <= limit:
        return _rows(tx, points.order_by(*_ORDER))
    numbered = points.add_columns(func.row_number().over(order_by=_ORDER).label("number"))
    rows = numbered.subquery()
    # Row n is kept if the line from 0 to limit - 1 passes a whole number on the way to it.
    at, gaps = rows.c.number - 1, limit - 1
    is_kept = (
        rows.c.number == count
        if limit == 1
        else or_(at == 0, at * gaps // (count - 1) > (at - 1) * gaps // (count - 1))
    )
    kept = select(*(rows.c[column.name] for column in _ORDER)).where(is_kept)
    return _rows(tx, kept.order_by(rows.c.number))


def _rows(tx: Tx, query: Select[Any]) -> list[Row]:
    # All at once: going through them one by one takes twice as long.
    return cast("list[Row]", tx.execute(query).all())


def _points(run_id: str, key: str, steps: tuple[int, int] | None) -> Select[Any]:
    c = metric_series.c
    number = select(c.number).where(c.run == run_id, c.key == key).scalar_subquery()
    query = select(*_ORDER).where(metric_history.c.series == number)
    return query if steps is None else query.where(metric_history.c.step.between(*steps))


_run_and_key = itemgetter(0, 1)
_LATEST = "SELECT run, key, value, step, timestamp_ms FROM metric_series WHERE run "


def latest_of_runs(tx: Tx, ids: Sequence[str]) -> dict[str, list[Metric]]:
    """The latest point of every metric by run, in the order of their keys."""
    found: dict[str, list[Metric]] = {id_: [] for id_ in ids}
    for some in chunks(ids, IDS_AT_ONCE):
        if tx.is_sqlite:
            marks = ", ".join("?" * len(some))
            rows = tx.fetch_sql(_LATEST + f"IN ({marks})", tuple(some))
        else:
            rows = tx.fetch_sql(_LATEST + "= ANY(%s)", (list(some),))
        # By Python's order of texts, which is the same whatever language a database was made for.
        rows.sort(key=_run_and_key)
        for run, key, value, step, at in rows:
            found[run].append(
                Metric(
                    key=key,
                    value=math.nan if value is None else value,
                    step=step,
                    timestamp_ms=at,
                )
            )
    return found
