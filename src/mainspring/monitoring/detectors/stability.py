"""The population stability index of two sets of counts, and what of it is only noise.

PSI = sum over bins of (p - q) ln(p / q). When both samples come from one distribution it behaves like a
chi-square of B - 1 degrees of freedom times (1/n + 1/m), so its expectation is (B - 1)(1/n + 1/m)
(B. Yurdakul, "Statistical Properties of the Population Stability Index", Western Michigan University,
2018). The usual fixed limits of 0.1 and 0.2 ignore this and alarm on every small window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import NormalDist

# The chi-square form needs a few rows in every bin (W. G. Cochran, "The chi-square test of goodness of
# fit", Annals of Mathematical Statistics 23, 1952): bins with fewer are merged with their neighbours.
_LEAST_ROWS_IN_BIN = 5
# A count of zero has no logarithm; half a row is Jeffreys' prior.
_PRIOR_ROWS = 0.5
_FALSE_ALARMS_PER_WINDOW = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """A PSI and the value that chance alone exceeds in one of a hundred windows."""

    psi: float
    noise_floor: float


def distance(
    reference: Sequence[int], counts: Sequence[int], *, comparison_count: int = 1
) -> Distance | None:
    """How far counts are from the reference's; None if either is empty.

    `comparison_count` is how many features the window is tested on: the floor rises so that the whole
    window, not each feature, rarely alarms by chance (Bonferroni).
    """
    pairs = _merged(reference, counts)
    m, n = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    if m == 0 or n == 0:
        return None
    bins = len(pairs)
    psi = 0.0
    for before, now in pairs:
        p = (now + _PRIOR_ROWS) / (n + _PRIOR_ROWS * bins)
        q = (before + _PRIOR_ROWS) / (m + _PRIOR_ROWS * bins)
        psi += (p - q) * log(p / q)
    scale = 1 / n + 1 / m
    alpha = _FALSE_ALARMS_PER_WINDOW / max(1, comparison_count)
    return Distance(psi=psi, noise_floor=_chi_square_quantile(bins - 1, 1 - alpha) * scale)


def _merged(reference: Sequence[int], counts: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbouring bins merged until the window is expected to fill each, or does fill it."""
    m, n = sum(reference), sum(counts)
    merged: list[tuple[int, int]] = []
    before = now = 0
    for old, new in zip(reference, counts, strict=True):
        before, now = before + old, now + new
        if max(before * n / m if m else 0.0, now) >= _LEAST_ROWS_IN_BIN:
            merged.append((before, now))
            before = now = 0
    if before or now:
        last = merged.pop() if merged else (0, 0)
        merged.append((last[0] + before, last[1] + now))
    return merged


def _chi_square_quantile(degrees: int, probability: float) -> float:
    """By Wilson and Hilferty's cube root, good to a percent from two degrees of freedom on.

    >>> round(_chi_square_quantile(10, 0.99), 1)
    23.2
    """
    if degrees < 1:
        return 0.0
    z = NormalDist().inv_cdf(probability)
    if degrees == 1:
        return NormalDist().inv_cdf((1 + probability) / 2) ** 2
    spread = 2 / (9 * degrees)
    return float(degrees * (1 - spread + z * sqrt(spread)) ** 3)
