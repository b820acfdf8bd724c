"""Features that are missing more often than in training."""

from math import sqrt

from mainspring.domain.monitor import FeatureDrift, Finding, FindingKind

# Below this many more missing values nobody would act, however sure we are of them.
_LEAST_GROWTH = 0.05
_STANDARD_ERRORS = 4


def missing_values(drift: FeatureDrift, *, row_count: int) -> Finding | None:
    """A finding if a feature's null share grew by more than noise and by enough to matter."""
    share = drift.reference_null_share
    # One more missing row in the reference than there was: a share of zero has no spread to compare with.
    spread = sqrt(max(share * (1 - share), 1 / row_count) / row_count)
    threshold = min(share + max(_LEAST_GROWTH, _STANDARD_ERRORS * spread), 1.0)
    if drift.null_share < threshold or drift.null_share <= share:
        return None
    return Finding(
        kind=FindingKind.MISSING_VALUES,
        feature=drift.feature,
        method="share of missing values",
        score=drift.null_share,
        threshold=threshold,
        effect=drift.effect,
        detail=(
            f"{drift.feature} is missing in {drift.null_share:.0%} of the rows; "
            f"in training it was in {share:.0%}"
        ),
    )
