import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.domain.prediction import Label, Prediction
from mainspring.kernel.errors import Corrupt, NotFound
from mainspring.serving.log import reader
from mainspring.serving.log.frames import (
    FRAME_HEAD,
    SEAL,
    Answered,
    Labelled,
    folder_of,
    microseconds,
    service_of,
)
from mainspring.serving.log.ids import IdSource, time_of
from mainspring.serving.log.writer import PredictionLog, recover

IDS = IdSource()


def an_answer(count: int = 1, output: float = 1.5) -> Answered:
    now = datetime.now(UTC)
    return Answered(
        ids=IDS.take(count, int(now.timestamp() * 1000)),
        version="ver_1",
        arm="champion",
        keys=[f"k{n}" for n in range(count)],
        at=microseconds(now),
        event_at=[microseconds(now) - 3_600_000_000] * count,
        names=["hour", "weather"],
        columns=[list(range(count)), ["clear"] * count],
        outputs=[output] * count,
        latency_ms=2.5,
        code=200,
        error=None,
    )


def written(root: Path, *contents: Answered | Labelled) -> PredictionLog:
    log = PredictionLog(root)
    for content in contents:
        log.append("demand", content, 1)
    assert log.write(log.take())
    return log


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    answer = an_answer(2)

    written(tmp_path, answer)

    records, *_ = reader.read(reader.segments(tmp_path, "demand")[0])
    first, second = records
    assert isinstance(first, Prediction)
    assert isinstance(second, Prediction)
    assert (first.id, first.key, first.inputs) == (
        answer.ids[0],
        "k0",
        {"hour": 0, "weather": "clear"},
    )
    assert second.inputs["hour"] == 1
    assert first.at - first.event_at == timedelta(hours=1)
    assert (first.output, first.code, first.arm, first.service) == (1.5, 200, "champion", "demand")


def test_labels_are_read_back_with_what_they_name(tmp_path: Path) -> None:
    content = Labelled(values=[3.0, "yes"], predictions=["prd_x", None], keys=[None, "k"], at=0)

    written(tmp_path, content)

    records, *_ = reader.read(reader.segments(tmp_path, "demand")[0])
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert records == [
        Label(service="demand", value=3.0, prediction="prd_x", key=None, at=epoch),  # type: ignore[arg-type]  # any text names a prediction
        Label(service="demand", value="yes", prediction=None, key="k", at=epoch),
    ]


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    log = written(tmp_path, an_answer())
    path = reader.segments(tmp_path, "demand")[0]
    before, offset, _ = reader.read(path)
    log.append("demand", an_answer(), 1)
    log.write(log.take())

    after, end, _ = reader.read(path, offset)

    assert len(before) == len(after) == 1
    assert reader.read(path, end) == ([], end, 0)


def test_a_small_limit_still_gives_whole_frames_one_after_another(tmp_path: Path) -> None:
    written(tmp_path, an_answer(50), an_answer(50), an_answer(50))
    path = reader.segments(tmp_path, "demand")[0]

    counts, offset = [], 0
    while True:
        records, after, _ = reader.read(path, offset, limit_bytes=10)
        if after == offset:
            break
        counts.append(len(records))
        offset = after

    assert counts == [50, 50, 50]


@pytest.mark.parametrize("kept", range(1, 12))
def test_reading_stops_at_a_torn_tail_and_recovery_cuts_it(tmp_path: Path, kept: int) -> None:
    log = written(tmp_path, an_answer())
    path = reader.segments(tmp_path, "demand")[0]
    _, whole, _ = reader.read(path)
    log.append("demand", an_answer(), 1)
    log.write(log.take())
    # A copy has no living writer.
    orphan = tmp_path / "crashed" / "demand" / path.name
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(path.read_bytes()[: whole + kept])
    path = orphan

    records, offset, _ = reader.read(path)
    assert (len(records), offset) == (1, whole)
    assert recover(tmp_path / "crashed") == 1
    assert path.stat().st_size == whole + len(SEAL)
    assert reader.is_sealed(path)
    assert len(reader.read(path)[0]) == 1


def test_a_flipped_bit_in_the_tail_is_noticed(tmp_path: Path) -> None:
    written(tmp_path, an_answer(), an_answer())
    path = reader.segments(tmp_path, "demand")[0]
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)

    assert len(reader.read(path)[0]) == 1


def test_recovery_leaves_segments_of_living_writers_alone(tmp_path: Path) -> None:
    log = written(tmp_path, an_answer())
    path = reader.segments(tmp_path, "demand")[0]
    before = path.read_bytes()

    assert recover(tmp_path) == 0
    assert path.read_bytes() == before
    log.close()
    assert reader.is_sealed(path)


