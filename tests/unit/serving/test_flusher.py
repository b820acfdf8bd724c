"""Whoever waits for the log to be written is told, whatever else is appended meanwhile."""

import asyncio
import errno
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mainspring.kernel.errors import Unavailable
from mainspring.serving.log.flusher import Flusher
from mainspring.serving.log.frames import Labelled
from mainspring.serving.log.writer import Pending, PredictionLog

LABEL = Labelled(values=[1.0], predictions=[None], keys=["a"], at=0)


class CountedLog(PredictionLog):
    """Counts its writes; a disk that is `full` refuses them."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.writes = 0
        self.is_full = False

    def write(self, taken: list[Pending]) -> bool:
        self.writes += 1
        return super().write(taken)

    def _segment(self, service: str, size_bytes: int):  # type: ignore[no-untyped-def]
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super()._segment(service, size_bytes)


def run(log: PredictionLog, work: Callable[[Flusher], Awaitable[None]]) -> None:
    async def main() -> None:
        flusher = Flusher(log)
        async with asyncio.timeout(30):
            await work(flusher)
        await flusher.close()

    asyncio.run(main())


def size_of(root: Path) -> int:
    return sum(path.stat().st_size for path in root.glob("*/*.seg"))


@pytest.mark.parametrize("waiting", ["written", "kept"])
def test_many_that_wait_for_the_disk_at_once_all_get_their_answer(
    tmp_path: Path, waiting: str
) -> None:
    async def label_often(flusher: Flusher, turns: int) -> None:
        for _ in range(20):
            # At any turn of the event loop: also right after a write ended and before that was noted.
            for _ in range(turns):
                await asyncio.sleep(0)
            flusher.append("demand", LABEL, 1)
            await getattr(flusher, waiting)()

    async def work(flusher: Flusher) -> None:
        await asyncio.gather(*(label_often(flusher, turns) for turns in range(20)))

    run(PredictionLog(tmp_path), work)


def test_what_was_waited_for_is_on_the_disk(tmp_path: Path) -> None:
    async def work(flusher: Flusher) -> None:
        before = 0
        for _ in range(10):
            flusher.append("demand", LABEL, 1)
            await flusher.kept()
            assert size_of(tmp_path) > before
            before = size_of(tmp_path)

    run(PredictionLog(tmp_path), work)


def test_those_that_wait_at_the_same_time_share_a_write(tmp_path: Path) -> None:
    log = CountedLog(tmp_path)

    async def one(flusher: Flusher) -> None:
        flusher.append("demand", LABEL, 1)
        await flusher.kept()

    async def work(flusher: Flusher) -> None:
        await asyncio.gather(*(one(flusher) for _ in range(200)))

    run(log, work)
    assert log.writes <= 4


def test_a_full_disk_holds_up_labels_but_no_answer(tmp_path: Path) -> None:
    log = CountedLog(tmp_path)

    async def work(flusher: Flusher) -> None:
        log.is_full = True
        flusher.append("demand", LABEL, 1)
        await flusher.kept()
        with pytest.raises(Unavailable, match="No space left"):
            await flusher.written()
        log.is_full = False
        await flusher.written()

    run(log, work)
    assert size_of(tmp_path) > 0
