"""The two servers that `tracking.py` compares."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.testing.postgres import postgres_server

_PATIENCE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Database:
    """A database of one server on PostgreSQL."""

    url: str
    server_pid: int


@dataclass(frozen=True, slots=True)
class Tracker:
    """A server that speaks MLflow's protocol, on a folder of its own."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    started_in_seconds: float
    database_pid: int | None = None
    """The database server, whose CPU is counted too; None for SQLite, which is in the process."""

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of the protocol; raises for anything but 200."""
        connection = self.connect()
        with contextlib.closing(connection):
            return answer_of(connection, method, path, body)

    def cpu_seconds(self) -> float:
        """CPU that the server, all below it and its database have used so far."""
        roots = [pid for pid in (self.process.pid, self.database_pid) if pid is not None]
        return sum(_cpu_seconds(pid) for root in roots for pid in _tree(root))

    def memory_mib(self) -> float:
        """Proportional memory of the process and all below it."""
        return sum(_pss_kib(pid) for pid in _tree(self.process.pid)) / 1024


@contextlib.contextmanager
def postgresql() -> Iterator[Callable[[], Database]]:
    """A PostgreSQL server that waits for the disk as by default; each call makes a database."""
    with postgres_server(settings=("shared_buffers=512MB", "max_connections=200")) as server:
        yield lambda: Database(server.new_database(), server.pid)


def answer_of(
    connection: http.client.HTTPConnection, method: str, path: str, body: object = None
) -> Any:
    """Send a call on a connection that stays open."""
    sent = body if isinstance(body, bytes) else json.dumps(body) if body is not None else None
    connection.request(method, f"/api/2.0/mlflow{path}", sent, {"Content-Type": "application/json"})
    response = connection.getresponse()
    text = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {text[:300]!r}")
    return json.loads(text)


@contextlib.contextmanager
def mainspring(folder: Path, *, database: Database | None = None) -> Iterator[Tracker]:
    """Our control server, as `mainspring server` starts it."""
    port = _free_port()
    command = [str(Path(sys.executable).with_name("mainspring")), "server", "--home", str(folder)]
    command += ["--port", str(port)] + (["--database", database.url] if database else [])
    with _started("mainspring", command, port, database) as tracker:
        yield tracker


@contextlib.contextmanager
def mlflow(
    folder: Path, *, database: Database | None = None, workers: str = ""
) -> Iterator[Tracker]:
    """The peer, with its defaults unless told otherwise."""
    port = _free_port()
    url = database.url if database else f"sqlite:///{folder}/mlflow.db"
    command = [mlflow_binary(), "server", "--backend-store-uri", url, "--port", str(port)]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    command += ["--workers", workers] if workers else []
    with _started("mlflow", command, port, database) as tracker:
        yield tracker


def mlflow_binary() -> str:
    """Where the real server is: an environment of its own."""
    return os.environ.get("MLFLOW", str(Path.cwd() / ".venv-mlflow" / "bin" / "mlflow"))


@contextlib.contextmanager
def _started(
    name: str, command: list[str], port: int, database: Database | None
) -> Iterator[Tracker]:
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdout=said,
            stderr=said,
            start_new_session=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        try:
            while not _answers(port):
                if process.poll() is not None or time.perf_counter() - began > _PATIENCE_SECONDS:
                    said.seek(0)
                    told = said.read().decode(errors="replace")[-2000:]
                    raise RuntimeError(f"{name} did not start: {' '.join(command)}\n{told}")
                time.sleep(0.01)
            seconds = time.perf_counter() - began
            yield Tracker(name, port, process, seconds, database.server_pid if database else None)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _cpu_seconds(pid: int) -> float:
    """Of a process and of those below it that have ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _tree(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found, waiting = [], [root]
    while waiting:
        found.append(waiting.pop())
        waiting += children.get(found[-1], [])
    return found


def _pss_kib(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0
