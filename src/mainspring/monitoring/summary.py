"""From a window's sums to what people and `judge.py` read: drift, performance, expected and estimated error."""

from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.domain.evaluation import Reference
from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import FeatureDrift, VersionPerformance
from mainspring.monitoring.detectors.feature_drift import drift_of, feature_drift
from mainspring.monitoring.detectors.missing_values import missing_values
from mainspring.monitoring.state import WindowState


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A window's sums, compared with the reference of the version that answered most of it.

    `drift` is None if there are counts to compare but the reference is not at hand.
    """

    version: ModelVersionId | None
    row_count: int
    labelled_count: int
    drift: tuple[FeatureDrift, ...] | None
    prediction_drift: FeatureDrift | None
    performance: tuple[VersionPerformance, ...]
    expected_error: float | None
    estimated_error: float | None


def summarise(
    state: WindowState, references: Mapping[ModelVersionId, Reference], *, psi_threshold: float
) -> Summary:
    """Compare a window with the reference of its version; without one there is no drift to tell."""
    main = state.main
    reference = references.get(main) if main else None
    sums = state.versions[main] if main else None
    drift: tuple[FeatureDrift, ...] = ()
    prediction_drift = None
    if reference and sums:
        found = (
            drift_of(
                feature,
                sums.features[feature.name],
                psi_threshold=psi_threshold,
                comparison_count=len(reference.features),
            )
            for feature in reference.features
            if feature.name in sums.features
        )
        drift = tuple(one for one in found if one)
        if reference.prediction and sums.predictions:
            prediction_drift = drift_of(
                reference.prediction,
                sums.predictions,
                psi_threshold=psi_threshold,
                comparison_count=1,
            )
    expected = sums.expected_error if sums else None
    return Summary(
        version=main,
        row_count=state.row_count,
        labelled_count=state.labelled_count,
        drift=None if reference is None and sums and sums.features else drift,
        prediction_drift=prediction_drift,
        performance=tuple(
            state.versions[version].performance(version) for version in sorted(state.versions)
        ),
        expected_error=expected,
        estimated_error=_estimated_error(expected, drift, sums.row_count if sums else 0),
    )


def _estimated_error(
    expected: float | None, drift: tuple[FeatureDrift, ...], row_count: int
) -> float | None:
    """The expected error moved by the worst effect of a feature that drifted beyond noise.

    Effects of several features are not added: correlated features tell of the same shift.
    """
    if expected is None:
        return None
    effects = [
        one.effect
        for one in drift
        if one.effect is not None
        and (feature_drift(one) or missing_values(one, row_count=row_count))
    ]
    return expected + max(effects, default=0.0)
