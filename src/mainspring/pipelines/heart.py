"""Keeping the lease on a run, whatever its steps and the engine's loop are busy with."""

import logging
import os
import threading
import time

from mainspring.domain.request import Call
from mainspring.kernel.errors import Conflict, MainspringError, NotFound, Unavailable
from mainspring.pipelines.requests import RenewRunLease, RunLease

log = logging.getLogger(__name__)

_MAX_INTERVAL_SECONDS = 2.0


class Heart:
    """Renews a lease from a thread of its own. `lost` and `cancelled` say what it learned.

    `fileno` becomes readable when either changes.
    """

    def __init__(self, call: Call, lease: RunLease, lease_seconds: float) -> None:
        self.lost = False
        self.cancelled = False
        self._call = call
        self._lease = lease
        self._seconds = lease_seconds
        self._ending = threading.Event()
        self._woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._beat, name="run-lease", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """The descriptor to wait on."""
        return self._woken

    def stop(self) -> None:
        """End the thread; the lease stays as it is."""
        self._ending.set()
        self._thread.join()

    def close(self) -> None:
        """End the thread and give `fileno` back."""
        self.stop()
        os.close(self._woken)
        os.close(self._wake)

    def seen(self) -> None:
        """Take note that `fileno` was readable."""
        os.read(self._woken, 64)

    def _beat(self) -> None:
        renewed = time.monotonic()
        while not self._ending.wait(min(_MAX_INTERVAL_SECONDS, self._seconds / 3)):
            try:
                run = self._call(RenewRunLease(lease=self._lease, lease_seconds=self._seconds))
            except (Conflict, NotFound):
                self._tell("lost")
                return
            except Unavailable:
                # It can't be kept, but nobody else can have it before it runs out.
                if time.monotonic() - renewed > self._seconds:
                    self._tell("lost")
                    return
                continue
            except MainspringError:
                log.exception("the lease on %s can't be renewed", self._lease.run)
                self._tell("lost")
                return
            renewed = time.monotonic()
            if run.cancel_requested and not self.cancelled:
                self._tell("cancelled")

    def _tell(self, what: str) -> None:
        setattr(self, what, True)
        os.write(self._wake, b".")