def test_a_file_that_is_no_segment_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "demand" / "x.seg"
    path.parent.mkdir()
    path.write_bytes(b"something else entirely")

    with pytest.raises(Corrupt):
        reader.read(path)
    assert recover(tmp_path) == 0
    assert path.read_bytes() == b"something else entirely"


def test_a_full_segment_is_sealed_and_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.serving.log.writer.MAX_SEGMENT_BYTES", 400)
    log = PredictionLog(tmp_path)
    for _ in range(5):
        log.append("demand", an_answer(), 1)
        log.write(log.take())
        time.sleep(0.002)

    paths = reader.segments(tmp_path, "demand")
    assert len(paths) > 1
    assert [reader.is_sealed(path) for path in paths] == [True] * (len(paths) - 1) + [False]
    assert sum(len(reader.read(path)[0]) for path in paths) == 5


def test_a_disk_that_fails_holds_records_back_until_it_works(tmp_path: Path) -> None:
    blocker = tmp_path / "log" / "demand"
    blocker.parent.mkdir()
    blocker.write_text("a file where the folder should be")
    log = PredictionLog(tmp_path / "log")
    log.append("demand", an_answer(), 1)

    assert not log.write(log.take())
    assert log.failure
    blocker.unlink()
    log.append("demand", an_answer(), 1)
    assert log.write(log.take())

    assert log.failure is None
    assert len(reader.read(reader.segments(tmp_path / "log", "demand")[0])[0]) == 2


def test_one_prediction_is_found_by_its_id(tmp_path: Path) -> None:
    answers = [an_answer(3, output=float(n)) for n in range(20)]
    written(tmp_path, *answers)

    found = reader.find(tmp_path, "demand", answers[7].ids[1])

    assert found is not None
    assert (found.id, found.output, found.key) == (answers[7].ids[1], 7.0, "k1")
    assert reader.find_anywhere(tmp_path, answers[7].ids[1]) == found
    assert reader.find(tmp_path, "demand", IDS.take(1, int(time.time() * 1000))[0]) is None
    with pytest.raises(NotFound):
        reader.find(tmp_path, "demand", "prd_nonsense")


def test_ids_are_unique_sort_by_time_and_tell_it() -> None:
    ids = IdSource()
    first, second = ids.take(3, 1_700_000_000_000), ids.take(3, 1_700_000_000_001)

    assert len({*first, *second}) == 6
    assert first + second == sorted(first + second)
    assert all(len(id_) == 30 for id_ in first)
    assert time_of(second[0]) == datetime.fromtimestamp(1_700_000_000.001, UTC)


@pytest.mark.parametrize("name", ["demand", "..", ".", "a/b", "größe", "a b", "%2E"])
def test_every_service_name_has_a_folder_of_its_own(tmp_path: Path, name: str) -> None:
    folder = folder_of(tmp_path, name)

    assert folder.parent == tmp_path
    assert folder.resolve() != tmp_path
    assert service_of(folder / "x.seg") == name


def test_nothing_written_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from mainspring.serving.log.frames import Answered
from mainspring.serving.log.ids import IdSource
from mainspring.serving.log.writer import PredictionLog
log, ids = PredictionLog(Path({str(tmp_path)!r})), IdSource()
for n in range(10**9):
    log.append("demand", Answered(ids=ids.take(1, n), version="v", arm="champion", keys=None, at=n,
        event_at=None, names=["x"], columns=[[n]], outputs=[n], latency_ms=1.0, code=200, error=None), 1)
    log.write(log.take())
    sys.stdout.write(str(n) + "\\n")
    sys.stdout.flush()
"""
    writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert writer.stdout
    for _ in range(200):
        last = writer.stdout.readline()
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split(b"\n")
    writer.stdout.close()
    writer.wait()
    told = [int(line) for line in [last, *rest[:-1]] if line.strip()]

    assert recover(tmp_path) == 1
    (path,) = reader.segments(tmp_path, "demand")
    records, *_ = reader.read(path, limit_bytes=1 << 30)
    assert len(records) >= max(told) + 1
    assert [r.inputs["x"] for r in records if isinstance(r, Prediction)] == list(
        range(len(records))
    )


def test_a_tail_that_claims_a_huge_frame_costs_no_memory(tmp_path: Path) -> None:
    written(tmp_path, an_answer())
    path = reader.segments(tmp_path, "demand")[0]
    with path.open("ab") as file:
        file.write(FRAME_HEAD.pack(0xFFFFFFF0, 1) + b"x")

    _, offset, _ = reader.read(path)

    assert reader.read(path, offset) == ([], offset, 0)
