"""Removing segments that are older than the home keeps predictions, and remembering that they were there."""

import contextlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mainspring.serving.log.frames import folder_of
from mainspring.serving.log.reader import is_sealed, segments, services

_MARK = "expired.json"


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed of a service: answers up to `until`, most lately at `at`."""

    until: datetime
    at: datetime


def expire(
    root: Path, service: str, *, before: datetime, read_to: Mapping[str, int], now: datetime
) -> int:
    """Remove sealed segments last written before a time and read to their end; returns how many.

    `read_to` says how far monitoring has read each. What was removed is noted before it goes, so that a
    trace can say so however this ends.
    """
    count = 0
    for path in segments(root, service):
        told = path.stat()
        written_at = datetime.fromtimestamp(told.st_mtime, UTC)
        if written_at >= before or read_to.get(path.name, 0) < told.st_size or not is_sealed(path):
            continue
        earlier = expired_of(root, service)
        until = max(written_at, earlier.until) if earlier else written_at
        _note(folder_of(root, service), Expired(until=until, at=now))
        path.unlink()
        count += 1
    return count


def expired_of(root: Path, service: str) -> Expired | None:
    """What was removed of a service's log; None if nothing was."""
    # A note that is damaged is as good as none: all it costs is a trace's better answer.
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        return msgspec.json.decode((folder_of(root, service) / _MARK).read_bytes(), type=Expired)
    return None


def expired_at(root: Path, answered_at: datetime) -> datetime | None:
    """When answers of a time were last removed, whichever service gave them; None if they were not."""
    found = (expired_of(root, service) for service in services(root))
    return max((e.at for e in found if e and answered_at <= e.until), default=None)


def _note(folder: Path, expired: Expired) -> None:
    temporary = folder / f"{_MARK}.part"
    with temporary.open("wb") as file:
        file.write(msgspec.json.encode(expired))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / _MARK)
