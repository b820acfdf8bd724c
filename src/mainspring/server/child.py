"""The first lines of every process that the supervisor starts: die with it, read the settings, run.

`python -m mainspring.server.child control|controller|predictor`, set up by `MAINSPRING_*` variables.
"""

import ctypes
import importlib
import os
import signal
import sys

from mainspring.config import load_settings
from mainspring.kernel.errors import MainspringError
from mainspring.server.heart import Heart

PROCESSES = {
    "control": "mainspring.server.control",
    "controller": "mainspring.server.controller",
    "predictor": "mainspring.server.predictor",
}

FAILED = 3
"""Exit code of a process that can't start and would not start the next time either."""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent is gone, however the parent ended."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have died before the request was made.
    if os.getppid() != parent:
        sys.exit(FAILED)


def main() -> None:
    """Run the process named on the command line until it is told to stop."""
    die_with_parent()
    name = sys.argv[1]
    heart = Heart.given()
    try:
        module = importlib.import_module(PROCESSES[name])
        module.run(load_settings(), heart)
    except MainspringError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
