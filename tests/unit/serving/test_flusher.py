"""Whoever waits for the log to be written is told, whatever else is appended meanwhile."""

import asyncio
from pathlib import Path

from mainspring.serving.log.flusher import Flusher
from mainspring.serving.log.frames import Labelled
from mainspring.serving.log.writer import PredictionLog


def test_many_that_wait_for_the_disk_at_once_all_get_their_answer(tmp_path: Path) -> None:
    label = Labelled(values=[1.0], predictions=[None], keys=["a"], at=0)

    async def label_often(flusher: Flusher, turns: int) -> None:
        for _ in range(20):
            # At any turn of the event loop: also right after a write ended and before that was noted.
            for _ in range(turns):
                await asyncio.sleep(0)
            flusher.append("demand", label, 1)
            await flusher.written()

    async def main() -> None:
        flusher = Flusher(PredictionLog(tmp_path))
        async with asyncio.timeout(30):
            await asyncio.gather(*(label_often(flusher, turns) for turns in range(20)))
        await flusher.close()

    asyncio.run(main())
