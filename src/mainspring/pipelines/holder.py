"""A worker's name, which no other living worker has."""

import fcntl
import os
import socket
from pathlib import Path

_MAX_WORKERS = 1000


class HolderName:
    """A name that is free for others again at the instant its process dies, whatever it dies of.

    So a worker that comes back after kill -9 gets its old name, and with it its runs at once, rather than
    when their leases run out.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(_MAX_WORKERS):
            handle = os.open(
                folder / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                continue
            self._handle = handle
            self.name = f"{socket.gethostname()}:{number}:{_home_of(folder)}"
            return
        raise RuntimeError(f"there are more than {_MAX_WORKERS} workers in {folder}")

    def release(self) -> None:
        """Give the name away."""
        os.close(self._handle)


def _home_of(folder: Path) -> str:
    """Tells apart homes of the same host that share a database."""
    status = folder.stat()
    return f"{status.st_dev:x}-{status.st_ino:x}"
