"""The control server as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mainspring.api.address import Address, read_address, read_secrets, write_address
from mainspring.domain.actor import Role
from mainspring.governance.requests import IssueToken, ListAuditEntries, ListEvents, ListTokens
from mainspring.kernel.errors import Denied
from mainspring.sdk.embedded import connect
from mainspring.sdk.remote import RemoteClient

PROGRAM = (
    "from mainspring.config import load_settings\n"
    "from mainspring.server.control import run\n"
    "run(load_settings())\n"
)


def start(home: Path, **settings: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "MAINSPRING_HOME": str(home), "MAINSPRING_PORT": "0"}
    environment |= {f"MAINSPRING_{name.upper()}": value for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@contextmanager
def control(home: Path, **settings: str) -> Iterator[tuple[subprocess.Popen[str], Address]]:
    process = start(home, **settings)
    try:
        yield process, wait_for(home, process)
    finally:
        process.kill()
        process.communicate()


def wait_for(home: Path, process: subprocess.Popen[str]) -> Address:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        if (address := read_address(home)) and address.pid == process.pid:
            return address
        time.sleep(0.02)
    raise AssertionError(f"it did not come up: {process.communicate()[0]}")


def test_it_says_where_it_listens_and_ends_tidily(tmp_path: Path) -> None:
    with control(tmp_path) as (process, address):
        ready = httpx.get(f"{address.url}/health")
        metrics = httpx.get(f"{address.url}/metrics").text
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=20)[0]

    assert ready.json() == {"status": "ready"}
    assert (
        'mainspring_http_requests_total{method="GET",operation="/health",status="200"}' in metrics
    )
    assert "mainspring_build_info{version=" in metrics
    assert address.url in output
    assert process.returncode == 0
    assert read_address(tmp_path) is None


def test_an_open_stream_and_a_slow_request_do_not_hold_up_its_end(tmp_path: Path) -> None:
    with (
        control(tmp_path) as (process, address),
        httpx.stream("GET", f"{address.url}/api/v1/events/stream") as response,
    ):
        lines = response.iter_lines()
        next(lines)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        list(lines)
        process.communicate(timeout=20)

    assert process.returncode == 0
    assert time.monotonic() - began < 8


def test_a_port_in_use_is_said_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = start(tmp_path / "home", port=port)
        output = process.communicate(timeout=30)[0]

    assert process.returncode != 0
    assert f"port {port} on 127.0.0.1 is in use" in output
    assert not (tmp_path / "home").exists()


def test_open_to_others_it_makes_one_first_token(tmp_path: Path) -> None:
    with control(tmp_path, host="0.0.0.0") as (process, address):
        with RemoteClient(address.url) as stranger, pytest.raises(Denied) as caught:
            stranger.call(ListEvents())
        secret = (tmp_path / "run" / "first-token").read_text().strip()
        with RemoteClient(address.url, secret) as administrator:
            (token,) = administrator.call(ListTokens())
        process.send_signal(signal.SIGTERM)
        output = process.communicate(timeout=20)[0]
    with control(tmp_path, host="0.0.0.0") as (process, _):
        process.send_signal(signal.SIGTERM)
        again = process.communicate(timeout=20)[0]

    assert caught.value.code == "no_token"
    assert token.role is Role.ADMIN
    assert secret in output
    assert secret not in again
    assert (tmp_path / "run" / "first-token").stat().st_mode & 0o077 == 0


def test_killed_at_once_it_loses_nothing_acknowledged_and_comes_up_again(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with control(tmp_path) as (process, address):
        secrets = read_secrets(tmp_path)
        assert secrets is not None
        with RemoteClient(address.url, secrets.user) as client:

            def write() -> None:
                try:
                    for number in range(10_000):
                        made = client.call(IssueToken(name=str(number), role=Role.VIEWER))
                        acknowledged.append(made.token.id)
                except Exception:
                    return  # it was killed

            thread = threading.Thread(target=write)
            thread.start()
            while len(acknowledged) < 20:
                time.sleep(0.01)
            process.kill()
            thread.join()
    left_behind = (tmp_path / "run" / "control.json").exists()
    with control(tmp_path), connect(tmp_path) as home:
        kept = {token.id for token in home.call(ListTokens())}
        entries = home.call(ListAuditEntries(limit=1)).items[0].seq
        verdict = home.call_name("audit.verify")

    assert left_behind
    assert set(acknowledged) <= kept
    assert entries == len(kept)
    assert verdict.intact


def test_it_loads_nothing_heavy_and_little_memory(tmp_path: Path) -> None:
    with control(tmp_path) as (process, address):
        for _ in range(20):
            httpx.get(f"{address.url}/api/v1/services")
        maps = Path(f"/proc/{process.pid}/maps").read_text()
        status = Path(f"/proc/{process.pid}/status").read_text()

    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    for heavy in ("polars", "sklearn", "scipy", "pandas"):
        assert f"/{heavy}/" not in maps
    assert int(resident.split()[1]) < 100_000


def test_an_address_left_behind_is_not_believed(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    gone = subprocess.Popen(["true"])
    gone.wait()
    write_address(tmp_path, Address(url="http://x", pid=gone.pid, started_at=datetime.now(UTC)))

    assert read_address(tmp_path) is None
