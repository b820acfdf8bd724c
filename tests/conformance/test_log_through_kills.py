"""Thirty-two clients log over HTTP while the server is killed and started again: what was acknowledged is there."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mainspring.app import open_app
from mainspring.config import Settings
from mainspring.testing.apps import TESTER
from mainspring.tracking.requests import CreateRun, GetMetricPoints

_WRITERS = 32
_LIVES = 3
_SECONDS_OF_A_LIFE = 4.0
_KEYS = ("loss", "accuracy")


def a_free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Server:
    """A control server on a fixed port that dies and comes back."""

    def __init__(self, home: Path, database: str, port: int) -> None:
        self.port = port
        self._command = [
            *(str(Path(sys.executable).with_name("mainspring")), "server", "--home", str(home)),
            *("--port", str(port)),
            *(("--database", database) if database else ()),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Writer(threading.Thread):
    """Logs one step after the other, each until it is acknowledged, as MLflow's client does."""

    def __init__(self, port: int, run: str, stop: threading.Event) -> None:
        super().__init__()
        self._port, self._run_id, self._stopping = port, run, stop
        self.acknowledged: list[int] = []
        self.refusals: set[int] = set()

    def run(self) -> None:
        while not self._stopping.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            # A refused or broken connection: the same step is sent again on a new one.
            with (
                contextlib.closing(connection),
                contextlib.suppress(OSError, http.client.HTTPException),
            ):
                self._log(connection)
            time.sleep(0.05)

    def _log(self, connection: http.client.HTTPConnection) -> None:
        while not self._stopping.is_set():
            step = len(self.acknowledged)
            points = [{"key": k, "value": step / 3, "timestamp": step, "step": step} for k in _KEYS]
            body = json.dumps({"run_id": self._run_id, "metrics": points})
            connection.request("POST", "/api/2.0/mlflow/runs/log-batch", body)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                self.refusals.add(response.status)
                return
            self.acknowledged.append(step)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_acknowledged_metric_is_there_and_none_twice(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = ""
    if kind == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    app = open_app(Settings(home=tmp_path / "home", database=database), actor=TESTER)
    runs = [app.call(CreateRun(experiment="0")).id for _ in range(_WRITERS)]
    server, stop = Server(tmp_path / "home", database, a_free_port()), threading.Event()
    writers = [Writer(server.port, run, stop) for run in runs]

    for writer in writers:
        writer.start()
    for _ in range(_LIVES):
        server.start()
        time.sleep(_SECONDS_OF_A_LIFE)
        server.kill()
    stop.set()
    for writer in writers:
        writer.join()

    assert sum(len(writer.acknowledged) for writer in writers) > _WRITERS * _LIVES
    assert set().union(*(writer.refusals for writer in writers)) <= {503}
    for writer, run in zip(writers, runs, strict=True):
        for key in _KEYS:
            found = app.call(GetMetricPoints(run=run, key=key, limit=100_000)).steps
            assert len(found) == len(set(found))
            assert set(writer.acknowledged) <= set(found)
            # At most the step that was under way is there without its acknowledgement.
            assert set(found) - set(writer.acknowledged) <= {len(writer.acknowledged)}
    app.close()
