"""What a shifted feature should do to the model's error, before any label has come.

The reference knows the mean error in each bin of each feature on held-out rows. If a window fills the bins
differently and the errors within them stay as they were, the mean error moves by
sum over bins of (p_now - p_held_out) x mean error in the bin: direct standardisation, as epidemiology does
it, and the one-feature case of importance weighting under covariate shift (H. Shimodaira, "Improving
predictive inference under covariate shift", Journal of Statistical Planning and Inference 90, 2000).
It can't see a changed relation between inputs and target; only labels show that.
"""

from collections.abc import Sequence

from mainspring.domain.evaluation import FeatureReference

# A bin with few held-out rows is drawn towards the overall mean, as if that many more rows had shown it.
_PRIOR_ROWS = 5


def estimated_effect(feature: FeatureReference, counts: Sequence[int]) -> float | None:
    """The estimated change of the mean error; None if the reference holds no errors."""
    if feature.abs_errors is None or feature.error_counts is None:
        return None
    held_out, now = sum(feature.error_counts), sum(counts)
    if held_out == 0 or now == 0:
        return None
    overall = sum(feature.abs_errors) / held_out
    effect = 0.0
    for total, rows, count in zip(feature.abs_errors, feature.error_counts, counts, strict=True):
        mean = (total + _PRIOR_ROWS * overall) / (rows + _PRIOR_ROWS)
        effect += (count / now - rows / held_out) * mean
    return effect
