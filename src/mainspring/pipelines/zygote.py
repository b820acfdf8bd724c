"""The process that step processes are forked from, so that each begins with Python and Mainspring loaded.

It never runs users' code and has one thread, so its forks are as good as new processes at a tenth of the cost.
Libraries may be loaded ahead as long as that stays so: if importing them starts a thread (as Polars does),
it begins anew without them. When its client goes away, however that happens, it kills the steps and ends.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mainspring.kernel.errors import Unavailable
from mainspring.pipelines.child import clean_environment, die_with_parent

_MODULE = "mainspring.pipelines.zygote"
_MESSAGE_BYTES = 65536
_ENVIRONMENT = {
    # Equal runs iterate over equal sets alike.
    "PYTHONHASHSEED": "0",
    # NumPy's library would start its threads as it is loaded.
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True)
class Exit:
    """A step process ended; `status` is its exit status, negative for the number of a signal."""

    pid: int
    status: int


class Zygote:
    """The client's side. Not safe for several threads.

    `ahead` names modules that most steps will import; one that isn't installed is left out.
    """

    def __init__(self, ahead: Sequence[str] = ()) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._exits: deque[Exit] = deque()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULE, str(theirs.fileno()), *ahead],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Not in our group: Ctrl-C is for the client, which then stops the steps in good order.
                start_new_session=True,
                env=clean_environment(os.environ) | _ENVIRONMENT,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Readable when `exits` has something to tell."""
        return self._socket.fileno()

    def spawn(self, scratch: Path, out: int, err: int) -> int:
        """Begin the task in a scratch folder, with these descriptors as its output; gives the process id.

        Raises `Unavailable` if the system has no room for another process.
        """
        fds = array.array("i", [out, err])
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)]
        try:
            self._socket.sendmsg([str(scratch).encode()], rights)
            while "pid" not in (message := self._receive()):
                if "error" in message:
                    raise Unavailable(f"no process could be made: {message['error']}")
                self._exits.append(Exit(message["exited"], message["status"]))
        except OSError as error:
            raise Unavailable("the process that steps are forked from is gone") from error
        pid: int = message["pid"]
        return pid

    def exits(self) -> list[Exit] | None:
        """Processes that ended since the last call; None if the zygote itself is gone, and all of them with it."""
        self._socket.setblocking(False)
        try:
            while True:
                message = self._receive()
                self._exits.append(Exit(message["exited"], message["status"]))
        except BlockingIOError:
            pass
        except OSError:
            return None
        finally:
            self._socket.setblocking(True)
        found = list(self._exits)
        self._exits.clear()
        return found

    def close(self) -> None:
        """End it, and every step process that is left."""
        self._socket.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _receive(self) -> dict[str, int]:
        data = self._socket.recv(_MESSAGE_BYTES)
        if not data:
            raise ConnectionResetError
        message: dict[str, int] = json.loads(data)
        return message


def serve(connection: socket.socket, ahead: Sequence[str]) -> None:
    """Fork a process for each request until the client goes away."""
    _load_ahead(ahead)
    if ahead and len(list(Path("/proc/self/task").iterdir())) > 1:
        # A fork takes along whatever locks the other threads hold.
        os.execv(sys.executable, [sys.executable, "-m", _MODULE, str(connection.fileno())])
    children: set[int] = set()
    woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in selector.select():
                    if key.fd == woken:
                        os.read(woken, 4096)
                        _reap(connection, children)
                    elif not _fork_one(connection, children):
                        return
        except (BrokenPipeError, ConnectionResetError):
            return
        finally:
            for pid in children:
                _kill_group(pid)


def _load_ahead(modules: Sequence[str]) -> None:
    """Import what every step needs, and put it where the collector doesn't touch (and so copy) it."""
    for name in ("mainspring.pipelines.step_process", *modules):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _fork_one(connection: socket.socket, children: set[int]) -> bool:
    data, fds, _, _ = socket.recv_fds(connection, _MESSAGE_BYTES, 2)
    if not data:
        return False
    me = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        _close(fds)
        connection.send(json.dumps({"error": error.strerror}).encode())
        return True
    if pid == 0:
        _be_a_step(Path(data.decode()), fds, me)
    _close(fds)
    children.add(pid)
    connection.send(json.dumps({"pid": pid}).encode())
    return True


def _be_a_step(scratch: Path, fds: list[int], zygote: int) -> None:
    """In the new process: never returns."""
    from mainspring.pipelines.step_process import leave, main
    from mainspring.pipelines.task import TASK_FILE

    status = 70
    try:
        die_with_parent(zygote)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(fds[0], 1)
        os.dup2(fds[1], 2)
        # All else, the zygote's connection among it, belongs to others.
        os.closerange(3, 1024)
        # New ones: those that are there learned at the start what kind of file is behind them.
        sys.stdout = _text_stream(1)
        sys.stderr = _text_stream(2)
        environment = json.loads((scratch / TASK_FILE).read_bytes())["environment"]
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["mainspring-step"]
        gc.unfreeze()
        status = main(scratch)
    except BaseException:
        # Nothing of the step's own gets here; whatever it is, its log must show it.
        traceback.print_exc()
    finally:
        leave(status)


def _text_stream(fd: int) -> TextIO:
    return open(  # it stays open as long as the process
        fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _reap(connection: socket.socket, children: set[int]) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        children.discard(pid)
        # What the step left running in the background ends with it.
        _kill_group(pid)
        ended = {"exited": pid, "status": os.waitstatus_to_exitcode(status)}
        connection.send(json.dumps(ended).encode())


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
