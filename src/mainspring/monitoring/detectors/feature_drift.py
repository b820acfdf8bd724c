"""Features whose values are spread differently than in training."""

from collections.abc import Sequence

from mainspring.domain.evaluation import FeatureReference
from mainspring.domain.monitor import FeatureDrift, Finding, FindingKind
from mainspring.monitoring.detectors.effect import estimated_effect
from mainspring.monitoring.detectors.stability import distance

METHOD = "population stability index"


def drift_of(
    feature: FeatureReference,
    counts: Sequence[int],
    *,
    psi_threshold: float,
    comparison_count: int,
) -> FeatureDrift | None:
    """A feature's distance from its reference; None if either has no values.

    Missing values are left out of the index and told as shares: a feed that fails would otherwise be one
    bin among many. The threshold is the declared one, or the noise floor of so few rows if that is higher.
    """
    present = distance(feature.counts[:-1], counts[:-1], comparison_count=comparison_count)
    rows, reference_rows = sum(counts), sum(feature.counts)
    if rows == 0 or reference_rows == 0:
        return None
    return FeatureDrift(
        feature=feature.name,
        psi=present.psi if present else 0.0,
        threshold=max(psi_threshold, present.noise_floor if present else 0.0),
        null_share=counts[-1] / rows,
        reference_null_share=feature.counts[-1] / reference_rows,
        effect=estimated_effect(feature, counts),
    )


def feature_drift(drift: FeatureDrift) -> Finding | None:
    """A finding if the index is above its threshold."""
    if drift.psi <= drift.threshold:
        return None
    return Finding(
        kind=FindingKind.FEATURE_DRIFT,
        feature=drift.feature,
        method=METHOD,
        score=drift.psi,
        threshold=drift.threshold,
        effect=drift.effect,
        detail=f"{drift.feature} is spread differently than in training",
    )
