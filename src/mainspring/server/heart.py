"""Signs of life: each process of a home tells its supervisor that its main loop still turns.

A beat is a byte in a pipe that the supervisor gave the process at its start. A process that was started
alone has none, and tells nobody. The servers beat in their event loops, which wait for nothing. The
controller beats between two looks at the store: one that hangs at it for this long has lost its leases
anyway, and whatever runs under them is taken up again from its last recorded step.
"""

import os
import time

VARIABLE = "MAINSPRING_HEART"
"""Names the pipe's descriptor to the process."""

BEAT_SECONDS = 5.0
LOOK_SECONDS = 15.0
HUNG_SECONDS = 120.0
"""How long a process may be silent: long enough for a machine that swaps, and nobody has to come at night."""


class Heart:
    """The end of the pipe that beats are written to."""

    def __init__(self, pipe: int | None) -> None:
        self._pipe = pipe
        self._next_at = 0.0

    @classmethod
    def given(cls) -> "Heart":
        """The one that the supervisor gave; processes that we start will not find it."""
        pipe = os.environ.pop(VARIABLE, None)
        if pipe is None:
            return cls(None)
        os.set_inheritable(int(pipe), False)
        os.set_blocking(int(pipe), False)
        return cls(int(pipe))

    def beat(self) -> None:
        """Say that this process is well; most calls do nothing, so that any loop may make them."""
        now = time.monotonic()
        if self._pipe is None or now < self._next_at:
            return
        self._next_at = now + BEAT_SECONDS
        try:
            os.write(self._pipe, b".")
        except BlockingIOError:
            pass  # The supervisor has beats enough to read.
        except OSError:
            self._pipe = None  # It is gone, and this process with it.


UNHEARD = Heart(None)
"""Of a process that no supervisor started."""


class Pulse:
    """What a supervisor knows of the beats of one process.

    Only one that has beaten before can be found hung: before that it starts, which may take as long as the
    store's migration does.

    >>> pulse = Pulse()
    >>> pulse.is_lost(now=1000.0)
    False
    >>> pulse.felt(now=1000.0)
    >>> [pulse.is_lost(now=1000.0 + seconds) for seconds in (30, 60, 90, 120, 150)]
    [False, False, False, False, True]

    A supervisor that did not get to look for a while was itself held up, and the process most likely with
    it: the time counts from then on.

    >>> pulse = Pulse()
    >>> pulse.felt(now=0.0)
    >>> pulse.is_lost(now=5000.0), pulse.is_lost(now=5030.0)
    (False, False)
    """

    def __init__(self) -> None:
        self._heard_at: float | None = None
        self._looked_at = 0.0

    def felt(self, now: float) -> None:
        self._heard_at = self._looked_at = now

    def is_lost(self, now: float) -> bool:
        """Whether nothing was heard for `HUNG_SECONDS` in which the supervisor listened."""
        since_look, self._looked_at = now - self._looked_at, now
        if self._heard_at is None:
            return False
        if since_look > HUNG_SECONDS / 2:
            self._heard_at = now
        return now - self._heard_at > HUNG_SECONDS
