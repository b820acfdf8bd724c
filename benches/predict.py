"""Predicting over HTTP, against bare Starlette with the same model in the same run.

Ours validates, splits, counts and logs every row, and the model runs in a process of its own; the baseline
does none of that. CPU is that of the whole process tree, per request.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from mainspring.app import open_app
from mainspring.blobs.trees import lay_out, read_manifest
from mainspring.config import Settings
from mainspring.testing.apps import TESTER
from mainspring.testing.serving import (
    a_declared_service,
    a_judged_version,
    a_predictor,
    promoted,
)

_FEATURES = 12
_ROUNDS = 5
_SECONDS = 1.5
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Measured:
    """One server under one kind of load, round by round."""

    rps: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print."""

    # Otherwise both spend most of their time in waking OpenMP's threads.
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="ms-bench-") as folder:
        estimator, inputs = _model()
        app = open_app(Settings(home=Path(folder) / "home"), actor=TESTER)
        a_declared_service(app)
        version = a_judged_version(app, estimator, inputs)
        promoted(app, version)
        lay_out(app.blobs, read_manifest(app.blobs, version.manifest), Path(folder) / "model")
        with (
            _bare(Path(folder) / "model") as (bare_port, bare_pid),
            a_predictor(app.settings.home) as predictor,
        ):
            predictor.wait_ready()
            ours, bare = (predictor.port, predictor.process.pid), (bare_port, bare_pid)
            for rows in (1, 100):
                body = _body(inputs.head(rows))
                for clients in (1, 32):
                    _compare(f"{rows:3} rows, {clients:2} connections", ours, bare, body, clients)
        app.close()


def _compare(
    what: str, ours: tuple[int, int], bare: tuple[int, int], body: bytes, clients: int
) -> None:
    results = (Measured(), Measured())
    for _ in range(_ROUNDS):
        for (port, pid), measured in zip((ours, bare), results, strict=True):
            _measure(port, pid, body, clients, measured)
    own, peer = results
    print(what)
    for name, values, better in (
        ("requests/s", (own.rps, peer.rps), "more"),
        ("CPU us/request", (own.cpu_us, peer.cpu_us), "less"),
        ("p99 ms", (own.p99_ms, peer.p99_ms), "less"),
    ):
        a, b = median(values[0]), median(values[1])
        print(
            f"  {name:15} mainspring {a:9.1f}   bare {b:9.1f}   ratio {a / b:5.2f}  ({better} is better)"
        )


def _measure(port: int, pid: int, body: bytes, clients: int, measured: Measured) -> None:
    before = _cpu_seconds(pid)
    latencies, seconds = asyncio.run(_load(port, body, clients))
    used = _cpu_seconds(pid) - before
    latencies.sort()
    measured.rps.append(len(latencies) / seconds)
    measured.cpu_us.append(used / len(latencies) * 1e6)
    measured.p99_ms.append(latencies[int(len(latencies) * 0.99) - 1] * 1e3)


async def _load(port: int, body: bytes, clients: int) -> tuple[list[float], float]:
    head = (
        f"POST /v2/models/demand/infer HTTP/1.1\r\nhost: localhost\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode()
    latencies: list[float] = []
    started = time.perf_counter()
    end = started + _SECONDS

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (now := time.perf_counter()) < end:
            writer.write(head + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise AssertionError(answer.decode())
            length = answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
            await reader.readexactly(int(length))
            latencies.append(time.perf_counter() - now)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return latencies, time.perf_counter() - started


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process and its living descendants."""
    total, pending = 0, [pid]
    while pending:
        one = pending.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
        for task in Path(f"/proc/{one}/task").iterdir():
            pending += map(int, (task / "children").read_text().split())
    return total / _TICKS


@contextmanager
def _bare(model: Path) -> Iterator[tuple[int, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = Path(__file__).with_name("_bare_predict.py")
    server = subprocess.Popen([sys.executable, str(script), str(model), str(port)])
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def _body(frame: Any) -> bytes:
    inputs = [
        {"name": name, "shape": [frame.height], "datatype": "FP64", "data": frame[name].to_list()}
        for name in frame.columns
    ]
    return json.dumps({"inputs": inputs}).encode()


def _model() -> tuple[Any, Any]:
    import numpy as np
    import polars as pl
    from sklearn.ensemble import HistGradientBoostingRegressor

    chance = np.random.default_rng(7)
    table = chance.normal(size=(2000, _FEATURES))
    inputs = pl.DataFrame({f"feature_{n}": table[:, n] for n in range(_FEATURES)})
    target = table[:, 0] * 3 + np.sin(table[:, 1]) + chance.normal(size=2000)
    return HistGradientBoostingRegressor(max_iter=100).fit(inputs, target), inputs


if __name__ == "__main__":
    main()
