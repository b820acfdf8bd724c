"""Writing the log: records gather in memory for a moment, then go to the disk in one write.

The event loop's thread only appends to buffers and takes them; one other thread writes and syncs, so a
slow disk never delays an answer. A record survives kill -9 once it is written, a power cut once synced.
"""

import fcntl
import logging
import mmap
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mainspring.kernel.ids import new_id
from mainspring.serving.log.frames import (
    HEADER,
    SEAL,
    Answered,
    Labelled,
    append_frame,
    folder_of,
    frame_end,
    next_frame,
)

MAX_SEGMENT_BYTES = 64 << 20
MAX_SEGMENT_AGE = timedelta(hours=1)
# Beyond this a disk that stays full costs records rather than all of the memory.
MAX_PENDING_BYTES = 32 << 20

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Pending:
    """Frames of one service that are not written yet."""

    service: str
    buffer: bytearray = field(default_factory=bytearray)
    record_count: int = 0


class PredictionLog:
    """The log of one process, with one open segment per service.

    `append` and `take` belong to one thread, `write`, `sync` and `close` to another.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._gathering: dict[str, Pending] = {}
        self._segments: dict[str, _Segment] = {}
        self._held_back: dict[str, Pending] = {}
        self.dropped_count = 0
        self.failure: str | None = None

    def append(self, service: str, content: Answered | Labelled, record_count: int) -> None:
        """Add a record to what will be written next."""
        pending = self._gathering.get(service)
        if pending is None:
            pending = self._gathering[service] = Pending(service)
        append_frame(pending.buffer, content)
        pending.record_count += record_count

    @property
    def has_pending(self) -> bool:
        return bool(self._gathering or self._held_back)

    def take(self) -> list[Pending]:
        """All that was appended since the last call."""
        taken = list(self._gathering.values())
        self._gathering = {}
        return taken

    def write(self, taken: list[Pending]) -> bool:
        """Write what was taken, after what a failing disk held back; False if some is still held back."""
        for pending in taken:
            held = self._held_back.setdefault(pending.service, Pending(pending.service))
            held.buffer += pending.buffer
            held.record_count += pending.record_count
        for service, held in list(self._held_back.items()):
            try:
                self._segment(service, len(held.buffer)).write(held.buffer)
            except OSError as error:
                self._hold_back(held, error)
            else:
                del self._held_back[service]
        if not self._held_back:
            self.failure = None
        return not self._held_back

    def sync(self) -> None:
        """Make what was written survive a power cut."""
        for segment in self._segments.values():
            segment.sync()

    def close(self) -> None:
        """Seal every segment. What is still held back is lost, and counted."""
        for segment in self._segments.values():
            segment.seal()
        self._segments = {}
        self.dropped_count += sum(held.record_count for held in self._held_back.values())

    def _segment(self, service: str, size_bytes: int) -> "_Segment":
        segment = self._segments.get(service)
        if segment and segment.is_full(size_bytes):
            segment.seal()
            segment = None
        if segment is None:
            segment = self._segments[service] = _Segment(folder_of(self._root, service))
        return segment

    def _hold_back(self, held: Pending, error: OSError) -> None:
        if self.failure is None:
            log.error("the prediction log can't be written: %s", error)
        self.failure = str(error)
        if len(held.buffer) > MAX_PENDING_BYTES:
            log.error("%d records of %s were dropped", held.record_count, held.service)
            self.dropped_count += held.record_count
            held.buffer = bytearray()
            held.record_count = 0


class _Segment:
    """One open file. Its lock tells recovery in other processes that the writer lives."""

    def __init__(self, folder: Path) -> None:
        self._started = datetime.now(UTC)
        folder.mkdir(parents=True, exist_ok=True)
        name = new_id("seg", self._started).removeprefix("seg_")
        self.path = folder / f"{name}.seg"
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._size = 0
        self._is_synced = True
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.write(HEADER)
        except BaseException:
            os.close(self._file)
            self.path.unlink(missing_ok=True)
            raise

    def is_full(self, more_bytes: int) -> bool:
        too_big = self._size + more_bytes > MAX_SEGMENT_BYTES and self._size > len(HEADER)
        return too_big or datetime.now(UTC) - self._started > MAX_SEGMENT_AGE

    def write(self, data: bytes | bytearray) -> None:
        """All of it or nothing: a write that fails halfway is undone."""
        written = 0
        try:
            with memoryview(data) as view:
                while written < len(data):
                    # Positioned, so that what a failed truncation left behind is written over.
                    written += os.pwrite(self._file, view[written:], self._size + written)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += written
        self._is_synced = False

    def sync(self) -> None:
        if not self._is_synced:
            self._is_synced = True
            os.fdatasync(self._file)

    def seal(self) -> None:
        try:
            self.write(SEAL)
            os.fdatasync(self._file)
        except OSError as error:
            # Unsealed, it is as good as one whose writer was killed.
            log.warning("the segment %s was not sealed: %s", self.path, error)
        finally:
            os.close(self._file)


def recover(root: Path) -> int:
    """Cut the torn tails of segments whose writers died, and seal them; returns how many were open.

    Segments that another process still writes to are left alone.
    """
    count = 0
    for path in sorted(root.glob("*/*.seg")):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            count += _cut_and_seal(file, path)
        except BlockingIOError:
            continue
        finally:
            os.close(file)
    return count


def _cut_and_seal(file: int, path: Path) -> bool:
    size = os.fstat(file).st_size
    if size >= len(SEAL) and os.pread(file, len(SEAL), size - len(SEAL)) == SEAL:
        return False
    if not HEADER.startswith(os.pread(file, len(HEADER), 0)):
        log.warning("%s is not a segment of the prediction log; it is left alone", path)
        return False
    whole = _whole_length(file, size)
    if whole < size:
        log.warning("cut %d bytes off the torn tail of %s", size - whole, path)
        os.ftruncate(file, whole)
    os.pwrite(file, SEAL if whole else HEADER + SEAL, whole)
    os.fdatasync(file)
    return True


def _whole_length(file: int, size: int) -> int:
    """Where the last whole frame ends, whatever is damaged before it; 0 if not even the header is whole."""
    if size < len(HEADER):
        return 0
    whole = offset = len(HEADER)
    with mmap.mmap(file, size, access=mmap.ACCESS_READ) as mapped:
        while offset < size:
            after = frame_end(mapped, offset)
            if after is None:
                offset = next_frame(mapped, offset)
            else:
                whole = offset = after
    return whole
