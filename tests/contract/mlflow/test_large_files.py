"""Large files as MLflow's client moves them when it may: in parts up, in ranges down."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from mainspring.server.ports import claim_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

_SERVE = """
import sys
from pathlib import Path
from mainspring.config import Settings
from mainspring.server.control import run
run(Settings(home=Path(sys.argv[1]), port=0))
"""


@pytest.mark.mlflow
def test_a_large_file_goes_up_in_parts_and_comes_back_in_ranges_with_flat_memory(
    seen_by: Callable[..., dict[str, Any]],
) -> None:
    port = claim_port("127.0.0.1", 0, "")

    saw = seen_by("parts_script.py", port=port, public_url=f"http://127.0.0.1:{port}")

    assert saw["same"]
    assert saw["small"] == "small"
    assert saw["uploads"] == {"create": 1, "parts": 11, "complete": 1, "streamed": 1}
    assert saw["presigned"] == 2
    assert saw["ranges"] == 12
    assert saw["left"] == []
    assert max(saw["grown_mb"]) < 60


def test_an_upload_outlives_a_killed_server_and_leaves_nothing_else(tmp_path: Path) -> None:
    """Half a part is never a part; those that were acknowledged are there, and the rest can follow."""
    home, content = tmp_path / "home", [os.urandom(1 << 20), os.urandom(1 << 20)]
    with a_server(home) as (server, send):
        run = send("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})["run"]["info"]
        folder = f"0/{run['run_id']}/artifacts"
        create = f"/api/2.0/mlflow-artifacts/mpu/create/{folder}"
        begun = send("POST", create, {"path": "big", "num_parts": 2})
        urls = [urlsplit(each["url"]).path for each in begun["credentials"]]
        first = send("PUT", urls[0], content[0])
        with half_sent(send.port, urls[1], content[1]):
            os.kill(server.pid, signal.SIGKILL)

    with a_server(home) as (_, send):
        assert send("GET", f"/api/2.0/mlflow-artifacts/artifacts?path={folder}") == {"files": []}
        second = send("PUT", urls[1], content[1])
        parts = [{"part_number": n, "etag": e} for n, e in ((1, first), (2, second))]
        body = {"path": "big", "upload_id": begun["upload_id"], "parts": parts}
        send("POST", f"/api/2.0/mlflow-artifacts/mpu/complete/{folder}", body)
        listed = send("GET", f"/api/2.0/mlflow-artifacts/artifacts?path={folder}")["files"]

    assert listed == [{"path": "big", "is_dir": False, "file_size": 2 << 20}]
    assert list((home / "work/uploads").iterdir()) == []


class Sender:
    """Sends requests to a server; gives the JSON that comes back, or the ETag where none does."""

    def __init__(self, port: int) -> None:
        self.port = port

    def __call__(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body))
        given = connection.getresponse()
        told = given.read()
        connection.close()
        assert given.status == 200, told
        return json.loads(told) if told else given.getheader("ETag")


@contextmanager
def a_server(home: Path) -> Iterator[tuple[subprocess.Popen[str], Sender]]:
    """A control server in a process of its own."""
    command = [sys.executable, "-c", _SERVE, str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = server.stdout.readline().rpartition(" ")[2].strip()
            yield server, Sender(urlsplit(url).port or 0)
        finally:
            server.terminate()


@contextmanager
def half_sent(port: int, path: str, content: bytes) -> Iterator[None]:
    """Half of a body is sent, and the server has begun to keep it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("PUT", path)
    connection.putheader("Content-Length", str(len(content)))
    connection.endheaders()
    connection.send(content[: len(content) // 2])
    time.sleep(1)
    yield
    connection.close()
