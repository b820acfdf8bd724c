"""A service with a real serving process, for tests that ask it things."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.app import App
from mainspring.domain.model import ModelVersion
from mainspring.domain.rollout import Rollout
from mainspring.domain.service import ServiceSpec
from mainspring.registry.requests import RecordGateResults, RegisterModelVersion
from mainspring.services.requests import ApplyService
from mainspring.serving.requests import AdvanceRollout, StartRollout
from mainspring.testing.models import a_stored_model
from mainspring.tracking.model_writing import signature_of

if TYPE_CHECKING:
    import polars as pl


def a_declared_service(app: App, name: str = "demand", **promises: Any) -> None:
    """A service without gates whose model has its name; `promises` are fields of its spec."""
    blob = app.blobs.put_bytes(b"project")
    spec = ServiceSpec(name=name, pipeline="flow:pipeline", model=name, data={}, **promises)
    app.call(ApplyService(spec=spec, project=blob, environment=blob))


def a_judged_version(
    app: App, estimator: Any, inputs: "pl.DataFrame", *, model: str = "demand"
) -> ModelVersion:
    """A registered version of an estimator that no gate keeps from serving."""
    version = app.call(
        RegisterModelVersion(
            model=model,
            manifest=a_stored_model(app.blobs, estimator, inputs),
            signature=signature_of(inputs),
        )
    )
    return app.call(RecordGateResults(version=version.id, results=()))


def promoted(app: App, version: ModelVersion, *, service: str = "demand") -> Rollout:
    """Take a version through every step of a rollout at once."""
    rollout = app.call(StartRollout(service=service, version=version.id))
    while not rollout.state.is_final:
        rollout = app.call(AdvanceRollout(rollout=rollout.id, step_index=rollout.step_index))
    return rollout


class Predictor:
    """A serving process of a home."""

    def __init__(self, home: Path, *, database: str = "") -> None:
        environment = {
            **os.environ,
            "MAINSPRING_HOME": str(home),
            "MAINSPRING_DATABASE": database,
            "MAINSPRING_SERVING_PORT": "0",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mainspring.server.child", "predictor"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line.startswith("Mainspring predicts at "):
            self.process.wait()
            raise AssertionError(f"the predictor did not start: {line}{self.errors()}")
        self.port = int(line.rsplit(":", 1)[1])
        self._errors: list[str] = []
        self._drain = threading.Thread(target=self._read_errors, daemon=True)
        self._drain.start()

    def errors(self) -> str:
        """What it wrote to its log so far."""
        if self.process.poll() is not None and not hasattr(self, "_errors"):
            assert self.process.stderr
            return self.process.stderr.read()
        return "".join(self._errors)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and decoded body of one request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
            connection.request(method, path, data, headers or {})
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if "json" in answer.getheader("content-type", "") and content.strip():
            return answer.status, json.loads(content)
        return answer.status, content

    def infer(self, service: str = "demand", /, **columns: Any) -> tuple[int, Any]:
        """Ask for one prediction; `parameters` goes beside the inputs."""
        return self.ask("POST", f"/v2/models/{service}/infer", a_question(**columns))

    def wait_ready(self, *, seconds: float = 90.0, numbers: set[str] | None = None) -> None:
        """Wait until it is ready, and holds just these versions if they are given."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            status, body = self.ask("GET", "/v2/health/ready")
            if status == 200 and body["services"] and numbers is None:
                return
            if status == 200 and numbers is not None:
                status, body = self.ask("GET", f"/v2/models/{next(iter(body['services']))}")
                if status == 200 and set(body["versions"]) == numbers:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the predictor was not ready in time: {self.errors()}")

    def stop(self, sig: int = signal.SIGTERM) -> int:
        """Signal the process and wait for its end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        status = self.process.wait(timeout=30)
        self._drain.join(timeout=5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return status

    def _read_errors(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self._errors.append(line)


@contextmanager
def a_predictor(home: Path, *, database: str = "") -> Iterator[Predictor]:
    """A serving process that is stopped at the end of the block."""
    predictor = Predictor(home, database=database)
    try:
        yield predictor
    finally:
        predictor.stop()


def a_question(*, parameters: dict[str, Any] | None = None, **columns: Any) -> dict[str, Any]:
    """The body of an infer call with one tensor per column; a single value makes one row."""
    inputs = []
    for name, given in columns.items():
        values = given if isinstance(given, list) else [given]
        datatype = "BYTES" if isinstance(values[0], str) else "FP64"
        inputs.append({"name": name, "shape": [len(values)], "datatype": datatype, "data": values})
    return {"inputs": inputs, "parameters": parameters or {}}


class Load:
    """Closed-loop clients on kept-alive connections, counting what they sent and what came back."""

    def __init__(self, port: int, *, clients: int = 8, body: Any = None) -> None:
        self._port = port
        self._body = json.dumps(body or a_question(x=1.0)).encode()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(clients)]
        self._lock = threading.Lock()
        self.answers: dict[int, int] = {}
        self.versions: dict[str, int] = {}
        self.lost: list[str] = []
        self.ids: list[str] = []

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def count(self) -> int:
        return sum(self.answers.values())

    def wait_for(self, more: int, *, seconds: float = 30.0) -> None:
        """Wait until that many more requests were answered."""
        goal, end = self.count + more, time.monotonic() + seconds
        while self.count < goal and time.monotonic() < end:
            time.sleep(0.005)

    def _run(self, _: int) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        connected = False
        while not self._stop.is_set():
            sent = False
            try:
                if not connected:
                    connection.connect()
                    connected = True
                connection.request("POST", "/v2/models/demand/infer", self._body)
                sent = True
                answer = connection.getresponse()
                content = answer.read()
                connected = not answer.will_close
            except ConnectionRefusedError:
                # Nobody listens any more: nothing was sent, so nothing was lost.
                break
            except (OSError, HTTPException) as error:
                with self._lock:
                    self.lost.append(f"{type(error).__name__} {'after' if sent else 'in'} sending")
                connection.close()
                connected = False
                continue
            self._count(answer.status, content)
        connection.close()

    def _count(self, status: int, content: bytes) -> None:
        with self._lock:
            self.answers[status] = self.answers.get(status, 0) + 1
            if status == 200:
                body = json.loads(content)
                version = body["model_version"]
                self.versions[version] = self.versions.get(version, 0) + 1
                self.ids += body["parameters"]["prediction_id"]
