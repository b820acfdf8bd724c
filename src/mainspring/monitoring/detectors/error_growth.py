"""Errors that labels show to have grown."""

from mainspring.domain.monitor import Finding, FindingKind, VersionPerformance

# One-sided 95 %: the growth must be there beyond the noise of the labelled rows.
_STANDARD_ERRORS = 1.645


def error_growth(
    measured: VersionPerformance, *, max_growth: float, min_rows: int
) -> Finding | None:
    """A finding if the measured mean error is surely above the expected one by more than `max_growth`."""
    expected, error = measured.expected_error, measured.error
    if expected is None or error is None or measured.labelled_count < min_rows:
        return None
    surely = error - _STANDARD_ERRORS * (measured.standard_error or 0.0)
    # Where nothing was wrong on held-out rows, any growth is infinite; a share of one row stands for zero.
    base = max(expected, 1 / measured.labelled_count) if measured.accuracy is not None else expected
    if base <= 0 or surely <= base * (1 + max_growth):
        return None
    return Finding(
        kind=FindingKind.ERROR_GROWTH,
        feature=None,
        method="mean error on labelled rows against held-out rows",
        score=error / base - 1,
        threshold=max_growth,
        effect=error - expected,
        detail=(
            f"the error is {error:.4g} on {measured.labelled_count} labelled rows, "
            f"{error / base - 1:.0%} above the expected {expected:.4g}"
        ),
    )
