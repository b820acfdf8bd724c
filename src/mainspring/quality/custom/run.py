"""Running a schema's own checks: in a process that may raise, hang or die without harm to anyone."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from mainspring.datasets.tables import collected, reading_clearly
from mainspring.kernel.errors import MainspringError
from mainspring.quality.custom.code import LayOut
from mainspring.quality.custom.outcome import Answer, Job, Task

if TYPE_CHECKING:
    import polars as pl

_LONGEST_ANSWER = 1 << 20
_STARTING_SECONDS = 60.0
_READY = b"ready"


def run_checks(
    table: "pl.LazyFrame", tasks: Sequence[Task], code: LayOut
) -> "list[tuple[Answer, pl.Series | None]]":
    """What each check answers, and for each row if it answered so.

    One process runs all of them; a check that kills it or takes too long costs only itself, and the next process
    goes on after it. Nothing that a check does is raised here: it becomes the error in its answer.
    """
    with TemporaryDirectory(prefix="mainspring-checks-") as scratch:
        folder = Path(scratch)
        try:
            (folder / "code").mkdir()
            code(folder / "code")
        except MainspringError as error:
            return [(Answer(error=error.message), None) for _ in tasks]
        (folder / "table").write_bytes(_plan(table, folder))
        answers: list[Answer] = []
        while len(answers) < len(tasks):
            answers += _Process(folder, tasks, len(answers)).answers()
        row_count = _row_count(table) if any(answer.mask for answer in answers) else 0
        return [_with_mask(folder, answer, row_count) for answer in answers]


def _plan(table: "pl.LazyFrame", folder: Path) -> bytes:
    """How to read the table, for another process; rows that only this one can read are written to a file first."""
    import polars as pl

    if "PYTHON SCAN" in table.explain(optimized=False):
        with reading_clearly():
            table.sink_parquet(folder / "rows.parquet")
        table = pl.scan_parquet(folder / "rows.parquet")
    return table.serialize()


class _Process:
    """One process and the checks that it gets through."""

    def __init__(self, folder: Path, tasks: Sequence[Task], first: int) -> None:
        self._tasks = tasks[first:]
        job = folder / "job"
        job.write_bytes(msgspec.json.encode(Job(tasks=list(self._tasks), first=first)))
        self._reader, writer = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",  # Nothing is imported from wherever the caller happens to stand.
                    "-m",
                    "mainspring.quality.custom.child",
                    str(folder),
                    str(writer),
                    str(os.getpid()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_clean_environment(),
                pass_fds=(writer,),
                start_new_session=True,
            )
        finally:
            os.close(writer)
        self._unread = b""

    def answers(self) -> list[Answer]:
        """Answers up to the first check that ended or outlasted the process, one at least."""
        found: list[Answer] = []
        try:
            if (line := self._line(_STARTING_SECONDS)) != _READY:
                why = "did not start" if line is None else f"ended at once ({self._ending()})"
                return [Answer(error=f"the process for checks {why}")]
            for task in self._tasks:
                line = self._line(task.timeout_seconds)
                if line is None:
                    return [*found, Answer(error=f"no answer within {task.timeout_seconds:g} s")]
                if not line:
                    return [*found, Answer(error=f"its process ended ({self._ending()})")]
                found.append(_answer(line))
            return found
        finally:
            self._end()

    def _line(self, seconds: float) -> bytes | None:
        """The next line; empty at the end, None if none comes in time."""
        until = time.monotonic() + seconds
        while b"\n" not in self._unread and len(self._unread) < _LONGEST_ANSWER:
            ready, _, _ = select.select([self._reader], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                return None
            data = os.read(self._reader, 1 << 16)
            if not data:
                return b""
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line

    def _ending(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            status = self._process.wait(5)
            return (
                f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            )
        return "it closed its answers"

    def _end(self) -> None:
        """End it and all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._reader)


def _answer(line: bytes) -> Answer:
    try:
        return msgspec.json.decode(line, type=Answer)
    except msgspec.DecodeError:
        return Answer(error="its process answered what is no answer")


def _row_count(table: "pl.LazyFrame") -> int:
    import polars as pl

    return int(collected(table.select(pl.len())).item())


def _with_mask(folder: Path, answer: Answer, row_count: int) -> "tuple[Answer, pl.Series | None]":
    import polars as pl

    if answer.mask is None:
        return answer, None
    path = folder / Path(answer.mask).name
    try:
        mask = pl.read_ipc(path).to_series().cast(pl.Boolean)
    except (OSError, pl.exceptions.PolarsError) as error:
        return Answer(error=f"its answer for each row can't be read: {error}"), None
    if len(mask) != row_count:
        # Foreign code wrote it: were it longer, it would put rows into the table.
        return Answer(error=f"it answered for {len(mask):,} of {row_count:,} rows"), None
    return answer, mask


def _clean_environment() -> dict[str, str]:
    """Without our settings, among which are secrets."""
    return {key: value for key, value in os.environ.items() if not key.startswith("MAINSPRING_")}
