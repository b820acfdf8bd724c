"""Old answers go when the settings say so, and nothing goes that somebody still needs."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.config import load_settings
from mainspring.domain.monitor import IncidentKind
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.monitoring.follow import Follower
from mainspring.monitoring.requests import CloseIncident, ListWindows, OpenIncident
from mainspring.monitoring.trace import trace
from mainspring.reconcile.retention import expire_predictions
from mainspring.serving.log import reader
from mainspring.serving.log.frames import Answered, microseconds
from mainspring.serving.log.ids import IdSource
from mainspring.serving.log.writer import PredictionLog
from mainspring.testing.services import a_service

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=40)


def an_old_segment(app: App, *, sealed: bool = True) -> str:
    """A segment last written 40 days ago; gives back the id of the answer in it."""
    (id_,) = IdSource().take(1, int(OLD.timestamp() * 1000))
    log = PredictionLog(app.settings.predictions_path)
    answered = Answered(
        ids=[id_],
        version="mv_1",
        arm="champion",
        keys=None,
        at=microseconds(OLD),
        event_at=None,
        names=["x"],
        columns=[[1.0]],
        outputs=[1.0],
        latency_ms=1.0,
        code=200,
        error=None,
    )
    log.append("demand", answered, 1)
    log.write(log.take())
    if sealed:
        log.close()
    (path,) = reader.segments(app.settings.predictions_path, "demand")
    os.utime(path, (OLD.timestamp(), OLD.timestamp()))
    return id_


@pytest.fixture
def app(app: App) -> App:
    a_service(app)
    return app


def followed(app: App) -> None:
    Follower(app.call, app.blobs, app.settings).read_log("demand")


def removed(app: App, kept: str = "30d") -> int:
    return expire_predictions(app.call, replace(app.settings, keep_predictions=kept), "demand", NOW)


def test_old_answers_go_their_windows_stay_and_a_trace_says_when(app: App) -> None:
    id_ = an_old_segment(app)
    followed(app)

    assert removed(app) == 1

    assert reader.segments(app.settings.predictions_path, "demand") == []
    assert len(app.call(ListWindows(service="demand"))) == 1
    with pytest.raises(NotFound, match=f"expired on {NOW:%Y-%m-%d}"):
        trace(app.call, app.settings.predictions_path, id_)
    unknown = IdSource().take(1, int(NOW.timestamp() * 1000))[0]
    with pytest.raises(NotFound, match="there is no prediction"):
        trace(app.call, app.settings.predictions_path, unknown)


def test_by_default_everything_is_kept(app: App) -> None:
    an_old_segment(app)
    followed(app)

    assert removed(app, kept="") == 0


def test_what_monitoring_has_not_read_is_kept(app: App) -> None:
    an_old_segment(app)

    assert removed(app) == 0


def test_what_may_still_be_written_to_is_kept(app: App) -> None:
    an_old_segment(app, sealed=False)
    followed(app)

    assert removed(app) == 0


def test_what_is_younger_is_kept(app: App) -> None:
    an_old_segment(app)
    followed(app)

    assert removed(app, kept="60d") == 0


def test_nothing_goes_while_an_incident_is_open(app: App) -> None:
    an_old_segment(app)
    followed(app)
    incident = app.call(
        OpenIncident(service="demand", kind=IncidentKind.ERROR_GROWTH, summary="it grew")
    )

    assert removed(app) == 0
    app.call(CloseIncident(incident=incident.id, resolution="it went away"))
    assert removed(app) == 1


@pytest.mark.parametrize("text", ["1h", "long", "0d"])
def test_a_time_that_makes_no_sense_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        load_settings({"MAINSPRING_KEEP_PREDICTIONS": text}, home=tmp_path)
