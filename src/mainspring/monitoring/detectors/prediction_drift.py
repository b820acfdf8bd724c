"""Answers that are spread differently than on the held-out rows."""

from mainspring.domain.monitor import FeatureDrift, Finding, FindingKind
from mainspring.monitoring.detectors.feature_drift import METHOD


def prediction_drift(drift: FeatureDrift) -> Finding | None:
    """A finding if the index of the answers is above its threshold."""
    if drift.psi <= drift.threshold:
        return None
    return Finding(
        kind=FindingKind.PREDICTION_DRIFT,
        feature=None,
        method=METHOD,
        score=drift.psi,
        threshold=drift.threshold,
        effect=None,
        detail="the answers are spread differently than on held-out rows",
    )
