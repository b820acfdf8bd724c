"""When the log goes to the disk: before an answer leaves, or 50 ms after a record at most; synced once a second."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from mainspring.kernel.errors import Unavailable
from mainspring.serving.log.frames import Answered, Labelled
from mainspring.serving.log.writer import PredictionLog

log = logging.getLogger(__name__)

WRITE_SECONDS = 0.05
SYNC_SECONDS = 1.0
# A disk that fails is not asked again at once.
RETRY_SECONDS = 1.0


class Flusher:
    """Writes a log from one thread of its own. Does nothing while nothing is appended."""

    def __init__(self, log_: PredictionLog) -> None:
        self._log = log_
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prediction-log")
        self._loop = asyncio.get_running_loop()
        self._scheduled: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[bool] | None = None
        self._sync: asyncio.TimerHandle | None = None
        self._closed = False
        self._appended = 0
        self._taken = 0
        self._tried = 0

    def append(self, service: str, content: Answered | Labelled, record_count: int) -> None:
        """Add a record; it is on its way to the disk within `WRITE_SECONDS`."""
        self._log.append(service, content, record_count)
        self._appended += 1
        if self._scheduled is None and self._writing is None:
            self._scheduled = self._loop.call_later(WRITE_SECONDS, self._write)

    async def kept(self) -> None:
        """Wait until all that was appended is written, so that killing this process loses none of it.

        Records that wait at the same time go to the disk in one write. A disk that refuses them holds nobody
        up: they are kept in memory, and written when it can be.
        """
        mine = self._appended
        while self._tried < mine and self._log.failure is None and not self._closed:
            if self._writing is None:
                self._write()
            await self._turn()

    async def written(self) -> None:
        """Wait until all that was appended is written; raises `Unavailable` if the disk refuses it."""
        while self._log.has_pending:
            if self._writing is None:
                self._write()
            if not await self._turn():
                raise Unavailable(
                    f"the prediction log can't be written: {self._log.failure}",
                    code="log_unwritable",
                    hint="Free some space on the disk of the home folder. The records are kept in "
                    "memory until then; labels may be sent again.",
                )

    async def _turn(self) -> bool:
        """Wait for the write under way; False if something is still held back after it."""
        written = True if self._writing is None else await asyncio.shield(self._writing)
        # A write that has just ended may not be noted yet, and waiting for it again takes no time at all:
        # without a turn for others its waiters would go round for ever.
        await asyncio.sleep(0)
        return written

    async def close(self) -> None:
        """Write, sync and seal all."""
        self._closed = True
        for timer in (self._scheduled, self._sync):
            if timer:
                timer.cancel()
        if self._writing:
            await self._writing
        taken = self._log.take()
        await self._loop.run_in_executor(self._thread, self._log.write, taken)
        await self._loop.run_in_executor(self._thread, self._log.close)
        self._thread.shutdown()

    def _write(self) -> None:
        if self._scheduled:
            self._scheduled.cancel()
        self._scheduled = None
        if self._writing is not None or self._closed:
            return
        taken = self._log.take()
        self._taken = self._appended
        self._writing = self._loop.run_in_executor(self._thread, self._log.write, taken)
        self._writing.add_done_callback(self._after_write)

    def _after_write(self, done: "asyncio.Future[bool]") -> None:
        self._writing = None
        self._tried = self._taken
        error = done.exception()
        if error is not None:
            log.error("writing the prediction log failed", exc_info=error)
        all_written = error is None and done.result()
        if self._closed:
            return
        if all_written and self._sync is None:
            self._sync = self._loop.call_later(SYNC_SECONDS, self._start_sync)
        if self._log.has_pending and self._scheduled is None:
            delay = WRITE_SECONDS if all_written else RETRY_SECONDS
            self._scheduled = self._loop.call_later(delay, self._write)

    def _start_sync(self) -> None:
        self._sync = None
        if not self._closed:
            done = self._loop.run_in_executor(self._thread, self._log.sync)
            done.add_done_callback(_tell_failure)


def _tell_failure(done: "asyncio.Future[None]") -> None:
    if error := done.exception():
        log.error("the prediction log could not be synced: %s", error)
