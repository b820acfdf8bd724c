"""`mainspring up`: starts control, controller and predictor, and starts again whichever dies.

A single loop waits for output, deaths and signals; it wakes only when something happens. The children die
with this process however it ends (see `child.py`), so `kill -9` of it leaves nothing running.
"""

import fcntl
import http.client
import json
import os
import selectors
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mainspring.config import Settings
from mainspring.kernel.errors import Conflict, Unavailable
from mainspring.server.child import FAILED
from mainspring.server.children import Child, RotatingFile, command_of, describe_exit
from mainspring.server.heart import HUNG_SECONDS, LOOK_SECONDS, Pulse
from mainspring.server.ports import claim_port

CHILDREN = ("control", "controller", "predictor")

_GRACE_SECONDS = 30.0
_PROBE_SECONDS = 0.1
_MOST_EARLY_DEATHS = 5
"""How often a process may die before everything was ready once; then there is no use in trying."""


def up(settings: Settings, say: Callable[[str], None]) -> int:
    """Run everything until a signal ends it; returns an exit code.

    Raises `Conflict` if this home is up already or a port is in use, before anything starts.
    """
    lock = lock_home(settings.home)
    try:
        settings = replace(
            settings,
            port=claim_port(settings.host, settings.port, "--port"),
            serving_port=claim_port(settings.host, settings.serving_port, "--serving-port"),
        )
        return Supervisor(settings, say).run()
    finally:
        os.close(lock)


def lock_home(home: Path) -> int:
    """Hold the right to run this home; raises `Conflict` that says who holds it."""
    folder = home / "run"
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "up.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        state = read_state(home) or {}
        where = f" at {state['url']}" if "url" in state else ""
        raise Conflict(
            f"this home is up already: process {state.get('pid', '?')}{where}",
            code="already_up",
            hint=f"Use it, stop it with `kill {state.get('pid', 'PID')}`, or give another --home.",
        ) from error
    return lock


