"""The two servers that `tracking.py` compares, and a way to fill their stores with the same runs."""

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.app import open_app
from mainspring.config import Settings

_PATIENCE_SECONDS = 300.0
_FIRST_MS = 1_767_225_600_000


@dataclass(frozen=True, slots=True)
class Tracker:
    """A server that speaks MLflow's protocol, on a folder of its own."""

    name: str
    port: int
    process: subprocess.Popen[bytes]
    started_in_seconds: float

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One call of the protocol; raises for anything but 200."""
        connection = self.connect()
        with contextlib.closing(connection):
            return answer_of(connection, method, path, body)

    def memory_mib(self) -> float:
        """Proportional memory of the process and all below it."""
        return sum(_pss_kib(pid) for pid in _tree(self.process.pid)) / 1024


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
def mainspring(folder: Path, *, database: str = "") -> Iterator[Tracker]:
    """Our control server, as `mainspring server` starts it."""
    port = _free_port()
    command = [str(Path(sys.executable).with_name("mainspring")), "server", "--home", str(folder)]
    command += ["--port", str(port)] + (["--database", database] if database else [])
    with _started("mainspring", command, port) as tracker:
        yield tracker


@contextlib.contextmanager
def mlflow(folder: Path, *, database: str = "", workers: str = "") -> Iterator[Tracker]:
    """The peer, with its defaults unless told otherwise."""
    port = _free_port()
    store = database or f"sqlite:///{folder}/mlflow.db"
    command = [mlflow_binary(), "server", "--backend-store-uri", store, "--port", str(port)]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    command += ["--workers", workers] if workers else []
    with _started("mlflow", command, port) as tracker:
        yield tracker


def mlflow_binary() -> str:
    """Where the real server is: an environment of its own."""
    return os.environ.get("MLFLOW", str(Path.cwd() / ".venv-mlflow" / "bin" / "mlflow"))


def fill_mainspring(home: Path, *, runs: int, params: int, metrics: int) -> None:
    """Write runs into a store of ours that no server has open."""
    open_app(Settings(home=home)).close()
    with contextlib.closing(sqlite3.connect(home / "store.sqlite3")) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute(
            "INSERT INTO experiments VALUES ('0', 'Default', 'active', ?, ?) ON CONFLICT DO NOTHING",
            (_FIRST_MS * 1000, _FIRST_MS * 1000),
        )
        number = 0
        for index, run in _runs(runs):
            at = (_FIRST_MS + index) * 1000
            db.execute(
                "INSERT INTO runs (id, experiment, name, status, lifecycle, user, started_at) "
                "VALUES (?, '0', ?, 'FINISHED', 'active', 'bench', ?)",
                (run, f"run {index}", at),
            )
            db.executemany(
                "INSERT INTO run_params VALUES (?, ?, ?)",
                [(run, f"p{key}", str(index % (key + 2))) for key in range(params)],
            )
            values = _values(index, metrics)
            db.executemany(
                "INSERT INTO metric_series VALUES (?, '0', ?, ?, 0, ?, ?)",
                [
                    (number + key + 1, run, f"m{key}", _FIRST_MS + index, value)
                    for key, value in enumerate(values)
                ],
            )
            db.executemany(
                "INSERT INTO metric_history VALUES (?, 0, ?, ?, 0)",
                [(number + key + 1, _FIRST_MS + index, value) for key, value in enumerate(values)],
            )
            number += metrics
        db.commit()


def fill_mlflow(folder: Path, *, runs: int, params: int, metrics: int) -> None:
    """Write the same runs into a store of the peer's, whose tables its server has made."""
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as db:
        db.execute("PRAGMA synchronous = OFF")
        for index, run in _runs(runs):
            at = _FIRST_MS + index
            db.execute(
                "INSERT INTO runs (run_uuid, name, source_type, user_id, status, start_time, "
                "lifecycle_stage, artifact_uri, experiment_id) "
                "VALUES (?, ?, 'UNKNOWN', 'bench', 'FINISHED', ?, 'active', '', 0)",
                (run, f"run {index}", at),
            )
            db.executemany(
                "INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)",
                [(run, f"p{key}", str(index % (key + 2))) for key in range(params)],
            )
            rows = [(run, f"m{key}", v, at) for key, v in enumerate(_values(index, metrics))]
            for table in ("metrics", "latest_metrics"):
                db.executemany(
                    f"INSERT INTO {table} (run_uuid, key, value, timestamp, step, is_nan) "
                    "VALUES (?, ?, ?, ?, 0, 0)",
                    rows,
                )
        db.commit()


def _runs(count: int) -> Iterator[tuple[int, str]]:
    for index in range(count):
        yield index, f"{index:032x}"


def _values(index: int, count: int) -> list[float]:
    source = random.Random(index)
    return [source.random() for _ in range(count)]


@contextlib.contextmanager
def _started(name: str, command: list[str], port: int) -> Iterator[Tracker]:
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    try:
        while not _answers(port):
            if process.poll() is not None or time.perf_counter() - began > _PATIENCE_SECONDS:
                raise RuntimeError(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.01)
        yield Tracker(name, port, process, time.perf_counter() - began)
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
