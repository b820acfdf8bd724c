"""From segments on disk and label datasets to windows, wherever the follower was killed."""

from collections.abc import Iterator

import polars as pl
import pytest

from mainspring.app import App
from mainspring.cli.commands.fsck import examine
from mainspring.domain.monitor import IncidentKind
from mainspring.domain.prediction import PredictionId
from mainspring.domain.service import LabelSource, MonitorPolicy
from mainspring.kernel.errors import Invalid
from mainspring.monitoring.follow import Follower
from mainspring.monitoring.labels import labels_in
from mainspring.monitoring.requests import GetProgress, ListIncidents, ListWindows
from mainspring.quality.intake import add_data
from mainspring.serving.log import reader
from mainspring.serving.log.frames import Answered, Labelled, microseconds
from mainspring.serving.log.writer import PredictionLog
from mainspring.testing.services import START, a_service

SOURCE = LabelSource(dataset="truth", key="id", column="y")


@pytest.fixture
def log(app: App) -> Iterator[PredictionLog]:
    a_service(app, monitor=MonitorPolicy(labels=SOURCE))
    log = PredictionLog(app.settings.predictions_path)
    yield log
    log.close()


def a_follower(app: App) -> Follower:
    return Follower(app.call, app.blobs, app.settings)


def answer(log: PredictionLog, first: int, count: int = 3) -> None:
    numbers = range(first, first + count)
    answered = Answered(
        ids=[PredictionId(f"prd_{n}") for n in numbers],
        version="mv_1",
        arm="champion",
        keys=[str(n) for n in numbers],
        at=microseconds(START),
        event_at=None,
        names=["x"],
        columns=[[1.0] * count],
        outputs=[10.0] * count,
        latency_ms=1.0,
        code=200,
        error=None,
    )
    log.append("demand", answered, count)
    log.write(log.take())


def counts(app: App) -> tuple[int, int]:
    (window,) = app.call(ListWindows(service="demand"))
    return window.row_count, window.labelled_count


def test_what_is_in_the_log_is_recorded_once_by_any_number_of_followers(
    app: App, log: PredictionLog
) -> None:
    answer(log, 0)
    first = a_follower(app)
    assert first.has_news("demand")
    assert first.read_log("demand") == 3
    assert not first.has_news("demand")
    answer(log, 3)

    # As after kill -9: another one knows only what the store knows.
    assert a_follower(app).read_log("demand") == 3
    assert first.read_log("demand") == 0

    assert counts(app) == (6, 0)


def test_every_segment_is_read_and_labels_among_them_join(app: App, log: PredictionLog) -> None:
    answer(log, 0)
    log.close()
    second = PredictionLog(app.settings.predictions_path)
    labelled = Labelled(values=[9.0], predictions=[None], keys=["1"], at=microseconds(START))
    second.append("demand", labelled, 1)
    second.write(second.take())

    a_follower(app).read_log("demand")

    assert counts(app) == (3, 1)
    assert len(app.call(GetProgress(service="demand")).cursors) == 2
    second.close()


def test_a_file_that_is_no_segment_keeps_nothing_from_being_read(
    app: App, log: PredictionLog
) -> None:
    answer(log, 0)
    folder = app.settings.predictions_path / "demand"
    (folder / "00000000000000000000000000.seg").write_bytes(b"what is this, and why is it here?")

    assert a_follower(app).read_log("demand") == 3


def test_segments_that_are_read_to_their_end_are_not_looked_at_again(
    app: App, log: PredictionLog
) -> None:
    answer(log, 0)
    log.close()
    follower = a_follower(app)
    follower.read_log("demand")
    follower.read_log("demand")
    for segment in (app.settings.predictions_path / "demand").iterdir():
        segment.write_bytes(segment.read_bytes() + b"never looked at")

    follower.read_log("demand")

    assert not follower.has_news("demand")
    assert counts(app) == (3, 0)


def test_a_log_that_is_not_there_yet_is_no_news(app: App, log: PredictionLog) -> None:
    follower = a_follower(app)

    assert follower.read_log("demand") == 0
    assert not follower.has_news("demand")


def test_labels_come_from_each_version_of_a_dataset_once(app: App, log: PredictionLog) -> None:
    answer(log, 0)
    follower = a_follower(app)
    follower.read_log("demand")
    frame = pl.DataFrame({"id": [0, 1, 99], "y": [10, None, 5]})
    add_data(app.call, app.blobs, "truth", frame)

    assert follower.read_labels("demand", SOURCE) == 1
    assert follower.read_labels("demand", SOURCE) == 0
    add_data(app.call, app.blobs, "truth", frame.with_columns(y=pl.col("y").fill_null(11)))
    assert a_follower(app).read_labels("demand", SOURCE) == 1

    assert counts(app) == (3, 2)
    assert app.call(GetProgress(service="demand")).label_number == 2


def test_a_version_without_the_columns_is_passed_over(app: App, log: PredictionLog) -> None:
    add_data(app.call, app.blobs, "truth", pl.DataFrame({"id": [1]}))

    assert a_follower(app).read_labels("demand", SOURCE) == 0


def test_no_dataset_yet_means_no_labels_yet(app: App, log: PredictionLog) -> None:
    assert a_follower(app).read_labels("demand", SOURCE) == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2], [1, 2]),
        ([1.5, float("nan")], [1.5]),
        (["a", "b"], ["a", "b"]),
        ([True, False], [True, False]),
    ],
)
def test_labels_keep_their_kind(app: App, values: list[object], expected: list[object]) -> None:
    taken = add_data(app.call, app.blobs, "truth", pl.DataFrame({"id": [1, 2], "y": values}))

    found = list(labels_in(app.settings.blobs_path, taken.version.manifest, SOURCE))

    assert [value for _, value in found] == expected
    assert found[0][0] == "1"


def test_a_table_that_can_t_be_read_says_so(app: App) -> None:
    taken = add_data(app.call, app.blobs, "truth", pl.DataFrame({"id": [1]}))

    with pytest.raises(Invalid, match="labels could not be read from dataset 'truth'"):
        list(labels_in(app.settings.blobs_path, taken.version.manifest, SOURCE))


def test_damage_in_the_log_is_an_incident_and_what_follows_it_is_read(
    app: App, log: PredictionLog
) -> None:
    for first in (0, 3, 6):
        answer(log, first)
    log.close()
    (path,) = reader.segments(app.settings.predictions_path, "demand")
    data = bytearray(path.read_bytes())
    data[data.index(b"prd_4")] ^= 1
    path.write_bytes(data)

    assert a_follower(app).read_log("demand") == 6

    (incident,) = app.call(ListIncidents(service="demand"))
    assert incident.kind is IncidentKind.DAMAGED_LOG
    assert path.name in incident.summary
    assert counts(app) == (6, 0)
    assert list(examine(app).damaged_segments) == [f"demand/{path.name}"]
