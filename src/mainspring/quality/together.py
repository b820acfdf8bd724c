"""How numeric columns move together: sums over the rows that have both values, which merge."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MOST_COLUMNS = 40
"""A wider table's first so many numeric columns; the sums grow with the square of them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Together:
    """Pairwise counts, means and sums of deviations of numeric columns, flattened row by row.

    Item (i, j) of `means` and `squares` is of column i over the rows where column j has a value too. Merged as
    moments are (Chan et al. 1979), hence in any order, to rounding.
    """

    names: tuple[str, ...]
    counts: Floats
    means: Floats
    squares: Floats
    products: Floats

    @staticmethod
    def of(names: tuple[str, ...], columns: list[Floats]) -> "Together":
        """Of columns of one length, NaN where there is no value."""
        rows = np.column_stack(columns)
        present = np.isfinite(rows)
        with np.errstate(all="ignore"):
            shift = np.where(
                present.any(axis=0),
                np.where(present, rows, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1),
                0.0,
            )
            centred = np.where(present, rows - shift, 0.0)
            here = present.astype(np.float64)
            counts = _products(here, here)
            sums = _products(centred, here)
            seen = np.maximum(counts, 1.0)
            means = np.where(counts > 0, sums / seen + shift[:, None], 0.0)
            squares = _products(centred * centred, here) - sums * sums / seen
            products = _products(centred, centred) - sums * sums.T / seen
        return Together(
            names=names,
            counts=counts.ravel(),
            means=means.ravel(),
            squares=squares.ravel(),
            products=products.ravel(),
        )

    def merge(self, other: "Together") -> "Together":
        """Both together; of tables with different numeric columns nothing can be said but of the first."""
        if self.names != other.names:
            return self
        size = len(self.names)
        counts = self.counts + other.counts
        share = other.counts / np.maximum(counts, 1.0)
        # Numbers whose squares no float can hold have no correlation; `correlation` says so.
        with np.errstate(all="ignore"):
            apart = other.means - self.means
            across = apart.reshape(size, size).T.ravel()
            weight = self.counts * share
            return Together(
                names=self.names,
                counts=counts,
                means=self.means + apart * share,
                squares=self.squares + other.squares + apart * apart * weight,
                products=self.products + other.products + apart * across * weight,
            )

    def correlation(self, one: str, other: str) -> float | None:
        """Pearson's r; None where it is not defined (fewer than three rows, or a column that doesn't vary)."""
        if one not in self.names or other not in self.names:
            return None
        size = len(self.names)
        i, j = self.names.index(one), self.names.index(other)
        spread = float(self.squares[i * size + j]) * float(self.squares[j * size + i])
        if self.counts[i * size + j] < 3 or not 0 < spread < math.inf:
            return None
        return max(-1.0, min(1.0, float(self.products[i * size + j]) / math.sqrt(spread)))

    def strongest(self, limit: int = 10) -> list[tuple[str, str, float]]:
        """The pairs that move together most, the strongest first."""
        pairs = [
            (one, other, r)
            for i, one in enumerate(self.names)
            for other in self.names[i + 1 :]
            if (r := self.correlation(one, other)) is not None and not math.isnan(r)
        ]
        return sorted(pairs, key=lambda pair: (-abs(pair[2]), pair[:2]))[:limit]


def _products(one: Floats, other: Floats) -> Floats:
    # Not `@`: it starts threads that cost more than they save on a batch.
    return np.asarray(np.einsum("ki,kj->ij", one, other), np.float64)
