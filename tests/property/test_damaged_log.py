"""Whatever the disk does to a segment, every record that it left alone is read, and the damage is told."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.domain.prediction import Prediction, PredictionId
from mainspring.serving.log import reader
from mainspring.serving.log.frames import HEADER, SEAL, Answered, append_frame
from mainspring.serving.log.ids import IdSource
from mainspring.serving.log.writer import recover

IDS = IdSource().take(12, 1_767_225_600_000)


def an_answer(id_: PredictionId, text: str) -> Answered:
    return Answered(
        ids=[id_],
        version="mv_1",
        arm="champion",
        keys=None,
        at=0,
        event_at=None,
        names=["text"],
        columns=[[text]],
        outputs=[1.0],
        latency_ms=1.0,
        code=200,
        error=None,
    )


def a_segment(texts: list[str]) -> tuple[bytearray, list[tuple[int, int]]]:
    """An unsealed segment with a frame for each text, and where each frame lies."""
    data, places = bytearray(HEADER), []
    for id_, text in zip(IDS, texts, strict=False):
        start = len(data)
        append_frame(data, an_answer(id_, text))
        places.append((start, len(data)))
    return data, places


def ids_read(path: Path) -> tuple[list[str], int]:
    found, offset, damaged = [], 0, 0
    while True:
        batch = reader.read(path, offset, limit_bytes=200)
        damaged += batch.damaged_bytes
        if batch.offset == offset:
            return found, damaged
        found += [r.id for r in batch.records if isinstance(r, Prediction)]
        offset = batch.offset


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(st.text(max_size=300), min_size=1, max_size=12),
    hits=st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)), max_size=4),
    is_sealed=st.booleans(),
)
def test_every_frame_that_was_not_touched_is_read(
    texts: list[str], hits: list[tuple[float, bytes]], is_sealed: bool
) -> None:
    data, places = a_segment(texts)
    before = bytes(data)
    for where, junk in hits:
        start = len(HEADER) + int(where * (len(data) - len(HEADER)))
        data[start : start + len(junk)] = junk[: len(data) - start]
    whole = [n for n, (a, b) in enumerate(places) if data[a:b] == before[a:b]]
    lost = sum(b - a for n, (a, b) in enumerate(places) if n not in whole)
    # Recovery takes what is broken after the last good frame for a torn tail.
    tail = len(data) - places[whole[-1]][1] if whole else len(data) - len(HEADER)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "demand" / f"{IDS[0].removeprefix('prd_')}.seg"
        path.parent.mkdir()
        path.write_bytes(data + SEAL if is_sealed else data)
        assert recover(Path(folder)) == (0 if is_sealed else 1)
        found, damaged = ids_read(path)

        assert found == [IDS[n] for n in whole]
        assert damaged == reader.damaged_bytes(path) == (lost if is_sealed else lost - tail)
        for number in range(len(places)):
            in_log = reader.find(Path(folder), "demand", IDS[number])
            assert (in_log is not None) == (number in whole)


def test_an_open_segment_is_read_on_after_damage_once_it_is_sealed(tmp_path: Path) -> None:
    data, places = a_segment(["a", "b", "c"])
    data[places[1][0] + 20] ^= 1
    path = tmp_path / "demand" / f"{IDS[0].removeprefix('prd_')}.seg"
    path.parent.mkdir()
    path.write_bytes(data)

    assert ids_read(path) == ([IDS[0]], 0)
    path.write_bytes(data + SEAL)

    assert ids_read(path) == ([IDS[0], IDS[2]], places[1][1] - places[1][0])