def is_up(home: Path) -> bool:
    """Whether a supervisor runs for this home right now."""
    path = home / "run" / "up.lock"
    if not path.exists():
        return False
    lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def read_state(home: Path) -> dict[str, Any] | None:
    """What the supervisor last wrote of itself: pid, addresses, children; None if it never did."""
    try:
        state = json.loads((home / "run" / "up.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return state if isinstance(state, dict) else None


class Supervisor:
    """The loop. `run` returns when a signal told it to stop and every child has ended."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._log = RotatingFile(settings.logs_path / "up.log")
        settings.logs_path.mkdir(parents=True, exist_ok=True)
        self.children = [Child(name, command_of(name), settings.logs_path) for name in CHILDREN]
        self._selector = selectors.DefaultSelector()
        self._stopping_since: float | None = None
        self._ready = False
        self._failure: Unavailable | None = None

    @property
    def url(self) -> str:
        return f"http://{_in_url(self._settings.host)}:{self._settings.port}"

    @property
    def serving_url(self) -> str:
        return f"http://{_in_url(self._settings.host)}:{self._settings.serving_port}"

    def run(self) -> int:
        wake_read, wake_write = os.pipe()
        for end in (wake_read, wake_write):
            os.set_blocking(end, False)
        self._selector.register(wake_read, selectors.EVENT_READ, None)
        before = self._catch_signals(wake_write)
        try:
            self._start_due()
            threading.Thread(target=self._probe, args=(wake_write,), daemon=True).start()
            self._loop(wake_read)
        finally:
            self._end_all()
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            (self._settings.home / "run" / "up.json").unlink(missing_ok=True)
            self._log.close()
        if self._failure is not None:
            raise self._failure
        self._report("stopped")
        return 0

    def _loop(self, wake_read: int) -> None:
        while self._stopping_since is None or any(child.process for child in self.children):
            for key, _ in self._selector.select(self._timeout()):
                if key.fd == wake_read:
                    self._woken(os.read(wake_read, 512))
                elif key.data[0] == "output":
                    if not key.data[1].take_output(key.fd):
                        self._selector.unregister(key.fd)
                elif key.data[0] == "beat":
                    if not key.data[1].take_beats():
                        self._selector.unregister(key.fd)
                else:
                    self._ended(key.data[1], key.fd)
            self._start_due()
            self._end_hung()
            self._hurry()

    def _timeout(self) -> float:
        """Seconds until something is due without anything happening."""
        now = time.monotonic()
        if self._stopping_since is not None:
            return max(0.0, self._stopping_since + _GRACE_SECONDS - now)
        due = [child.start_at for child in self.children if child.start_at is not None]
        return min(max(0.0, min(due) - now) if due else LOOK_SECONDS, LOOK_SECONDS)

    def _start_due(self) -> None:
        if self._stopping_since is not None:
            return
        started = False
        for child in self.children:
            if child.start_at is not None and child.start_at <= time.monotonic():
                output = child.start(self._environment())
                self._selector.register(output, selectors.EVENT_READ, ("output", child))
                self._selector.register(child.beats, selectors.EVENT_READ, ("beat", child))  # type: ignore[arg-type]  # set by start
                self._selector.register(child.pidfd, selectors.EVENT_READ, ("death", child))  # type: ignore[arg-type]  # set by start
                started = True
        if started:
            self._write_state()

    def _ended(self, child: Child, pidfd: int) -> None:
        self._selector.unregister(pidfd)
        if child.beats is not None and child.beats in self._selector.get_map():
            self._selector.unregister(child.beats)
        status = child.ended()
        for output in list(child.outputs):
            child.take_output(output) or self._selector.unregister(output)
        if self._stopping_since is not None:
            return
        if not self._ready and (status == FAILED or child.deaths >= _MOST_EARLY_DEATHS):
            self._failure = Unavailable(
                f"{child.name} could not start: "
                + "; ".join(line.strip() for line in child.last_lines),
                code="could_not_start",
                hint=f"Its log is {self._settings.logs_path / (child.name + '.log')}.",
            )
            self._stop()
            return
        delay = (child.start_at or 0.0) - time.monotonic()
        self._report(
            f"{child.name} ended ({describe_exit(status)}); it starts again in {delay:.1f} s"
        )

    def _woken(self, data: bytes) -> None:
        if 0 in data:
            self._ready = True
            self._write_state()
            self._report(f"ready: pages and API at {self.url} , predictions at {self.serving_url}")
        for number in data:
            if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                if self._stopping_since is not None:
                    # Asked twice: somebody does not want to wait.
                    self._kill_all()
                else:
                    self._report("stopping")
                    self._stop()

    def _stop(self) -> None:
        self._stopping_since = time.monotonic()
        for child in self.children:
            child.signal(signal.SIGTERM)

    def _end_hung(self) -> None:
        """Kill what lives but does nothing any more; its death is then met like any other."""
        for child in self.children:
            if child.pulse.is_lost(time.monotonic()) and self._stopping_since is None:
                child.pulse = Pulse()
                self._report(
                    f"{child.name} (process {child.pid}) hangs: it gave no sign of life for "
                    f"{HUNG_SECONDS:.0f} s; killing it"
                )
                child.kill()

    def _hurry(self) -> None:
        since = self._stopping_since
        if since is not None and time.monotonic() - since >= _GRACE_SECONDS:
            self._kill_all()

    def _kill_all(self) -> None:
        for child in self.children:
            child.kill()

    def _end_all(self) -> None:
        for child in self.children:
            if child.process is not None:
                child.kill()
                child.ended()
            child.close()
        self._selector.close()

    def _catch_signals(self, wake_write: int) -> dict[int, Any]:
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        # The handler does nothing: the number in the wake-up pipe is what the loop acts on.
        return {number: signal.signal(number, lambda *_: None) for number in caught}

    def _probe(self, wake_write: int) -> None:
        """Wait, in a thread of its own, until both servers answer; then wake the loop with a zero."""
        waiting = {
            (self._settings.port, "/health"),
            (self._settings.serving_port, "/v2/health/live"),
        }
        while waiting and self._stopping_since is None:
            waiting = {each for each in waiting if not _answers(self._settings.host, *each)}
            time.sleep(_PROBE_SECONDS if waiting else 0)
        if not waiting and self._stopping_since is None:
            os.write(wake_write, b"\0")

    def _environment(self) -> dict[str, str]:
        chosen = self._settings
        own = {
            "MAINSPRING_HOME": str(chosen.home),
            "MAINSPRING_DATABASE": chosen.database,
            "MAINSPRING_HOST": chosen.host,
            "MAINSPRING_PORT": str(chosen.port),
            "MAINSPRING_SERVING_PORT": str(chosen.serving_port),
            "MAINSPRING_PUBLIC_URL": chosen.public_url,
            "PYTHONUNBUFFERED": "1",
        }
        # Our children work on the home itself, whatever server the user's shell points at.
        kept = {
            k: v for k, v in os.environ.items() if k not in ("MAINSPRING_URL", "MAINSPRING_TOKEN")
        }
        return kept | own

    def _write_state(self) -> None:
        state = {
            "pid": os.getpid(),
            "url": self.url,
            "serving_url": self.serving_url,
            "ready": self._ready,
            "children": {child.name: child.pid for child in self.children},
            "written_at": datetime.now(UTC).isoformat(),
        }
        path = self._settings.home / "run" / "up.json"
        temporary = path.with_suffix(".part")
        try:
            temporary.write_text(json.dumps(state))
            os.replace(temporary, path)
        except OSError as error:
            self._report(f"can't write {path}: {error.strerror}")

    def _report(self, text: str) -> None:
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        self._log.write(f"{stamp} {text}\n".encode())
        self._say(text)


def _answers(host: str, port: int, path: str) -> bool:
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    connection = http.client.HTTPConnection(address, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
