"""The rows that stand out in a table: those with the least and greatest value of each column."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mainspring.domain.check import Scalar
from mainspring.quality.examples import example_of
from mainspring.quality.sketches import Quantiles

if TYPE_CHECKING:
    import polars as pl

_CELLS = 8
_FENCE = 3.0

Number = int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Extreme:
    """A row that has a column's least or greatest number; each batch offers its first one."""

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
    frame: "pl.DataFrame", ends: "Iterable[tuple[str, Number | None, Number | None]]"
) -> tuple[Extreme, ...]:
    """Of one batch, given the least and greatest number of some of its columns."""
    found: list[Extreme] = []
    for name, least, most in ends:
        shown = list(dict.fromkeys([name, *frame.columns]))[:_CELLS]
        for is_greatest, value in ((False, least), (True, most)):
            at = None if value is None else (frame.get_column(name) == value).arg_max()
            if value is None or at is None:
                continue
            row = example_of(0, frame.select(shown).row(at, named=True))
            del row["#"]
            found.append(Extreme(column=name, is_greatest=is_greatest, value=value, row=row))
    return tuple(found)


def merged(one: tuple[Extreme, ...], other: tuple[Extreme, ...]) -> tuple[Extreme, ...]:
    """For each column and end the further one."""
    best: dict[tuple[str, bool], Extreme] = {}
    for each in (*one, *other):
        key = (each.column, each.is_greatest)
        best[key] = each if key not in best else best[key].or_further(each)
    return tuple(best.values())


def is_odd(extreme: Extreme, quantiles: Quantiles | None) -> bool:
    """Whether a value lies beyond three times the middle half's width from it (Tukey's outer fence)."""
    if quantiles is None or not quantiles.count:
        return False
    low, high = quantiles.quantile(0.25), quantiles.quantile(0.75)
    reach = _FENCE * (high - low)
    return reach > 0 and not low - reach <= extreme.value <= high + reach


def _reading(row: dict[str, Scalar]) -> str:
    return repr(sorted(row.items(), key=str))
