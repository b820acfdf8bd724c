"""Exporters while the server is killed: what it said it has, it has, once."""

import contextlib
import http.client
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.domain.trace import TraceId
from mainspring.testing.apps import an_app
from mainspring.testing.spans import a_span, otlp
from mainspring.traces.requests import GetTraces

_SERVE = """
import sys
from pathlib import Path
from mainspring.config import Settings
from mainspring.server.control import run
run(Settings(home=Path(sys.argv[1]), database=sys.argv[2], port=0))
"""
_CLIENTS, _SPANS = 4, 20

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@contextlib.contextmanager
def a_server(home: Path, database: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A control server in a process of its own; gives it and its port."""
    command = [sys.executable, "-c", _SERVE, str(home), database]
    with (home.parent / "server.log").open("ab") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert server.stdout is not None
        try:
            found = re.search(r"http://[^:]+:(\d+)", server.stdout.readline())
            assert found, (home.parent / "server.log").read_text()
            yield server, int(found.group(1))
        finally:
            server.kill()
            server.wait(timeout=30)
            server.stdout.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_acknowledged_span_is_there_after_kill_9(
    tmp_path: Path, database: str, request: pytest.FixtureRequest
) -> None:
    url = "" if database == "sqlite" else request.getfixturevalue("postgres").new_database()
    acknowledged: list[str] = []

    def export(port: int, number: int) -> None:
        # Until the server is gone.
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            for batch in range(10_000):
                trace = f"tr-{number * 10_000 + batch + 1:032x}"
                spans = [replace(a_span(n), trace=TraceId(trace)) for n in range(1, _SPANS + 1)]
                headers = {"Content-Type": "application/x-protobuf"}
                connection.request("POST", "/v1/traces", otlp(*spans), headers)
                answer = connection.getresponse()
                if answer.status == 200 and answer.read() == b"":
                    acknowledged.append(trace)

    with a_server(tmp_path / "home", url) as (server, port):
        threads = [threading.Thread(target=export, args=(port, n)) for n in range(_CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(3)
        server.send_signal(signal.SIGKILL)
        for thread in threads:
            thread.join(timeout=30)

    app = an_app(tmp_path / "home", database=url)
    found = [
        trace
        for start in range(0, len(acknowledged), 1000)
        for trace in app.call(GetTraces(traces=tuple(acknowledged[start : start + 1000])))
    ]
    app.close()
    assert len(acknowledged) > _CLIENTS
    assert len(found) == len(acknowledged)
    assert {trace.span_count for trace in found} == {_SPANS}
