"""Checks in the form in which they are run: expressions that one query computes, and what to make of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.domain.check import Severity

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import ColumnProfile, Profile

Observed = Callable[[int, int, "pl.DataFrame | None"], str]
"""What was seen, from the count of violations, the count of rows, and the summary of the violations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCheck:
    """A check of every row.

    `violations` is a boolean per row; null is no violation. `considered` is true in the rows that the check
    speaks of (None: in all); of those a share of `max_share` may violate it.
    `considered_count`, if it is quicker than counting these, says how many they are. `summary` is computed over the
    violating rows of a failed check only; `names_values` adds what the example rows have to what was observed.
    `alone` says that each row is judged by itself, whatever others hold: then some rows are enough to find examples, and
    one of each value to count. Polars' `is_row_separable` says so of shifts and means, too, so it can't be asked.
    `profiled` counts the violations by the profile of its one column; None if that can't tell.
    """

    check: str
    columns: tuple[str, ...]
    severity: Severity
    expected: str
    violations: "pl.Expr"
    observed: Observed
    summary: "tuple[pl.Expr, ...] | None" = None
    max_share: float = 0.0
    considered: "pl.Expr | None" = None
    considered_count: "pl.Expr | None" = None
    names_values: bool = False
    name: str = ""
    alone: bool = False
    profiled: "Callable[[ColumnProfile], int | None] | None" = None

    def allowed(self, row_count: int) -> int:
        # The share was written by people: 0.1 of 30 rows is 3, whatever binary fractions make of it.
        return math.floor(self.max_share * row_count + 1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What a check of a whole table found. `value` is for programs, `observed` for people."""

    passed: bool
    observed: str
    value: Any = None  # any JSON: each kind of check observes something else


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueCheck:
    """A check of the whole table: some measures of it, and what to make of them.

    `profiled` takes the measures from the table's profile; None if that can't tell.
    """

    check: str
    columns: tuple[str, ...]
    severity: Severity
    expected: str
    measures: "tuple[pl.Expr, ...]"
    judge: Callable[..., Judged]
    name: str = ""
    profiled: "Callable[[Profile], tuple[Any, ...] | None] | None" = None


Check = RowCheck | ValueCheck


def share_text(share: float) -> str:
    """A share as percents.

    >>> share_text(0.0125)
    '1.25 %'
    """
    return f"{100 * share:.3g} %"


def rows_text(count: int) -> str:
    """A number of rows.

    >>> rows_text(1), rows_text(1200)
    ('1 row', '1,200 rows')
    """
    return f"{count:,} row{'' if count == 1 else 's'}"
