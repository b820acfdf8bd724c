"""The rows that stand out in a table: those with the least and greatest value of each column."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.domain.check import Scalar
from mainspring.quality.examples import example_of

if TYPE_CHECKING:
    import polars as pl

    from mainspring.quality.profile import ColumnProfile

_CELLS = 8
_FENCE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extreme:
    """The row that has a column's least or greatest number; of several the one that reads first."""

    column: str
    is_greatest: bool
    value: int | float
    row: dict[str, Scalar]

    def or_further(self, other: "Extreme") -> "Extreme":
        sign = -1 if self.is_greatest else 1
        return min(
            self, other, key=lambda e: (sign * e.value, repr(sorted(e.row.items(), key=str)))
        )


def extremes_of(
    frame: "pl.DataFrame", columns: "list[ColumnProfile]", hidden: frozenset[str]
) -> tuple[Extreme, ...]:
    """Of one batch. `hidden` columns don't appear, neither as reason nor as a cell."""
    names = [name for name in frame.columns if name not in hidden]
    found: list[Extreme] = []
    for column in columns:
        if column.name in hidden or not column.type.is_numeric or column.minimum is None:
            continue
        series = frame.get_column(column.name)
        shown = list(dict.fromkeys([column.name, *names]))[:_CELLS]
        for is_greatest, value in ((False, column.minimum), (True, column.maximum)):
            if value is None:
                continue
            at = (series == value).arg_max()
            if at is None:
                continue
            row = example_of(0, frame.select(shown).row(at, named=True))
            del row["#"]
            found.append(Extreme(column=column.name, is_greatest=is_greatest, value=value, row=row))
    return tuple(found)


def merged(one: tuple[Extreme, ...], other: tuple[Extreme, ...]) -> tuple[Extreme, ...]:
    """For each column and end the further one."""
    best: dict[tuple[str, bool], Extreme] = {}
    for each in (*one, *other):
        key = (each.column, each.is_greatest)
        best[key] = each if key not in best else best[key].or_further(each)
    return tuple(best.values())


def is_odd(extreme: Extreme, column: "ColumnProfile") -> bool:
    """Whether a value lies beyond three times the middle half's width from it (Tukey's outer fence)."""
    if column.quantiles is None or not column.quantiles.count:
        return False
    low, high = column.quantiles.quantile(0.25), column.quantiles.quantile(0.75)
    reach = _FENCE * (high - low)
    return reach > 0 and not low - reach <= extreme.value <= high + reach
