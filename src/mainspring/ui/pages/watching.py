"""Charts of what monitoring saw: errors, drift, volume."""

from collections.abc import Sequence

from markupsafe import Markup

from mainspring.domain.event import StoredEvent
from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import Incident, VersionPerformance, Window
from mainspring.ui import format as fmt
from mainspring.ui.charts.bars import Volume, volume_chart
from mainspring.ui.charts.heat import Heat, heat_map
from mainspring.ui.charts.lines import Limit, LineChart, Marker, Series, line_chart
from mainspring.ui.reader import Reader

_FEATURES = 40
_COLOURS = ("s1", "s2", "s3", "s4", "s5", "s6")


def error_chart(
    reader: Reader,
    windows: Sequence[Window],
    *,
    champions: Sequence[StoredEvent] = (),
    incidents: Sequence[Incident] = (),
    max_growth: float | None = None,
) -> Markup:
    """Error over event time: expected from the reference, estimated from inputs, measured by labels."""
    is_class = any(p.mae is None and p.accuracy is not None for w in windows for p in w.performance)
    versions = _versions(windows)
    measured = [
        Series(
            name=f"measured, {_name(reader, version)}",
            points=[(_middle(w), _of(w, version)) for w in windows],
            class_=_COLOURS[i % len(_COLOURS)],
        )
        for i, version in enumerate(versions)
    ]
    expected = [w.expected_error for w in windows if w.expected_error is not None]
    limits = []
    if expected and max_growth is not None:
        label = f"harmful from here ({fmt.share(1 + max_growth)} of expected)"
        limits.append(Limit(label=label, value=expected[-1] * (1 + max_growth)))
    return line_chart(
        LineChart(
            id="error",
            title="Share of wrong answers" if is_class else "Mean absolute error",
            series=[
                Series(
                    name="expected",
                    points=[(_middle(w), w.expected_error) for w in windows],
                    class_="expected",
                ),
                Series(
                    name="estimated from inputs",
                    points=[(_middle(w), w.estimated_error) for w in windows],
                    class_="estimated",
                ),
                *measured,
            ],
            limits=limits,
            markers=_markers(reader, windows, champions, incidents),
            height=240,
            note="By the time of the predictions (UTC). Expected: on held-out rows when the model was "
            "trained. Estimated: what the inputs alone suggest. Measured: what labels showed.",
        )
    )


def drift_map(windows: Sequence[Window]) -> Markup:
    """Each feature's distance from training in each window, worst features first."""
    worst: dict[str, float] = {}
    for window in windows:
        for drift in window.drift:
            score = drift.psi / drift.threshold if drift.threshold > 0 else 0.0
            worst[drift.feature] = max(worst.get(drift.feature, 0.0), score)
    features = sorted(worst, key=lambda f: (-worst[f], f))
    rows = [
        (feature, [_heat(window, feature) for window in windows])
        for feature in features[:_FEATURES]
    ]
    note = "Colour: distance from training over its threshold. A dot: the threshold was crossed."
    if len(features) > _FEATURES:
        note += f" The {_FEATURES} features that drifted most, of {len(features)}."
    return heat_map(
        "drift", "Drift of inputs and predictions", rows, [w.start for w in windows], note=note
    )


def volume(windows: Sequence[Window]) -> Markup:
    """How many predictions each window had, and how many of them were labelled."""
    bars = [
        Volume(start=w.start, end=w.end, total=w.row_count, part=w.labelled_count) for w in windows
    ]
    return volume_chart("volume", "Predictions", bars, total="answered", part="labelled")


def _heat(window: Window, feature: str) -> Heat | None:
    found = next((d for d in window.drift if d.feature == feature), None)
    if found is None:
        return None
    lines = [
        feature,
        f"{fmt.short_moment(window.start)} UTC",
        f"PSI {fmt.number(found.psi, 3)} (threshold {fmt.number(found.threshold, 3)})",
        f"missing {fmt.share(found.null_share)} (in training {fmt.share(found.reference_null_share)})",
    ]
    if found.effect is not None:
        lines.append(f"estimated effect on the error {fmt.signed(found.effect)}")
    return Heat(score=found.psi, threshold=found.threshold, tip="\n".join(lines))


def _middle(window: Window) -> float:
    return (window.start.timestamp() + window.end.timestamp()) / 2


def _versions(windows: Sequence[Window]) -> list[ModelVersionId]:
    """The versions that were measured, in the order they first answered."""
    seen: dict[ModelVersionId, None] = {}
    for window in windows:
        for performance in window.performance:
            if error_of(performance) is not None:
                seen[performance.version] = None
    return list(seen)


def error_of(performance: VersionPerformance) -> float | None:
    """The mean absolute error, or for classes the share of wrong answers."""
    if performance.mae is not None:
        return performance.mae
    return None if performance.accuracy is None else 1 - performance.accuracy


def _of(window: Window, version: ModelVersionId) -> float | None:
    found = next((p for p in window.performance if p.version == version), None)
    return error_of(found) if found else None


def _name(reader: Reader, id_: str) -> str:
    found = reader.version(id_)
    return f"v{found.number}" if found else fmt.short_id(id_)


def _markers(
    reader: Reader,
    windows: Sequence[Window],
    champions: Sequence[StoredEvent],
    incidents: Sequence[Incident],
) -> list[Marker]:
    """Decisions at the window they showed in: event time need not be the time on the clock."""
    found = []
    for event in champions:
        version = str(event.payload.get("version"))
        answered = [w for w in windows if any(p.version == version for p in w.performance)]
        if answered and answered[0] is not windows[0]:
            label = f"{_name(reader, version)} answers as champion"
            found.append(Marker(x=_middle(answered[0]), label=label, class_="ok"))
    for incident in incidents:
        seen = [w for w in windows if w.id in incident.windows]
        if seen:
            label = f"incident: {incident.summary}"
            found.append(Marker(x=_middle(seen[-1]), label=label, class_="bad"))
    return found
