"""A child process of the supervisor: its start, its output in a rotating file, and when to start it again."""

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from mainspring.server.heart import VARIABLE, Pulse

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 30.0
_STABLE_SECONDS = 10.0
_LOG_BYTES = 5 << 20
_LOGS_KEPT = 3
_READ_BYTES = 1 << 16


class RotatingFile:
    """An append-only file that starts anew when it is large; older parts are kept as `.1`, `.2`, ...

    A full disk loses output, never the process that writes it.
    """

    def __init__(self, path: Path, limit: int = _LOG_BYTES, kept: int = _LOGS_KEPT) -> None:
        self.path = path
        self._limit = limit
        self._kept = kept
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        try:
            if self._file is None:
                self._file = self.path.open("ab", buffering=0)
            elif self._file.tell() + len(data) > self._limit:
                self._rotate()
            self._file.write(data)
        except OSError:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept - 1, 0, -1):
            older = self.path.with_name(f"{self.path.name}.{number}")
            if older.exists():
                older.replace(self.path.with_name(f"{self.path.name}.{number + 1}"))
        self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        self._file = self.path.open("ab", buffering=0)


class Backoff:
    """How long to wait before the next start: longer after each quick death, short again after a long life.

    >>> backoff = Backoff()
    >>> [backoff.after(lived_seconds=1.0) for _ in range(4)]
    [0.2, 0.4, 0.8, 1.6]
    >>> backoff.after(lived_seconds=3600.0)
    0.2
    """

    def __init__(self) -> None:
        self._next = _FIRST_DELAY_SECONDS

    def after(self, lived_seconds: float) -> float:
        if lived_seconds >= _STABLE_SECONDS:
            self._next = _FIRST_DELAY_SECONDS
        delay = self._next
        self._next = min(self._next * 2, _LONGEST_DELAY_SECONDS)
        return delay


class Child:
    """One process that is kept running. The supervisor's loop calls these methods; nothing here waits."""

    def __init__(self, name: str, command: list[str], logs: Path) -> None:
        self.name = name
        self._command = command
        self._log = RotatingFile(logs / f"{name}.log")
        self._backoff = Backoff()
        self._started_at = 0.0
        self.deaths = 0
        self.last_lines: deque[str] = deque(maxlen=8)
        self.process: subprocess.Popen[bytes] | None = None
        self.pidfd: int | None = None
        self.outputs: list[int] = []
        self.pulse = Pulse()
        self.beats: int | None = None
        self.start_at: float | None = 0.0

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def start(self, environment: Mapping[str, str]) -> int:
        """Start the process in a session of its own; returns the descriptor of its output."""
        read_end, write_end = os.pipe()
        os.set_blocking(read_end, False)
        self.beats, heart = os.pipe()
        os.set_blocking(self.beats, False)
        self.pulse = Pulse()
        try:
            # A session of its own: Ctrl-C in the terminal reaches the supervisor alone, which ends the
            # children in order.
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=write_end,
                stderr=write_end,
                env={**environment, VARIABLE: str(heart)},
                pass_fds=(heart,),
                start_new_session=True,
            )
        finally:
            os.close(write_end)
            os.close(heart)
        self.pidfd = os.pidfd_open(self.process.pid)
        self.outputs.append(read_end)
        self._started_at = time.monotonic()
        self.start_at = None
        return read_end

    def take_output(self, descriptor: int) -> bool:
        """Move what was printed into the log; False at the end of the stream."""
        try:
            data = os.read(descriptor, _READ_BYTES)
        except BlockingIOError:
            return True
        if not data:
            os.close(descriptor)
            self.outputs.remove(descriptor)
            return False
        self._log.write(data)
        self.last_lines.extend(data.decode(errors="replace").splitlines())
        return True

    def take_beats(self) -> bool:
        """Note that the process is well; False when it will beat no more."""
        assert self.beats is not None
        try:
            data = os.read(self.beats, _READ_BYTES)
        except BlockingIOError:
            return True
        if data:
            self.pulse.felt(time.monotonic())
        return bool(data)

    def ended(self) -> int:
        """Note that the process ended and when to start it again; returns its exit status."""
        assert self.process is not None
        assert self.pidfd is not None
        status = self.process.wait()
        self.deaths += 1
        os.close(self.pidfd)
        self.pidfd = None
        if self.beats is not None:
            os.close(self.beats)
            self.beats = None
        self.process = None
        lived = time.monotonic() - self._started_at
        self.start_at = time.monotonic() + self._backoff.after(lived)
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process runs."""
        if self.process is not None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """End the process and all that it left in its session, at once."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        for descriptor in list(self.outputs):
            self.take_output(descriptor)
        for descriptor in self.outputs:
            os.close(descriptor)
        self.outputs.clear()
        self._log.close()


def command_of(name: str) -> list[str]:
    """The command line that runs one of Mainspring's processes."""
    return [sys.executable, "-m", "mainspring.server.child", name]


def describe_exit(status: int) -> str:
    """What a `Popen` return code means, in words.

    >>> describe_exit(-9), describe_exit(3)
    ('killed by SIGKILL', 'exit code 3')
    """
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit code {status}"
