"""How far two profiles of a column are apart; a missing value is a category of its own."""

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    from mainspring.quality.profile import ColumnProfile

Floats = npt.NDArray[np.float64]
Measure = Literal["psi", "jensen_shannon", "l_infinity", "ks"]

_CATEGORIES = 100
_BINS = 20


def distribution_distance(before: "ColumnProfile", now: "ColumnProfile", measure: Measure) -> float:
    """How far two profiles of a column are apart, in bins at the first one's quantiles or by category."""
    from mainspring.quality.reference import psi

    p, q = binned(before, now)
    match measure:
        case "psi":
            return psi(p.round().astype(np.int64), q.round().astype(np.int64))
        case "ks":
            if before.quantiles is None or now.quantiles is None:
                raise Invalid(f"{now.name!r} has no order, which ks needs", code="not_ordered")
            return _ks(before, now)
        case "l_infinity":
            return float(np.abs(p / p.sum() - q / q.sum()).max()) if p.sum() and q.sum() else 0.0
        case _:
            return _jensen_shannon(p, q)


def binned(before: "ColumnProfile", now: "ColumnProfile") -> tuple[Floats, Floats]:
    """Rows of both per bin: missing first, then values in bins at the first's quantiles, or categories."""
    gaps = [float(c.null_count + c.nan_count) for c in (before, now)]
    codes = all(c.frequent is not None and c.frequent.is_exact for c in (before, now))
    few = codes and before.frequent is not None and len(before.frequent.counts) <= _CATEGORIES
    if before.frequent is not None and now.frequent is not None and (few or not before.quantiles):
        top = [value for value, _ in before.frequent.top(_CATEGORIES)]
        counts = [
            [float(c.frequent.counts.get(value, 0)) for value in top]
            for c in (before, now)
            if c.frequent is not None
        ]
        rest = [
            max(0.0, c.row_count - gap - sum(row))
            for c, gap, row in zip((before, now), gaps, counts, strict=True)
        ]
        rows = [[g, *row, r] for g, row, r in zip(gaps, counts, rest, strict=True)]
        return np.asarray(rows[0]), np.asarray(rows[1])
    if before.quantiles is None or now.quantiles is None or not before.quantiles.count:
        raise Invalid(f"{now.name!r} has nothing to compare", code="not_comparable")
    shares = np.arange(1, _BINS) / _BINS
    edges = np.unique([before.quantiles.quantile(float(share)) for share in shares])
    found = []
    for column, gap in ((before, gaps[0]), (now, gaps[1])):
        sketch = column.quantiles
        if sketch is None:
            continue
        up_to = np.concatenate(([0.0], sketch.shares_up_to(edges), [1.0]))
        inside = np.diff(up_to) * sketch.count
        found.append(np.concatenate(([gap + column.infinite_count], inside)))
    return found[0], found[1]


def _ks(before: "ColumnProfile", now: "ColumnProfile") -> float:
    """The greatest gap between both shares up to a value, missing ones counted below all."""
    if before.quantiles is None or now.quantiles is None:
        return 0.0
    shares = np.linspace(0, 1, 201)
    points = np.unique(
        [sketch.quantile(float(s)) for sketch in (before.quantiles, now.quantiles) for s in shares]
    )
    up_to = []
    for column in (before, now):
        if column.quantiles is None or not column.row_count:
            return 0.0
        gap = column.missing_share
        up_to.append(
            np.concatenate(([gap], gap + (1 - gap) * column.quantiles.shares_up_to(points)))
        )
    return float(np.abs(up_to[0] - up_to[1]).max())


def _jensen_shannon(p: Floats, q: Floats) -> float:
    """The divergence to base 2, which lies between 0 and 1 (Lin 1991)."""
    if not p.sum() or not q.sum():
        return 0.0
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    terms = [
        float(np.sum(side[side > 0] * np.log2(side[side > 0] / middle[side > 0])))
        for side in (p, q)
    ]
    return max(0.0, sum(terms) / 2)
