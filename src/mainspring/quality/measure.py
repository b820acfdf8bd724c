"""Making the profile of a table, batch by batch: one pass, in memory that does not grow with the rows."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from mainspring.datasets.tables import reading_clearly
from mainspring.quality.measure_column import profile_column
from mainspring.quality.odd_rows import extremes_of
from mainspring.quality.profile import ColumnProfile, Profile
from mainspring.quality.together import MOST_COLUMNS, Together

if TYPE_CHECKING:
    import polars as pl

BATCH_ROWS = 131_072

_BATCH_CELLS = 8_000_000
_TOGETHER_ROWS = 8_192
_WORKERS = 4


def profile_table(
    table: "pl.DataFrame | pl.LazyFrame",
    *,
    workers: int | None = None,
    private: Iterable[str] = (),
) -> Profile:
    """The profile of a table; a lazy one is read in batches. Raises `Invalid` if it can't be read.

    `workers` threads take a batch each (one per processor, up to four); the answer doesn't depend on how many.
    Of `private` columns nothing is kept that shows a value.
    """
    import polars as pl

    hidden = frozenset(private)
    if isinstance(table, pl.DataFrame):
        batches = table.iter_slices(_batch_rows(table.width))
        return _of_batches(table.clear(), batches, workers, hidden)
    with reading_clearly():
        empty = pl.DataFrame(schema=table.collect_schema())
        return _of_batches(
            empty, table.collect_batches(chunk_size=_batch_rows(empty.width)), workers, hidden
        )


def _batch_rows(width: int) -> int:
    """Fewer rows at once of a very wide table."""
    return max(4096, min(BATCH_ROWS, _BATCH_CELLS // max(1, width)))


def _of_batches(
    empty: "pl.DataFrame",
    batches: "Iterable[pl.DataFrame]",
    workers: int | None,
    hidden: frozenset[str],
) -> Profile:
    threads = workers or min(_WORKERS, os.cpu_count() or 1)
    start = _of_batch(empty, hidden)
    if threads == 1:
        return reduce(Profile.merge, (_of_batch(batch, hidden) for batch in batches), start)
    with ThreadPoolExecutor(threads, "profile") as pool:
        return reduce(Profile.merge, _in_order(pool, batches, threads, hidden), start)


def _in_order(
    pool: ThreadPoolExecutor,
    batches: "Iterable[pl.DataFrame]",
    threads: int,
    hidden: frozenset[str],
) -> Iterator[Profile]:
    """Profiles in the order of their batches, with no more batches in memory than threads and one."""
    waiting: deque[Future[Profile]] = deque()
    for batch in batches:
        waiting.append(pool.submit(_of_batch, batch, hidden))
        if len(waiting) >= threads:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _of_batch(frame: "pl.DataFrame", hidden: frozenset[str]) -> Profile:
    import polars as pl

    columns = [
        profile_column(column, is_private=column.name in hidden) for column in frame.iter_columns()
    ]
    return Profile(
        row_count=frame.height,
        columns=tuple(columns),
        together=_together(frame, columns),
        extremes=extremes_of(
            frame.select(pl.exclude(hidden)) if hidden else frame,
            [
                (column.name, column.minimum, column.maximum)
                for column in columns
                if column.type.is_numeric and column.name not in hidden
            ],
        ),
    )


def _together(frame: "pl.DataFrame", columns: list[ColumnProfile]) -> Together | None:
    import polars as pl

    names = [c.name for c in columns if c.type.is_numeric and c.moments][:MOST_COLUMNS]
    if len(names) < 2:
        return None
    # Every so many-th row: what a batch of 8,192 rows tells of a correlation is right to a hundredth.
    rows = frame.select(pl.col(names)).gather_every(max(1, frame.height // _TOGETHER_ROWS))
    arrays = [
        column.cast(pl.Float64).to_numpy().astype(np.float64, copy=False)
        for column in rows.iter_columns()
    ]
    return Together.of(tuple(names), arrays)
