"""The workers of one model version, and the requests that wait for them.

A free worker gets a request at once. While all are busy requests queue, and a worker that comes free takes
as many as fit into one batch, so a busy model wastes no time between predictions. A request whose worker
dies is tried once more, alone, on another or a new one: predicting twice does no harm.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.domain.model import ModelVersion
from mainspring.domain.service import ServicePolicy
from mainspring.serving import wire
from mainspring.serving.inputs import Rows
from mainspring.serving.jobs import Failed, Full, Job, TimedOut, batch_of
from mainspring.serving.process import ModelSource, WorkerProcess

log = logging.getLogger(__name__)

MAX_BATCH_REQUESTS = 64
MAX_BATCH_ROWS = 1024
_LOADS = 3
_TRIES = 2
_STEADY_SECONDS = 30.0
_MAX_BACKOFF_SECONDS = 30.0


@dataclass(slots=True, eq=False)
class _Busy:
    jobs: list[Job]
    deadline: asyncio.TimerHandle


@dataclass(slots=True, eq=False)
class _Seat:
    """A place for one worker, refilled when its worker is lost."""

    worker: WorkerProcess | None = None
    is_ready: bool = False
    busy: _Busy | None = None
    started_at: float = 0.0
    failures: int = 0
    restart: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class PoolCounts:
    """What a pool counted since it was made."""

    restarts: int = 0
    batches: int = 0
    batched_requests: int = 0


class Pool:
    """Workers that all hold the same version. Belongs to one event loop."""

    def __init__(
        self,
        service: str,
        version: ModelVersion,
        source: ModelSource,
        policy: ServicePolicy,
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.service = service
        self.version = version
        self.policy = policy
        self.failure: str | None = None
        self.counts = PoolCounts()
        self._source = source
        self._on_change = on_change
        self._loop = asyncio.get_running_loop()
        self._seats: list[_Seat] = []
        self._free: list[_Seat] = []
        self._waiting: deque[Job] = deque()
        self._outstanding = 0
        self._retired = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start every worker; `on_change` tells when the pool becomes ready or fails."""
        self._resize()

    def follow(self, policy: ServicePolicy) -> None:
        """Take over another policy; workers are added or stopped to fit."""
        if policy != self.policy:
            self.policy = policy
            self._resize()

    @property
    def is_ready(self) -> bool:
        """Whether a worker is alive with its model loaded."""
        return any(seat.is_ready for seat in self._seats)

    @property
    def is_idle(self) -> bool:
        return self._outstanding == 0

    @property
    def waiting_count(self) -> int:
        return len(self._waiting)

    @property
    def pids(self) -> list[int]:
        """The processes of workers that are ready."""
        return [
            seat.worker.pid
            for seat in self._seats
            if seat.is_ready and seat.worker and seat.worker.pid
        ]

    async def predict(self, rows: Rows, *, timeout_seconds: float | None = None) -> list[Any]:
        """One answer per row; raises `Full`, `TimedOut` or `Failed`."""
        seconds = self.policy.timeout_seconds if timeout_seconds is None else timeout_seconds
        job = Job(rows, self._loop.create_future())
        self._admit(job)
        self._outstanding += 1
        expiry = self._loop.call_later(seconds, self._expire, job, seconds)
        try:
            return await job.answer
        finally:
            expiry.cancel()
            self._outstanding -= 1
            if self._retired and self._outstanding == 0:
                self._loop.call_later(1.0, self._close_if_idle)

    def retire(self) -> None:
        """Close as soon as nothing is outstanding; until then requests are still answered."""
        self._retired = True
        self._loop.call_later(1.0, self._close_if_idle)

    def unretire(self) -> None:
        """The version is wanted again."""
        self._retired = False

    @property
    def is_closed(self) -> bool:
        return self._closed

    async def close(self) -> None:
        """Stop every worker and wait for their ends; what still waits fails."""
        if not self._closed:
            self._shut()
        while self._tasks:
            await asyncio.wait(self._tasks)

    # Requests.

    def _admit(self, job: Job) -> None:
        if self._closed:
            raise Failed("the version is not served any more", code="version_gone")
        if self._free:
            self._send(self._free.pop(), [job])
        elif len(self._waiting) >= self.policy.max_queue:
            raise Full(
                f"{len(self._waiting)} requests wait for version {self.version.number} of "
                f"{self.version.model} already",
                code="queue_full",
                hint="Send fewer at once, or give the service more workers.",
            )
        else:
            self._waiting.append(job)

    def _send(self, seat: _Seat, jobs: list[Job]) -> None:
        assert seat.worker is not None
        # A batch may take as long as one request may: more means that the model hangs.
        deadline = self._loop.call_later(
            self.policy.timeout_seconds + 0.05, self._give_up_on, seat, seat.worker
        )
        seat.busy = _Busy(jobs, deadline)
        self.counts.batches += 1
        self.counts.batched_requests += len(jobs)
        for job in jobs:
            job.tries += 1
        seat.worker.send(batch_of([job.rows for job in jobs]))

    def _next_batch(self) -> list[Job]:
        """The oldest requests that fit together; one that lost a worker goes alone."""
        jobs: list[Job] = []
        row_count = 0
        while self._waiting and len(jobs) < MAX_BATCH_REQUESTS:
            job = self._waiting[0]
            if job.answer.done():
                self._waiting.popleft()
                continue
            if jobs and (
                job.tries
                or jobs[0].tries
                or row_count + job.rows.count > MAX_BATCH_ROWS
                or job.rows.names != jobs[0].rows.names
            ):
                break
            jobs.append(self._waiting.popleft())
            row_count += job.rows.count
        return jobs

    def _feed(self, seat: _Seat) -> None:
        jobs = self._next_batch()
        if jobs:
            self._send(seat, jobs)
        else:
            self._free.append(seat)

    def _expire(self, job: Job, seconds: float) -> None:
        if not job.answer.done():
            job.answer.set_exception(
                TimedOut(
                    f"version {self.version.number} of {self.version.model} did not answer "
                    f"within {seconds:g} s",
                    hint="Try again, or give the service a longer timeout.",
                )
            )

    # What workers tell.

    def _on_ready(self, seat: _Seat) -> None:
        seat.is_ready = True
        self.failure = None
        self._feed(seat)
        self._on_change()

    def _on_answers(self, seat: _Seat, answers: wire.Answers) -> None:
        busy, seat.busy = seat.busy, None
        if busy is None:
            return
        busy.deadline.cancel()
        for job, outputs, error in zip(busy.jobs, answers.outputs, answers.errors, strict=True):
            if job.answer.done():
                continue
            if outputs is None:
                job.answer.set_exception(Failed(error or "the model gave no answer"))
            else:
                job.answer.set_result(outputs)
        self._feed(seat)

    def _on_refused(self, seat: _Seat, error: str) -> None:
        self.failure = error
        log.error(
            "version %d of %s can't be loaded: %s", self.version.number, self.version.model, error
        )
        self._vacate(seat)
        self._on_change()

    def _on_lost(self, seat: _Seat, why: str) -> None:
        log.warning(
            "a worker of version %d of %s was lost: %s",
            self.version.number,
            self.version.model,
            why,
        )
        self.counts.restarts += 1
        if self._loop.time() - seat.started_at > _STEADY_SECONDS:
            seat.failures = 0
        busy, was_ready = seat.busy, seat.is_ready
        self._vacate(seat)
        # One that was killed while it loaded says nothing of the model; one that always dies does.
        if not was_ready and seat.failures >= _LOADS:
            self.failure = why
        self._try_again(busy.jobs if busy else [], why)
        self._on_change()

    def _try_again(self, jobs: Sequence[Job], why: str) -> None:
        for job in reversed(jobs):
            if job.answer.done():
                continue
            if job.tries >= _TRIES:
                job.answer.set_exception(
                    Failed(f"{why} while it answered this request, twice", code="worker_died")
                )
            else:
                self._waiting.appendleft(job)
        while self._free and self._waiting:
            self._feed(self._free.pop())

    def _give_up_on(self, seat: _Seat, worker: WorkerProcess) -> None:
        if seat.worker is worker and seat.busy is not None:
            worker.kill("the model worker did not answer in time")

    # Workers.

    def _resize(self) -> None:
        while len(self._seats) < max(1, self.policy.workers):
            seat = _Seat()
            self._seats.append(seat)
            self._fill(seat)
        while len(self._seats) > max(1, self.policy.workers):
            seat = next((s for s in self._seats if s.busy is None), None) or self._seats[-1]
            if seat.busy:
                # It is asked again when it comes free.
                self._loop.call_later(1.0, self._resize)
                return
            self._seats.remove(seat)
            self._empty(seat)

    def _fill(self, seat: _Seat) -> None:
        seat.restart = None
        if self._closed or seat not in self._seats:
            return
        seat.started_at = self._loop.time()
        seat.worker = WorkerProcess(
            on_ready=lambda _: self._on_ready(seat),
            on_refused=lambda _, error: self._on_refused(seat, error),
            on_answers=lambda _, answers: self._on_answers(seat, answers),
            on_lost=lambda _, why: self._on_lost(seat, why),
        )
        self._keep(self._start_worker(seat.worker))

    async def _start_worker(self, worker: WorkerProcess) -> None:
        await worker.start(self._source)
        if self._closed:
            await worker.gone()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Hold on to work that `close` must wait for."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _vacate(self, seat: _Seat) -> None:
        """A seat's worker is gone; another will come, later each time that it goes at once."""
        seat.is_ready = False
        if seat.busy:
            seat.busy.deadline.cancel()
            seat.busy = None
        if seat in self._free:
            self._free.remove(seat)
        if seat.worker:
            self._keep(seat.worker.gone())
            seat.worker = None
        delay = 0.0 if not seat.failures else min(_MAX_BACKOFF_SECONDS, 0.25 * 2**seat.failures)
        seat.failures += 1
        if not self._closed:
            seat.restart = self._loop.call_later(delay, self._fill, seat)

    def _empty(self, seat: _Seat) -> None:
        if seat.restart:
            seat.restart.cancel()
        if seat in self._free:
            self._free.remove(seat)
        seat.is_ready = False
        if seat.worker:
            seat.worker.stop()
            self._keep(seat.worker.gone())

    def _close_if_idle(self) -> None:
        if self._retired and not self._closed and self._outstanding == 0:
            self._shut()
            self._on_change()

    def _shut(self) -> None:
        self._closed = True
        for seat in self._seats:
            if seat.busy:
                seat.busy.deadline.cancel()
                self._fail(seat.busy.jobs)
            self._empty(seat)
        self._fail(self._waiting)
        self._waiting.clear()

    def _fail(self, jobs: Sequence[Job] | deque[Job]) -> None:
        for job in jobs:
            if not job.answer.done():
                job.answer.set_exception(
                    Failed("the version is not served any more", code="version_gone")
                )
