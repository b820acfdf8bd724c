"""The demo's `mainspring up`: a process of its own, as a user would start it."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mainspring.config import Settings
from mainspring.kernel.errors import Unavailable
from mainspring.server.supervisor import read_state

_READY_SECONDS = 60.0


class EngineRoom:
    """Starts and ends `mainspring up` on the demo's home."""

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._output = settings.home / "up.out"
        port, serving_port = (
            (settings.port, settings.serving_port)
            if _is_free(settings.host, settings.port)
            and _is_free(settings.host, settings.serving_port)
            else (0, 0)
        )
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "mainspring.cli.main", "up", "--with-parent"),
                    *("--home", str(settings.home), "--host", settings.host),
                    *("--port", str(port), "--serving-port", str(serving_port)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # The story's callers have no token.
                env={**os.environ, "MAINSPRING_SERVING_TOKEN": ""},
                # Ctrl-C is the story's to handle: it ends this process in order.
                start_new_session=True,
            )

    @property
    def log_folder(self) -> Path:
        return self._home / "logs"

    def wait_until_ready(self) -> dict[str, Any]:
        """The supervisor's state once everything answers; raises `Unavailable` with its output if it ends."""
        ends = time.monotonic() + _READY_SECONDS
        while time.monotonic() < ends:
            state = read_state(self._home)
            if state is not None and state.get("ready"):
                return state
            self.check()
            time.sleep(0.05)
        raise Unavailable(
            f"mainspring up was not ready after {_READY_SECONDS:g} seconds",
            code="demo_timeout",
            hint=f"Its output is in {self._output}, the logs in {self.log_folder}.",
        )

    def check(self) -> None:
        """Raise `Unavailable` if the supervisor has ended."""
        if self._process.poll() is not None:
            raise Unavailable(
                "mainspring up ended: " + self._output.read_text(errors="replace").strip()[-1000:],
                code="up_ended",
                hint=f"The logs are in {self.log_folder}.",
            )

    def stop(self) -> None:
        """End it as Ctrl-C would, and by force if that takes too long."""
        self._process.terminate()
        try:
            self._process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
