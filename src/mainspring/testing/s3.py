"""A real S3 server for tests, SeaweedFS, started in a temporary folder and gone with it."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mainspring.blobs.object_store import Objects
from mainspring.kernel.errors import MainspringError

_START_SECONDS = 60
_STOP_SECONDS = 30
# Each port has a second one, 10,000 above it.
_PORTS = range(20_000, 30_000, 7)
KEY, SECRET = "tester", "of tests only"


@dataclass(slots=True)
class S3Server:
    """A server on loopback with a bucket `data`; it can be killed and started again on the same files."""

    program: Path
    folder: Path
    ports: tuple[int, int, int, int]
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.ports[0]}"

    def start(self) -> None:
        """Start it, and wait until it takes an object."""
        s3, master, volume, filer = self.ports
        options = {
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "dir": str(self.folder),
            "s3.port": s3,
            "master.port": master,
            "volume.port": volume,
            "filer.port": filer,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "webdav": "false",
            "admin.ui": "false",
            "bucket": "data",
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program, "mini", *(f"-{name}={value}" for name, value in options.items())],
                env={**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(MainspringError, OSError):
                socket.create_connection(("127.0.0.1", s3), timeout=1).close()
                Objects("s3://data/started", endpoint=self.endpoint).put("probe", b"up")
                return
            time.sleep(0.1)
        raise RuntimeError(
            f"the S3 server did not start: {(self.folder / 'log').read_text()[-2000:]}"
        )

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait(_STOP_SECONDS)
            self._process = None


@contextmanager
def s3_server(program: Path) -> Iterator[S3Server]:
    """A running server, of the program `weed`; the environment must hold `KEY` and `SECRET` as credentials."""
    with tempfile.TemporaryDirectory(prefix="ms-s3-", ignore_cleanup_errors=True) as folder:
        server = S3Server(program, Path(folder), _free_ports())
        try:
            server.start()
            yield server
        finally:
            server.kill()


def _free_ports() -> tuple[int, int, int, int]:
    found: list[int] = []
    start = os.getpid() % len(_PORTS)
    for port in (*_PORTS[start:], *_PORTS[:start]):
        if all(_is_free(each) for each in (port, port + 10_000)):
            found.append(port)
        if len(found) == 4:
            return found[0], found[1], found[2], found[3]
    raise RuntimeError("there are no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
