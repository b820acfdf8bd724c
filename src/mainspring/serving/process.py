"""One model worker as the router sees it: a child process and the socket to it."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mainspring.kernel.digests import Digest
from mainspring.serving import wire

log = logging.getLogger(__name__)

LOAD_SECONDS = 120.0

# One thread each: as many workers as there are cores would otherwise start as many threads squared.
_THREADS = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "POLARS_MAX_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """Where a worker finds its model."""

    blobs: Path
    manifest: Digest
    work: Path


class WorkerProcess(asyncio.Protocol):
    """A child that answers one batch at a time.

    `on_ready`, `on_refused`, `on_answers` and `on_lost` are called on the event loop; after `on_refused`
    or `on_lost` nothing else is called.
    """

    def __init__(
        self,
        *,
        on_ready: Callable[["WorkerProcess"], None],
        on_refused: Callable[["WorkerProcess", str], None],
        on_answers: Callable[["WorkerProcess", wire.Answers], None],
        on_lost: Callable[["WorkerProcess", str], None],
    ) -> None:
        self._on_ready = on_ready
        self._on_refused = on_refused
        self._on_answers = on_answers
        self._on_lost = on_lost
        self._frames = wire.Frames()
        self._transport: asyncio.Transport | None = None
        self._process: Process | None = None
        self._said_hello = False
        self._ended = False
        self._reaper: asyncio.Task[None] | None = None
        self._limit: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self, source: ModelSource) -> None:
        """Start the child; `on_ready` tells when its model is loaded."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mainspring.serving.worker",
                str(theirs.fileno()),
                str(source.blobs),
                source.manifest,
                str(source.work),
                str(os.getpid()),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=model_environment(),
            )
        except OSError as error:
            ours.close()
            self._lose(f"no process could be started: {error}")
            return
        finally:
            theirs.close()
        if self._ended:
            # Stopped while its process was being made.
            ours.close()
            self._finish()
            return
        ours.setblocking(False)
        await loop.create_connection(lambda: self, sock=ours)
        self._limit = loop.call_later(LOAD_SECONDS, self._check_loaded)

    def send(self, batch: wire.Batch) -> None:
        if self._transport is not None:
            self._transport.write(wire.frame(batch))

    def kill(self, why: str) -> None:
        """End a child that hangs."""
        self._lose(why)

    def stop(self) -> None:
        """End a child that is not needed any more; no callback follows."""
        self._ended = True
        self._finish()

    async def gone(self) -> None:
        """Wait until the child of a stopped or lost worker is no more."""
        if self._reaper is not None:
            await self._reaper

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self._transport = transport  # type: ignore[assignment]  # uvloop's transports are of no common class
        if self._ended:
            transport.close()

    def data_received(self, data: bytes) -> None:
        for message in self._frames.feed(data):
            if self._ended:
                return
            if self._said_hello:
                self._on_answers(self, wire.answers_decoder.decode(message))
            else:
                self._hear_hello(wire.hello_decoder.decode(message))

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self._lose("the model worker died")

    def _hear_hello(self, hello: wire.Hello) -> None:
        self._said_hello = True
        if self._limit is not None:
            self._limit.cancel()
        if hello.error is None:
            log.info("worker %s loaded its model in %.1f s", self.pid, hello.load_seconds)
            self._on_ready(self)
        else:
            self._ended = True
            self._finish()
            self._on_refused(self, hello.error)

    def _check_loaded(self) -> None:
        if not self._said_hello:
            self._lose(f"the model was not loaded within {LOAD_SECONDS:.0f} s")

    def _lose(self, why: str) -> None:
        if self._ended:
            return
        self._ended = True
        self._finish()
        self._on_lost(self, why)

    def _finish(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
        if self._transport is not None:
            self._transport.close()
        if self._process is not None and self._reaper is None:
            self._reaper = asyncio.get_running_loop().create_task(_reap(self._process))


async def _reap(process: Process) -> None:
    """The closed socket ends a healthy child; what hangs or runs foreign code to the end is killed."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 0.5)
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


def model_environment() -> dict[str, str]:
    """The environment of a process that runs a model's code: no token, no database's password.

    Of our own settings it has only the one that says how far models are trusted.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MAINSPRING_") or name == "MAINSPRING_MODEL_TRUST"
    }
    return _THREADS | kept
