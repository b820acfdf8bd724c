"""One attempt at a step, as the engine sees it: a process, its output, its deadline, its answer."""

import contextlib
import os
import re
import select
import shutil
import signal
import time
from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mainspring.domain.pipeline import LogLine, StepState, StoredValue
from mainspring.pipelines.cache_keys import CacheKey
from mainspring.pipelines.context import PROGRESS_FILE, progress_text
from mainspring.pipelines.plan import Part
from mainspring.pipelines.secrets import Masker
from mainspring.pipelines.snapshot import unwritable
from mainspring.pipelines.task import ANSWER_FILE, TASK_FILE, Answer, Done, Task
from mainspring.pipelines.zygote import Zygote

MAX_LINES = 20_000
MAX_LINE_LENGTH = 4000
GRACE_SECONDS = 5.0
_TAIL_LINES = 5
_LINES_AT_HAND = 60
_CHUNK = 65536
# Signals that come from outside: an operator, or a system short of memory.
_KILLED = (-signal.SIGKILL, -signal.SIGTERM)
# What `retry_on` calls a step that was stopped for its timeout.
_TIMED_OUT = ("builtins.TimeoutError", "builtins.OSError", "builtins.Exception")
_PLACE = re.compile(r'File "([^"]+)", line (\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended; `kinds` are the types of the exception that ended it."""

    state: StepState
    outputs: tuple[StoredValue, ...] = ()
    error: str | None = None
    kinds: tuple[str, ...] = ()


class _Stream:
    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name
        self.rest = b""


class Attempt:
    """A running attempt. The engine feeds it what happens; it never waits."""

    def __init__(
        self, part: Part, number: int, task: Task, key: CacheKey | None, zygote: Zygote
    ) -> None:
        self.part = part
        self.node = part.node
        self.number = number
        self.key = key
        self.lines: list[LogLine] = []
        self._masker = Masker(task.environment)
        self._scratch = Path(task.scratch)
        self._project = task.project
        self._seq = 0
        self._tail: deque[str] = deque(maxlen=_LINES_AT_HAND)
        self._place: str | None = None
        self._stopped: Outcome | None = None
        self._kill_at: float | None = None
        self._answered = False
        self._progress_at = 0
        self.streams: list[_Stream] = []
        self.pid = self._begin(task, zygote)
        timeout = self.node.timeout_seconds
        self._deadline = None if timeout is None else time.monotonic() + timeout

    def _begin(self, task: Task, zygote: Zygote) -> int:
        try:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir(parents=True)
            (self._scratch / TASK_FILE).write_bytes(msgspec.json.encode(task))
        except OSError as error:
            raise unwritable(error, self._scratch) from error
        ends = [os.pipe2(os.O_CLOEXEC) for _ in range(2)]
        try:
            pid = zygote.spawn(self._scratch, ends[0][1], ends[1][1])
        except BaseException:
            for readable, _ in ends:
                os.close(readable)
            raise
        finally:
            for _, writable in ends:
                os.close(writable)
        for (readable, _), name in zip(ends, ("out", "err"), strict=True):
            os.set_blocking(readable, False)
            self.streams.append(_Stream(readable, name))
        return pid

    def read(self, fd: int) -> bool:
        """Take what was printed; False once there will be no more."""
        stream = next(stream for stream in self.streams if stream.fd == fd)
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return True
        if not data:
            self._close(stream)
            return False
        *whole, stream.rest = (stream.rest + data).split(b"\n")
        for line in whole:
            self._add(stream, line)
        if len(stream.rest) > MAX_LINE_LENGTH * 4:
            self._add(stream, stream.rest)
            stream.rest = b""
        return True

    def watch(self, now: float) -> None:
        """Note its progress; stop the process if it is past its deadline, or hangs on after it answered."""
        self._note_progress()
        if self._kill_at is not None:
            if now >= self._kill_at:
                self._signal(signal.SIGKILL)
        elif self._answered or (self._scratch / ANSWER_FILE).exists():
            self._answered = True
            self._kill_at = now + GRACE_SECONDS
        elif self._deadline is not None and now >= self._deadline:
            seconds = self.node.timeout_seconds
            error = f"{self.node.step} took more than its timeout of {seconds:g} s and was stopped"
            self.stop(Outcome(state=StepState.FAILED, error=error, kinds=_TIMED_OUT), now)

    def stop(self, outcome: Outcome, now: float) -> None:
        """Ask the process to end, and see to it that it does; it then ended as `outcome` says."""
        self._stopped = self._stopped or outcome
        self._kill_at = now + GRACE_SECONDS
        self._signal(signal.SIGTERM)

    def ended(self, status: int | None) -> Outcome:
        """How it ended, given the exit status of its process; None for one that was lost."""
        for stream in list(self.streams):
            self._drain(stream)
        self._note_progress()
        answer = self._answer()
        shutil.rmtree(self._scratch, ignore_errors=True)
        is_wanted = self._stopped is None or self._stopped.state is StepState.INTERRUPTED
        if isinstance(answer, Done) and is_wanted:
            return Outcome(state=StepState.SUCCEEDED, outputs=answer.outputs)
        if self._stopped is not None:
            return self._told(self._stopped, self._place)
        if answer is not None and not isinstance(answer, Done):
            error = f"{self.node.step} failed: {self._masker.mask(answer.error)}"
            return self._told(
                Outcome(state=StepState.FAILED, error=error, kinds=answer.kinds), answer.where
            )
        if status is None or status in _KILLED:
            return Outcome(state=StepState.INTERRUPTED, error=self._killed(status))
        return self._told(Outcome(state=StepState.FAILED, error=self._died(status)), None)

    def _killed(self, status: int | None) -> str:
        by = "with the process it was forked from" if status is None else f"by signal {-status}"
        return (
            f"the process of {self.node.step} was killed {by}, not by Mainspring "
            "(out of memory, or by hand)"
        )

    def _died(self, status: int) -> str:
        if status < 0:
            return f"the process of {self.node.step} crashed ({signal.Signals(-status).name})"
        return (
            f"the process of {self.node.step} ended with exit status {status} before the step did"
        )

    def _told(self, outcome: Outcome, where: str | None) -> Outcome:
        """A failure with its place in the code and the last lines that were printed before it."""
        if outcome.error is None or outcome.state is not StepState.FAILED:
            return outcome
        head = f"{outcome.error} ({where})" if where else outcome.error
        tail = "".join(f"\n  | {line}" for line in self._last_lines())
        return replace(outcome, error=f"{head}\nlast output:{tail}" if tail else head)

    def _last_lines(self) -> list[str]:
        """What was printed last, before the traceback, whose last line the error tells already."""
        lines = list(self._tail)
        starts = [number for number, line in enumerate(lines) if line.startswith("Traceback (")]
        return lines[: starts[-1] if starts else None][-_TAIL_LINES:]

    def _answer(self) -> Answer | None:
        try:
            data = (self._scratch / ANSWER_FILE).read_bytes()
        except FileNotFoundError:
            return None
        answer: Answer = msgspec.json.decode(data, type=Answer)
        return answer

    def _note_progress(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            path = self._scratch / PROGRESS_FILE
            told_at = path.stat().st_mtime_ns
            if told_at != self._progress_at:
                self._progress_at = told_at
                self._keep("progress", self._masker.mask(progress_text(path.read_bytes())))

    def _add(self, stream: _Stream, raw: bytes) -> None:
        # A progress bar draws over its line; its last state is what is worth keeping.
        text = raw.rstrip(b"\r").rpartition(b"\r")[2].decode(errors="replace").replace("\0", "")
        if stream.name == "err" and self._place is None and self._stopped is not None:
            self._place = self._place_in(text)
        text = self._masker.mask(text)
        self._tail.append(text[:200])
        self._keep(stream.name, text)

    def _keep(self, stream: str, text: str) -> None:
        if self._seq > MAX_LINES:
            return
        if self._seq == MAX_LINES:
            text = f"(more than {MAX_LINES} lines: the rest is not kept)"
        self.lines.append(
            LogLine(
                node=self.part.id,
                attempt=self.number,
                seq=self._seq,
                at=datetime.now(UTC),
                stream=stream,
                text=text[:MAX_LINE_LENGTH],
            )
        )
        self._seq += 1

    def _place_in(self, text: str) -> str | None:
        """`file:line` of a line of a stack that is in the project's code."""
        match = _PLACE.search(text)
        if match is None or not match.group(1).startswith(self._project):
            return None
        return f"{match.group(1).removeprefix(self._project).lstrip('/')}:{match.group(2)}"

    def _drain(self, stream: _Stream) -> None:
        while self.read(stream.fd):
            # Something that outlived the step may hold the pipe open: take what there is, and no more.
            if not _has_more(stream.fd):
                self._close(stream)
                return

    def _close(self, stream: _Stream) -> None:
        if stream.rest:
            self._add(stream, stream.rest)
        self.streams.remove(stream)
        os.close(stream.fd)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _has_more(fd: int) -> bool:
    readable, _, _ = select.select([fd], [], [], 0)
    return bool(readable)
