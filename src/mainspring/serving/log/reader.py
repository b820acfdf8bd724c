"""Reading the log while it is written: never blocks, stops at a torn tail, and goes on after damage.

Damage is told from a torn tail, or from a frame that is just being written, by the seal: only in a segment
that nobody will append to is what can't be read skipped. An open one is read on once it is sealed.
"""

import contextlib
import mmap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from mainspring.domain.prediction import Prediction
from mainspring.kernel.errors import Corrupt
from mainspring.serving.log.frames import (
    FRAME_HEAD,
    HEADER,
    MAX_FRAME_BYTES,
    SEAL,
    Record,
    folder_of,
    frame_end,
    frames_in,
    next_frame,
    records_of,
    service_of,
)
from mainspring.serving.log.ids import time_of
from mainspring.serving.log.writer import MAX_SEGMENT_AGE

READ_BYTES = 4 << 20

# A segment may be named a little before or after its first record's id, and a machine's clock may step.
_SLACK = timedelta(minutes=2)


def services(root: Path) -> list[str]:
    """The services that have segments."""
    if not root.is_dir():
        return []
    return sorted(service_of(folder / "x") for folder in root.iterdir() if folder.is_dir())


def segments(root: Path, service: str) -> list[Path]:
    """A service's segments, oldest first. Several may be open at once, by as many processes."""
    return sorted(folder_of(root, service).glob("*.seg"))


class Batch(NamedTuple):
    """Records that were read together, and the offset to go on from."""

    records: list[Record]
    offset: int
    damaged_bytes: int = 0
    """How many bytes before the records can't be read and were skipped."""


def read(path: Path, offset: int = 0, *, limit_bytes: int = READ_BYTES) -> Batch:
    """Records from an offset on.

    At most about `limit_bytes` are read at once, but always at least one frame. Nothing new gives the same
    offset again. Raises `Corrupt` for a file that is not a segment.
    """
    with path.open("rb") as file:
        if offset < len(HEADER):
            head = file.read(len(HEADER))
            if not HEADER.startswith(head):
                raise Corrupt(f"{path} is not a segment of the prediction log")
            if len(head) < len(HEADER):
                return Batch([], 0)
            offset = len(HEADER)
        file.seek(offset)
        data = file.read(limit_bytes)
        if missing := _missing_of_first_frame(data):
            data += file.read(missing)
    if data and frame_end(data, 0) is None and is_sealed(path):
        good = _after_damage(path, offset)
        rest = read(path, good, limit_bytes=limit_bytes)
        return rest._replace(damaged_bytes=good - offset)
    records: list[Record] = []
    base, service = offset, service_of(path)
    for payload, after in frames_in(data):
        records += records_of(payload, service)
        offset = base + after
    return Batch(records, offset)


def damaged_bytes(path: Path) -> int:
    """How many bytes of a sealed segment can't be read; 0 for one that is still written to, or expired."""
    if not path.exists() or not is_sealed(path):
        return 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        if mapped[: len(HEADER)] != HEADER:
            return len(mapped)
        whole = sum(after - start for start, after in _walk(mapped, is_sealed=True))
        return len(mapped) - len(HEADER) - whole


def is_sealed(path: Path) -> bool:
    """Whether a segment will never grow again."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < len(SEAL):
            return False
        file.seek(-len(SEAL), 2)
        return file.read() == SEAL


def find(root: Path, service: str, prediction_id: str) -> Prediction | None:
    """One prediction by its id, looked for in the segments of its time; None if it isn't there."""
    at = time_of(prediction_id)
    wanted = prediction_id.encode()
    for path in segments(root, service):
        started = time_of("prd_" + path.stem)
        if started - _SLACK <= at <= started + MAX_SEGMENT_AGE + _SLACK:
            with contextlib.suppress(FileNotFoundError):  # it has just expired
                for payload in _frames_with(path, wanted):
                    for record in records_of(payload, service):
                        if isinstance(record, Prediction) and record.id == prediction_id:
                            return record
    return None


def find_anywhere(root: Path, prediction_id: str) -> Prediction | None:
    """One prediction by its id, whichever service gave it."""
    found = (find(root, service, prediction_id) for service in services(root))
    return next((prediction for prediction in found if prediction), None)


def _missing_of_first_frame(data: bytes) -> int:
    if len(data) < FRAME_HEAD.size:
        return 0
    length, _ = FRAME_HEAD.unpack_from(data)
    # A torn tail can claim any length.
    return max(0, length + FRAME_HEAD.size - len(data)) if length <= MAX_FRAME_BYTES else 0


def _after_damage(path: Path, offset: int) -> int:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return next_frame(mapped, offset)


def _frames_with(path: Path, wanted: bytes) -> Iterator[bytes]:
    """Payloads that contain some bytes; the search runs over the mapped file at memory speed."""
    sealed = is_sealed(path)
    with path.open("rb") as file:
        if file.seek(0, 2) <= len(HEADER):
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            position = mapped.find(wanted)
            if position < 0:
                return
            for start, after in _walk(mapped, is_sealed=sealed):
                if position < start:
                    # It was in what is damaged.
                    position = mapped.find(wanted, start)
                if position < 0:
                    return
                if position < after:
                    yield mapped[start + FRAME_HEAD.size : after]
                    position = mapped.find(wanted, after)


def _walk(mapped: mmap.mmap, *, is_sealed: bool) -> Iterator[tuple[int, int]]:
    """Where each good frame begins and ends."""
    offset = len(HEADER)
    while offset < len(mapped):
        after = frame_end(mapped, offset)
        if after is not None:
            yield offset, after
            offset = after
        elif is_sealed:
            offset = next_frame(mapped, offset)
        else:
            return
