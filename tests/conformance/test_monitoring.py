"""Windows count everything exactly once, on both databases."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mainspring.app import App
from mainspring.domain.event import IncidentClosed, IncidentOpened, WindowJudged
from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import FindingKind, IncidentKind, Window
from mainspring.domain.service import MonitorPolicy
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.monitoring.requests import (
    CloseIncident,
    ForgetPredictions,
    GetIncident,
    GetProgress,
    JudgeWindows,
    ListIncidents,
    ListWindows,
    OpenIncident,
    Recorded,
    RecordLabels,
    RecordPredictions,
)
from mainspring.testing.apps import clock_of, emitted
from mainspring.testing.services import (
    START,
    VERSION,
    a_label,
    a_prediction,
    a_reference,
    a_service,
)

POLICY = MonitorPolicy(window_seconds=3600, min_rows=10)
HOUR = timedelta(hours=1)


def record(app: App, start: int, predictions: Any, labels: Any = (), **differing: Any) -> Recorded:
    return app.call(
        RecordPredictions(
            service="demand",
            segment="a.seg",
            from_offset=start,
            to_offset=start + 1,
            predictions=tuple(predictions),
            labels=tuple(labels),
            references={VERSION: a_reference()},
            **differing,
        )
    )


def windows(app: App) -> tuple[Window, ...]:
    return app.call(ListWindows(service="demand"))


def test_predictions_fall_into_the_windows_of_their_event_time(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)

    record(
        any_app,
        0,
        [a_prediction(1), a_prediction(2), a_prediction(3, event_at=START + 2.5 * HOUR)],
    )

    late, early = windows(any_app)
    assert (early.start, early.end, early.row_count) == (START, START + HOUR, 2)
    assert (late.start, late.row_count) == (START + 2 * HOUR, 1)
    assert early.version == VERSION
    assert early.expected_error == 4.0


def test_a_batch_given_twice_is_refused_and_counts_once(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(1)])

    with pytest.raises(Conflict) as caught:
        record(any_app, 0, [a_prediction(1)])

    assert caught.value.code == "cursor_moved"
    assert [w.row_count for w in windows(any_app)] == [1]
    assert any_app.call(GetProgress(service="demand")).cursors == {"a.seg": 1}


def test_a_prediction_read_twice_counts_once(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(1), a_prediction(1)])

    recorded = record(any_app, 1, [a_prediction(1), a_prediction(2)])

    assert (recorded.prediction_count, recorded.duplicate_count) == (1, 1)
    assert windows(any_app)[0].row_count == 2


def test_a_label_joins_its_prediction_whichever_comes_first(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)

    first = record(
        any_app, 0, [], [a_label(1, 8.0), a_label(2, 16.0, prediction="prd_2", key=None)]
    )
    second = record(any_app, 1, [a_prediction(1), a_prediction(2), a_prediction(3)])
    third = record(any_app, 2, [], [a_label(3, 30.0)])

    assert (first.pending_count, second.joined_count, third.joined_count) == (2, 2, 1)
    (window,) = windows(any_app)
    (performance,) = window.performance
    # 15 said and 8 true, 25 and 16, 35 and 30.
    assert (performance.labelled_count, performance.mae, performance.bias) == (3, 7.0, 7.0)
    assert window.labelled_count == 3


def test_a_second_label_of_the_same_prediction_is_left_out(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(1)], [a_label(1, 15.0), a_label(1, 99.0)])

    recorded = record(any_app, 1, [], [a_label(1, 99.0)])

    assert (recorded.joined_count, recorded.pending_count) == (0, 0)
    assert windows(any_app)[0].performance[0].mae == 0.0


def test_a_label_by_key_joins_the_shadow_too_but_rows_count_the_open_answers(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    shadow = replace(
        a_prediction(2, key="key-1"), version=ModelVersionId("mv_2"), arm="shadow", output=10.0
    )
    record(any_app, 0, [a_prediction(1), shadow], [a_label(1, 16.0)])

    (window,) = windows(any_app)

    assert window.row_count == 1
    assert {p.version: p.mae for p in window.performance} == {"mv_1": 1.0, "mv_2": 6.0}


def test_failures_are_counted_apart(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(1), a_prediction(2, output=None, code=500)])

    (window,) = windows(any_app)

    assert (window.row_count, window.performance[0].failed_count) == (1, 1)


def test_an_event_from_the_far_future_counts_when_it_was_answered(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)

    record(any_app, 0, [a_prediction(1, event_at=START + timedelta(days=9000))])

    assert windows(any_app)[0].start == START


def test_a_window_closes_when_event_time_passes_it(any_app: App) -> None:
    a_service(any_app, monitor=replace(POLICY, lateness_seconds=60))
    record(any_app, 0, [a_prediction(n) for n in range(20)])
    record(any_app, 1, [a_prediction(20, event_at=START + HOUR + timedelta(seconds=30))])
    assert any_app.call(JudgeWindows(service="demand")) == ()

    record(any_app, 2, [a_prediction(21, event_at=START + HOUR + timedelta(seconds=60))])
    (judged,) = any_app.call(JudgeWindows(service="demand"))

    assert (judged.is_closed, judged.findings, judged.row_count) == (True, (), 20)
    assert any_app.call(JudgeWindows(service="demand")) == ()
    (event,) = emitted(any_app, WindowJudged)
    assert "all as expected" in event.why


def test_a_window_closes_by_the_clock_when_nothing_comes_any_more(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(1)])

    clock_of(any_app).advance(timedelta(minutes=61))

    assert any_app.call(GetProgress(service="demand")).due_count == 1
    assert len(any_app.call(JudgeWindows(service="demand"))) == 1


def test_late_labels_reopen_the_judgement_of_a_closed_window(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(n) for n in range(40)])
    record(any_app, 1, [a_prediction(99, event_at=START + 2 * HOUR)])
    any_app.call(JudgeWindows(service="demand"))

    any_app.call(
        RecordLabels(
            service="demand",
            dataset="rides",
            number=3,
            labels=tuple(a_label(n, 105.0 + 10 * (n % 4)) for n in range(40)),
        )
    )
    (judged,) = any_app.call(JudgeWindows(service="demand"))

    (finding,) = judged.findings
    assert finding.kind is FindingKind.ERROR_GROWTH
    assert finding.effect == pytest.approx(96.0)
    assert "labels or late rows came" in emitted(any_app, WindowJudged)[-1].why
    # Drift is kept though the reference was not at hand.
    assert [d.feature for d in judged.drift] == ["temp"]


def test_labels_of_a_dataset_join_once_and_leave_unknown_rows_out(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(1)])
    request = RecordLabels(
        service="demand",
        dataset="rides",
        number=2,
        labels=(a_label(1, 15.0), a_label(7, 1.0)),
        is_last=False,
    )

    again = [any_app.call(request).joined_count, any_app.call(request).joined_count]
    late = record(any_app, 1, [a_prediction(7)])

    assert again == [1, 0]
    assert late.joined_count == 0


def test_a_drifted_window_tells_the_feature_and_its_estimated_effect(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(n, inputs={"temp": 35.0}) for n in range(100)])
    record(any_app, 1, [a_prediction(200, event_at=START + 2 * HOUR)])

    (window,) = any_app.call(JudgeWindows(service="demand"))

    finding = next(f for f in window.findings if f.kind is FindingKind.FEATURE_DRIFT)
    assert finding.feature == "temp"
    assert finding.score > finding.threshold >= 0.2
    # All rows in the last bin, where the mean error is 10 and the overall one 4.
    assert finding.effect == pytest.approx(6.0, abs=0.4)
    assert window.estimated_error == pytest.approx(10.0, abs=0.4)


def test_a_version_without_reference_is_watched_for_volume_and_labels(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    foreign = [replace(a_prediction(n), version=ModelVersionId("mv_x")) for n in range(20)]
    record(any_app, 0, foreign, [a_label(n, 0.0) for n in range(20)])
    record(any_app, 1, [a_prediction(99, event_at=START + 2 * HOUR)])

    (window,) = any_app.call(JudgeWindows(service="demand"))

    assert (window.row_count, window.labelled_count) == (20, 20)
    assert (window.drift, window.expected_error, window.findings) == ((), None, ())
    assert window.measured is not None
    assert window.measured.mae == 20.0


def test_predictions_that_are_forgotten_take_no_label(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    record(any_app, 0, [a_prediction(1), a_prediction(2, event_at=START + HOUR)])

    gone = any_app.call(ForgetPredictions(service="demand", before=START + HOUR))

    assert gone == 1
    assert record(any_app, 1, [], [a_label(1, 1.0), a_label(2, 1.0)]).joined_count == 1


def test_at_most_one_incident_of_a_kind_is_open(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    ask = OpenIncident(service="demand", kind=IncidentKind.HARMFUL_DRIFT, summary="it drifted")

    first, second = any_app.call(ask), any_app.call(ask)
    closed = any_app.call(CloseIncident(incident=first.id, resolution="retrained"))
    clock_of(any_app).advance(HOUR)
    third = any_app.call(ask)

    assert first.id == second.id != third.id
    assert (closed.is_open, closed.resolution) == (False, "retrained")
    assert len(emitted(any_app, IncidentOpened)) == 2
    assert len(emitted(any_app, IncidentClosed)) == 1
    assert [i.id for i in any_app.call(ListIncidents(service="demand"))] == [third.id, first.id]
    assert [i.id for i in any_app.call(ListIncidents(open_only=True))] == [third.id]


def test_closing_an_incident_twice_is_a_conflict_unless_it_says_the_same(any_app: App) -> None:
    a_service(any_app, monitor=POLICY)
    incident = any_app.call(
        OpenIncident(service="demand", kind=IncidentKind.SERVING, summary="it is slow")
    )
    any_app.call(CloseIncident(incident=incident.id, resolution="restarted"))

    again = any_app.call(CloseIncident(incident=incident.id, resolution="restarted"))

    assert again.resolution == "restarted"
    with pytest.raises(Conflict, match="was closed already"):
        any_app.call(CloseIncident(incident=incident.id, resolution="something else"))
    with pytest.raises(Invalid, match="resolution is empty"):
        any_app.call(CloseIncident(incident=incident.id, resolution=" "))


def test_unknown_services_and_incidents_are_not_found(any_app: App) -> None:
    with pytest.raises(NotFound):
        any_app.call(JudgeWindows(service="nobody"))
    with pytest.raises(NotFound):
        any_app.call(GetIncident(incident="inc_x"))
