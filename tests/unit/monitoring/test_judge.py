"""Incidents need harm that persists."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import (
    FeatureDrift,
    Incident,
    IncidentId,
    IncidentKind,
    VersionPerformance,
    Window,
    WindowId,
)
from mainspring.domain.service import DriftPolicy, MonitorPolicy
from mainspring.monitoring.judge import findings_of, is_recovered, proposal
from mainspring.monitoring.recovery import waits_for
from mainspring.testing.services import START, VERSION

POLICY = MonitorPolicy(min_rows=50, persistence=2, max_error_growth=0.25)
HOUR = timedelta(hours=1)


def a_window(
    number: int,
    *,
    error: float | None = None,
    effect: float | None = None,
    policy: MonitorPolicy = POLICY,
    **differing: object,
) -> Window:
    """A closed, judged window; `error` if labels came, `effect` if a feature drifted."""
    labelled = 0 if error is None else 100
    drift = (
        FeatureDrift(
            feature="temp",
            psi=0.0 if effect is None else 0.9,
            threshold=0.2,
            null_share=0.0,
            reference_null_share=0.0,
            effect=effect,
        ),
    )
    window = Window(
        id=WindowId(f"win_{number}"),
        service="demand",
        start=START + number * HOUR,
        end=START + (number + 1) * HOUR,
        is_closed=True,
        row_count=100,
        labelled_count=labelled,
        drift=drift,
        performance=(
            VersionPerformance(
                version=VERSION,
                row_count=100,
                labelled_count=labelled,
                mae=error,
                rmse=error,
                bias=0.0,
                expected_error=4.0,
                error=error,
                standard_error=0.1,
            ),
        ),
        expected_error=4.0,
        estimated_error=4.0 + (effect or 0.0),
        findings=(),
        updated_at=START,
        version=VERSION,
    )
    window = replace(window, **differing)  # type: ignore[arg-type]
    return replace(window, findings=findings_of(window, policy))


def test_one_bad_window_opens_nothing() -> None:
    assert proposal([a_window(2, error=8), a_window(1, error=4)], POLICY, VERSION) is None


def test_persistent_error_growth_opens_an_incident_with_evidence() -> None:
    windows = [a_window(3, error=8, effect=0.5), a_window(2, error=4), a_window(1, error=8)]

    proposed = proposal(windows, POLICY, VERSION)

    assert proposed is not None
    assert proposed.kind is IncidentKind.ERROR_GROWTH
    assert proposed.windows == ("win_3", "win_1")
    assert "was 8, 100% more than the expected 4" in proposed.summary
    assert "temp (population stability index 0.90, estimated effect +0.5)" in proposed.summary


def test_windows_whose_labels_are_late_don_t_hide_older_measured_ones() -> None:
    windows = [a_window(4), a_window(3), a_window(2, error=8), a_window(1, error=8)]

    assert proposal(windows, POLICY, VERSION) is not None


def test_drift_estimated_to_hurt_opens_an_incident() -> None:
    windows = [a_window(2, effect=2.0), a_window(1, effect=2.0)]

    proposed = proposal(windows, POLICY, VERSION)

    assert proposed is not None
    assert proposed.kind is IncidentKind.HARMFUL_DRIFT
    assert "estimated to raise the error by 50% to 6" in proposed.summary


def test_harmless_drift_opens_an_incident_only_if_any_drift_counts() -> None:
    windows = [a_window(2, effect=0.1), a_window(1, effect=0.1)]

    assert windows[0].findings
    assert proposal(windows, POLICY, VERSION) is None
    assert proposal(windows, replace(POLICY, drift=DriftPolicy.ANY), VERSION) is not None


def test_without_drift_watching_only_measured_errors_count() -> None:
    off = replace(POLICY, drift=DriftPolicy.OFF)
    drifted = [a_window(n, effect=9.0, policy=off) for n in (2, 1)]
    wrong = [a_window(n, error=9.0, policy=off) for n in (2, 1)]

    assert proposal(drifted, off, VERSION) is None
    assert proposal(wrong, off, VERSION) is not None


def test_windows_of_another_version_or_too_few_rows_don_t_count() -> None:
    other = [a_window(n, error=8, version=ModelVersionId("mv_2")) for n in (2, 1)]
    small = [a_window(n, effect=9.0, row_count=10) for n in (2, 1)]
    still_open = [a_window(n, error=8, is_closed=False) for n in (2, 1)]

    for windows in (other, small, still_open):
        assert proposal(windows, POLICY, VERSION) is None


def test_recovery_takes_as_many_good_windows() -> None:
    def recovered(*windows: Window, has_labels: bool = True) -> bool:
        return is_recovered(windows, POLICY, VERSION, has_labels=has_labels)

    assert recovered(a_window(3, error=4), a_window(2, error=4.2))
    assert not recovered(a_window(3, error=4))
    assert not recovered(a_window(3, error=4), a_window(2, error=8))
    assert not recovered(a_window(3), a_window(2))
    assert recovered(a_window(3), a_window(2), has_labels=False)
    assert not recovered(a_window(3), a_window(2, effect=3.0), has_labels=False)


INCIDENT = Incident(
    id=IncidentId("inc_1"),
    service="demand",
    kind=IncidentKind.ERROR_GROWTH,
    summary="its error grew",
    version=ModelVersionId("mv_before"),
    findings=(),
    windows=(),
    opened_at=START,
)


@pytest.mark.parametrize(("errors", "so_far"), [((), 0), ((8.0, 4.0), 0), ((4.0, 8.0), 1)])
def test_it_counts_the_good_windows_of_the_new_champion(
    errors: tuple[float, ...], so_far: int
) -> None:
    old = replace(a_window(0, error=8), version=INCIDENT.version)
    newest_first = [a_window(9 - n, error=error) for n, error in enumerate(errors)]

    text = waits_for(INCIDENT, [*newest_first, old], POLICY, VERSION, number=2)

    assert text is not None
    assert "windows in a row in which version 2" in text
    assert text.endswith(f"{so_far} so far")


def test_a_closed_one_waits_for_nothing_and_one_about_the_champion_for_another_version() -> None:
    closed = replace(INCIDENT, closed_at=START, resolution="it went away")

    assert waits_for(closed, [], POLICY, VERSION) is None
    assert "another version" in (waits_for(INCIDENT, [], POLICY, INCIDENT.version) or "")


@pytest.mark.parametrize("kind", IncidentKind)
def test_every_kind_says_what_it_waits_for(kind: IncidentKind) -> None:
    assert waits_for(replace(INCIDENT, kind=kind), [], POLICY, VERSION)
