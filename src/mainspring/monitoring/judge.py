"""What a window's findings are, and whether several windows together are worth an incident. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import (
    Finding,
    FindingKind,
    IncidentKind,
    Window,
    WindowId,
)
from mainspring.domain.service import DriftPolicy, MonitorPolicy
from mainspring.monitoring.detectors.error_growth import error_growth
from mainspring.monitoring.detectors.feature_drift import feature_drift
from mainspring.monitoring.detectors.missing_values import missing_values
from mainspring.monitoring.detectors.prediction_drift import prediction_drift

_TOLD_FEATURES = 5


def findings_of(window: Window, policy: MonitorPolicy) -> tuple[Finding, ...]:
    """Everything in a window that is not as expected, the most telling first.

    A window with fewer than `min_rows` rows is not judged: it has no findings.
    """
    found: list[Finding | None] = []
    if window.measured:
        found.append(
            error_growth(
                window.measured, max_growth=policy.max_error_growth, min_rows=policy.min_rows
            )
        )
    if policy.drift is not DriftPolicy.OFF and window.row_count >= policy.min_rows:
        drift = sorted(window.drift, key=lambda one: (-(one.effect or 0.0), -one.psi))
        found += [missing_values(one, row_count=window.row_count) for one in drift]
        found += [feature_drift(one) for one in drift]
        if window.prediction_drift:
            found.append(prediction_drift(window.prediction_drift))
    return tuple(finding for finding in found if finding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An incident that the windows call for."""

    kind: IncidentKind
    summary: str
    version: ModelVersionId
    findings: tuple[Finding, ...]
    windows: tuple[WindowId, ...]


def proposal(
    windows: Sequence[Window], policy: MonitorPolicy, version: ModelVersionId
) -> Proposal | None:
    """The incident that windows of a version call for, given newest first; None if they don't.

    Measured errors count before estimates. Persistence is asked for in either case: a single odd window
    opens nothing.
    """
    judged = [w for w in windows if w.is_closed and w.version == version]
    measured = _persistent((w for w in judged if is_measured(w, policy)), policy, _error_grew)
    if measured:
        return _proposal(IncidentKind.ERROR_GROWTH, measured, version, _measured_summary)
    if policy.drift is DriftPolicy.OFF:
        return None
    harmed: Callable[[Window], bool] = (
        _has_findings if policy.drift is DriftPolicy.ANY else lambda w: is_harmed(w, policy)
    )
    large = (w for w in judged if w.row_count >= policy.min_rows)
    drifted = _persistent(large, policy, harmed)
    if drifted:
        return _proposal(IncidentKind.HARMFUL_DRIFT, drifted, version, _estimated_summary)
    return None


def is_recovered(
    windows: Sequence[Window], policy: MonitorPolicy, version: ModelVersionId, *, has_labels: bool
) -> bool:
    """Whether the newest windows of a version, newest first, show that errors are as expected again.

    Where labels come, only labelled windows can show it.
    """
    return good_count(windows, policy, version, has_labels=has_labels) >= policy.persistence


def good_count(
    windows: Sequence[Window], policy: MonitorPolicy, version: ModelVersionId, *, has_labels: bool
) -> int:
    """How many windows of a version in a row, from the newest back, show errors as expected."""
    own = (w for w in windows if w.is_closed and w.version == version)
    if has_labels:
        judged = (w for w in own if is_measured(w, policy))
        return sum(1 for _ in takewhile(lambda w: not _error_grew(w), judged))
    judged = (w for w in own if w.row_count >= policy.min_rows)
    return sum(1 for _ in takewhile(lambda w: not is_harmed(w, policy), judged))


def is_measured(window: Window, policy: MonitorPolicy) -> bool:
    """Whether enough labels came to tell a window's error."""
    return window.measured is not None and window.measured.labelled_count >= policy.min_rows


def is_harmed(window: Window, policy: MonitorPolicy) -> bool:
    """Whether a window's error grew, or its drift is estimated to have made it grow, beyond the promise."""
    if _error_grew(window):
        return True
    expected, estimated = window.expected_error, window.estimated_error
    if not expected or estimated is None:
        return False
    return estimated > expected * (1 + policy.max_error_growth)


def _persistent(
    judged: Iterable[Window], policy: MonitorPolicy, is_bad: Callable[[Window], bool]
) -> list[Window]:
    """The bad ones among the newest `persistence + 1`, if they are at least `persistence`."""
    newest = islice(judged, policy.persistence + 1)
    bad = [window for window in newest if is_bad(window)]
    return bad if len(bad) >= policy.persistence else []


def _error_grew(window: Window) -> bool:
    return any(f.kind is FindingKind.ERROR_GROWTH for f in window.findings)


def _has_findings(window: Window) -> bool:
    return bool(window.findings)


def _proposal(
    kind: IncidentKind,
    windows: list[Window],
    version: ModelVersionId,
    summary: Callable[[Sequence[Window]], str],
) -> Proposal:
    return Proposal(
        kind=kind,
        summary=summary(windows),
        version=version,
        findings=windows[0].findings,
        windows=tuple(window.id for window in windows),
    )


def _measured_summary(windows: Sequence[Window]) -> str:
    measured = [w.measured for w in windows if w.measured]
    rows = sum(m.labelled_count for m in measured)
    error = sum((m.error or 0.0) * m.labelled_count for m in measured) / rows
    expected = measured[0].expected_error or 0.0
    growth = f", {error / expected - 1:.0%} more than" if expected else " instead of"
    return (
        f"in {len(windows)} windows the error on {rows} labelled rows was {error:.4g}{growth} "
        f"the expected {expected:.4g}{_features(windows[0])}"
    )


def _estimated_summary(windows: Sequence[Window]) -> str:
    newest = windows[0]
    if newest.expected_error and newest.estimated_error is not None:
        growth = newest.estimated_error / newest.expected_error - 1
        head = (
            f"in {len(windows)} windows drift persisted; it is estimated to raise the error by "
            f"{growth:.0%} to {newest.estimated_error:.4g}"
        )
    else:
        head = f"in {len(windows)} windows drift persisted; its effect on the error is not known"
    return head + _features(newest)


def _features(window: Window) -> str:
    """The features that drifted most, as the end of a sentence."""
    drifted = [
        f
        for f in window.findings
        if f.kind in (FindingKind.FEATURE_DRIFT, FindingKind.MISSING_VALUES) and f.feature
    ]
    if not drifted:
        return ""
    told = [
        f"{f.feature} ({f.method} {f.score:.2f}"
        + (f", estimated effect {f.effect:+.3g}" if f.effect is not None else "")
        + ")"
        for f in drifted[:_TOLD_FEATURES]
    ]
    more = len(drifted) - len(told)
    return f"; drifted most: {', '.join(told)}" + (f" and {more} more" if more > 0 else "")
