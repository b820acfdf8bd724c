"""Rows that stand out by several columns at once: an isolation forest over a table's numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

Floats = npt.NDArray[np.float64]

TREES = 100
_LEARNT_FROM = 20_000
_BATCH_ROWS = 65_536
_FEWEST_ROWS = 50


def is_usual(table: "pl.LazyFrame", columns: Sequence[str], score: float) -> "pl.Series":
    """For each row whether its anomaly score is at most `score`, which lies between 0 and 1.

    A score of 0.5 is that of any row, near 1 that of rows which a few cuts set apart (Liu, Ting, Zhou 2008). Trees
    are learnt from up to 20,000 rows spread evenly over the table, with a fixed seed: the same table gives the same
    answer. A missing value counts as the column's median. Raises `Invalid` for a table of fewer than 50 rows.
    """
    import polars as pl

    from mainspring.datasets.tables import collected, reading_clearly

    numbers = table.select(pl.col(name).cast(pl.Float64) for name in columns)
    row_count = int(collected(numbers.select(pl.len())).item())
    if row_count < _FEWEST_ROWS:
        raise Invalid(f"{row_count} rows are too few to say what is usual among them")
    every = max(1, row_count // _LEARNT_FROM)
    # Not in the streaming engine, whose order of a gathered sample is its own.
    sample = _array(numbers.gather_every(every).collect())
    middle = _middle(sample)
    forest = _grown(_filled(sample, middle))
    found: list[pl.Series] = []
    with reading_clearly():
        for batch in numbers.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True):
            scores = -forest.score_samples(_filled(_array(batch), middle))
            found.append(pl.Series("is_usual", scores <= score))
    return pl.concat(found)


def _grown(rows: Floats) -> Any:
    from sklearn.ensemble import IsolationForest

    forest = IsolationForest(n_estimators=TREES, random_state=0)
    return forest.fit(rows)


def _array(frame: "pl.DataFrame") -> Floats:
    return np.column_stack(
        [column.to_numpy().astype(np.float64, copy=False) for column in frame.iter_columns()]
    )


def _middle(rows: Floats) -> Floats:
    """Each column's median, 0 for one without values."""
    finite = np.where(np.isfinite(rows), rows, np.nan)
    has_values = ~np.isnan(finite).all(axis=0)
    middle = np.zeros(rows.shape[1])
    middle[has_values] = np.nanmedian(finite[:, has_values], axis=0)
    return middle


def _filled(rows: Floats, middle: Floats) -> Floats:
    """Medians for what is missing, and numbers that 32-bit trees can hold."""
    rows = np.where(np.isnan(rows), middle, rows)
    return np.clip(rows, -1e30, 1e30)
