"""Asking again while the store is busy."""

import time
from typing import TypeVar

from mainspring.domain.request import Call, Request
from mainspring.kernel.errors import Unavailable

T = TypeVar("T")

_LONGEST_PAUSE_SECONDS = 2.0


class Patient:
    """Carries requests out as `call` does, and tries again while the store is busy, for so many seconds."""

    def __init__(self, call: Call, seconds: float) -> None:
        self._call = call
        self._seconds = seconds

    def __call__(self, request: Request[T], /) -> T:
        until = time.monotonic() + self._seconds
        pause = 0.1
        while True:
            try:
                return self._call(request)
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
