"""Tracking, against a real `mlflow server` on the same machine, in the same run, with the same client.

Each row is measured on both and printed as a ratio. The peer is found in `.venv-mlflow`, or where the variable
MLFLOW says. Names of rows as arguments measure only those: `python -m benches.tracking log search`. Both sides
keep their rows in SQLite, or with `--postgresql` each in a database of one PostgreSQL server.
"""

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benches import _searches
from benches._trackers import Database, Tracker, answer_of, mainspring, mlflow, postgresql

_METRICS = 100
_SECONDS = 6.0
_POINTS = 100_000
_ARTIFACT_BYTES = 200 << 20


NewDatabase = Callable[[], Database] | None


def main() -> None:
    """Measure and print."""
    rows: dict[str, Callable[[Path, NewDatabase], None]] = {
        "start": _start,
        "log": _log,
        "history": _history,
        "artifact": _artifact,
        "search": _searches.beside_peer,
        "search_large": _searches.alone,
    }
    wanted = [name for name in sys.argv[1:] if name in rows] or list(rows)
    with contextlib.ExitStack() as stack:
        is_postgresql = "--postgresql" in sys.argv
        database = stack.enter_context(postgresql()) if is_postgresql else None
        for name in wanted:
            with tempfile.TemporaryDirectory(prefix="ms-bench-") as folder:
                rows[name](Path(folder), database)


def _start(folder: Path, database: NewDatabase) -> None:
    """From nothing to the first answer, and the memory of a server that nobody asks anything."""
    own_database, peer_database = _two(database)
    for store in ("fresh", "existing"):
        with mainspring(folder / "own", database=own_database) as own:
            time.sleep(3)
            ours = own.started_in_seconds, own.memory_mib()
        with mlflow(folder, database=peer_database) as peer:
            time.sleep(3)
            theirs = peer.started_in_seconds, peer.memory_mib()
        _told(f"start to first answer, {store} store", "s", ours[0], theirs[0], less=True)
    _told("memory at rest, default start", "MiB", ours[1], theirs[1], less=True)


def _log(folder: Path, database: NewDatabase) -> None:
    """Batches of 100 metrics from many clients at once, each into a run of its own."""
    for clients in (1, 8, 32):
        own_database, peer_database = _two(database)
        with mainspring(folder / f"own{clients}", database=own_database) as own:
            ours = _batches(own, clients)
        peer_folder = folder / f"peer{clients}"
        peer_folder.mkdir()
        with mlflow(peer_folder, database=peer_database, workers="1") as peer:
            theirs = _batches(peer, clients)
        _told(f"log-batch of 100, {clients:2} clients", "metrics/s", ours[0], theirs[0])
        print(
            f"    CPU of a batch: mainspring {ours[2] * 1e3:.2f}, mlflow {theirs[2] * 1e3:.2f} ms; "
            f"failed: mainspring {ours[1]}, mlflow {theirs[1]}",
            flush=True,
        )


def _two(database: NewDatabase) -> tuple[Database | None, Database | None]:
    return (database(), database()) if database else (None, None)


def _batches(tracker: Tracker, clients: int) -> tuple[float, int, float]:
    """Metrics a second, how many requests failed, and the CPU seconds of one that didn't."""
    runs = [_new_run(tracker) for _ in range(clients)]
    counts, failures = [0] * clients, [0] * clients
    used_before = tracker.cpu_seconds()
    ends = time.perf_counter() + _SECONDS

    def work(number: int) -> None:
        with contextlib.closing(tracker.connect()) as connection:
            step = 0
            while time.perf_counter() < ends:
                try:
                    answer_of(connection, "POST", "/runs/log-batch", _batch(runs[number], step))
                    counts[number] += 1
                except (RuntimeError, OSError):
                    failures[number] += 1
                step += 1

    began = time.perf_counter()
    _together(clients, work)
    rate = sum(counts) * _METRICS / (time.perf_counter() - began)
    used = (tracker.cpu_seconds() - used_before) / max(1, sum(counts))
    return rate, sum(failures), used


def _batch(run: str, step: int) -> bytes:
    at = 1_767_225_600_000 + step
    metrics = ",".join(
        f'{{"key":"m{key}","value":{step + key / 7},"timestamp":{at},"step":{step}}}'
        for key in range(_METRICS)
    )
    return f'{{"run_id":"{run}","metrics":[{metrics}]}}'.encode()


def _history(folder: Path, database: NewDatabase) -> None:
    """All points of one metric, page by page as the client asks for them."""
    own_database, peer_database = _two(database)
    with (
        mainspring(folder / "own", database=own_database) as own,
        mlflow(folder, database=peer_database, workers="1") as peer,
    ):
        seconds = []
        for tracker in (own, peer):
            run = _new_run(tracker)
            for start in range(0, _POINTS, 1000):
                points = [
                    {"key": "m", "value": s / 3, "timestamp": s, "step": s}
                    for s in range(start, start + 1000)
                ]
                tracker.call("POST", "/runs/log-batch", {"run_id": run, "metrics": points})
            seconds.append(median(_timed(lambda t=tracker, r=run: _read(t, r)) for _ in range(3)))  # type: ignore[misc]
    _told(f"history of {_POINTS:,} points", "s", *seconds, less=True)


def _read(tracker: Tracker, run: str) -> None:
    token, count = "", 0
    while token is not None:
        page = tracker.call(
            "GET",
            f"/metrics/get-history?run_id={run}&metric_key=m&max_results=25000&page_token={token}",
        )
        count += len(page["metrics"])
        token = page.get("next_page_token")
    assert count == _POINTS, count


def _artifact(folder: Path, database: NewDatabase) -> None:
    """A large file up and down through the server."""
    content = bytes(1 << 20)
    own_database, peer_database = _two(database)
    with (
        mainspring(folder / "own", database=own_database) as own,
        mlflow(folder, database=peer_database, workers="1") as peer,
    ):
        up, down, memory = [], [], []
        for tracker in (own, peer):
            run = tracker.call("POST", "/runs/create", {"experiment_id": "0"})["run"]["info"]
            path = run["artifact_uri"].removeprefix("mlflow-artifacts:").strip("/") + "/big.bin"
            before = tracker.memory_mib()
            up.append(_timed(lambda t=tracker, p=path: _upload(t, p, content)))  # type: ignore[misc]
            down.append(_timed(lambda t=tracker, p=path: _download(t, p)))  # type: ignore[misc]
            memory.append(tracker.memory_mib() - before)
    _told("200 MB artifact up", "s", *up, less=True)
    _told("200 MB artifact down", "s", *down, less=True)
    print(f"    memory gained: mainspring {memory[0]:.0f} MiB, mlflow {memory[1]:.0f} MiB")


def _upload(tracker: Tracker, path: str, content: bytes) -> None:
    with contextlib.closing(tracker.connect()) as connection:
        connection.request(
            "PUT",
            f"/api/2.0/mlflow-artifacts/artifacts/{path}",
            iter([content] * (_ARTIFACT_BYTES // len(content))),
            {"Content-Length": str(_ARTIFACT_BYTES), "Content-Type": "application/octet-stream"},
        )
        response = connection.getresponse()
        assert response.status == 200, response.read()
        response.read()


def _download(tracker: Tracker, path: str) -> None:
    with contextlib.closing(tracker.connect()) as connection:
        connection.request("GET", f"/api/2.0/mlflow-artifacts/artifacts/{path}")
        response, count = connection.getresponse(), 0
        while part := response.read(1 << 20):
            count += len(part)
        assert count == _ARTIFACT_BYTES, count


def _new_run(tracker: Tracker) -> str:
    created = tracker.call("POST", "/runs/create", {"experiment_id": "0"})
    run: str = created["run"]["info"]["run_id"]
    return run


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _together(count: int, work: Callable[[int], None]) -> None:
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _told(what: str, unit: str, ours: float, theirs: float, *, less: bool = False) -> None:
    ratio = theirs / ours if less else ours / theirs if theirs else float("inf")
    print(
        f"  {what:45} mainspring {ours:10.3f}   mlflow {theirs:10.3f} {unit:9}   {ratio:6.1f} times better",
        flush=True,
    )


if __name__ == "__main__":
    main()
