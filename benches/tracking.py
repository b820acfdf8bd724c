"""Tracking, against a real `mlflow server` on the same machine, in the same run, with the same client.

Each row is measured on both and printed as a ratio. The peer is found in `.venv-mlflow`, or where the variable
MLFLOW says. Names of rows as arguments measure only those: `python -m benches.tracking log search`.
"""

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benches._trackers import (
    Tracker,
    answer_of,
    fill_mainspring,
    fill_mlflow,
    mainspring,
    mlflow,
)

_METRICS = 100
_SECONDS = 6.0
_POINTS = 100_000
_ARTIFACT_BYTES = 200 << 20


def main() -> None:
    """Measure and print."""
    rows: dict[str, Callable[[Path], None]] = {
        "start": _start,
        "log": _log,
        "history": _history,
        "artifact": _artifact,
        "search": _search,
        "search_large": _search_large,
    }
    wanted = [name for name in sys.argv[1:] if name in rows] or list(rows)
    for name in wanted:
        with tempfile.TemporaryDirectory(prefix="ms-bench-") as folder:
            rows[name](Path(folder))


def _start(folder: Path) -> None:
    """From nothing to the first answer, and the memory of a server that nobody asks anything."""
    for database in ("fresh", "existing"):
        with mainspring(folder / "own") as own:
            time.sleep(3)
            ours = own.started_in_seconds, own.memory_mib()
        with mlflow(folder) as peer:
            time.sleep(3)
            theirs = peer.started_in_seconds, peer.memory_mib()
        _told(f"start to first answer, {database} store", "s", ours[0], theirs[0], less=True)
    _told("memory at rest, default start", "MiB", ours[1], theirs[1], less=True)


def _log(folder: Path) -> None:
    """Batches of 100 metrics from many clients at once, each into a run of its own."""
    for clients in (1, 8, 32):
        with mainspring(folder / f"own{clients}") as own:
            ours = _batches(own, clients)
        peer_folder = folder / f"peer{clients}"
        peer_folder.mkdir()
        with mlflow(peer_folder, workers="1") as peer:
            theirs = _batches(peer, clients)
        _told(f"log-batch of 100, {clients:2} clients", "metrics/s", ours[0], theirs[0])
        print(f"    failed: mainspring {ours[1]}, mlflow {theirs[1]}")


def _batches(tracker: Tracker, clients: int) -> tuple[float, int]:
    """Metrics a second, and how many requests failed."""
    runs = [_new_run(tracker) for _ in range(clients)]
    counts, failures = [0] * clients, [0] * clients
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
    return sum(counts) * _METRICS / (time.perf_counter() - began), sum(failures)


def _batch(run: str, step: int) -> bytes:
    at = 1_767_225_600_000 + step
    metrics = ",".join(
        f'{{"key":"m{key}","value":{step + key / 7},"timestamp":{at},"step":{step}}}'
        for key in range(_METRICS)
    )
    return f'{{"run_id":"{run}","metrics":[{metrics}]}}'.encode()


def _history(folder: Path) -> None:
    """All points of one metric, page by page as the client asks for them."""
    with mainspring(folder / "own") as own, mlflow(folder, workers="1") as peer:
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


def _artifact(folder: Path) -> None:
    """A large file up and down through the server."""
    content = bytes(1 << 20)
    with mainspring(folder / "own") as own, mlflow(folder, workers="1") as peer:
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


_SEARCHES = {
    "metric filter + metric order": ("metrics.m1 > 0.5", ["metrics.m2 DESC"]),
    "metric filter + order by it": ("metrics.m1 > 0.5", ["metrics.m1 ASC"]),
    "param and metric filter": ("params.p3 = '1' AND metrics.m1 < 0.2", []),
    "rare metric filter": ("metrics.m1 < 0.001", []),
    "no filter": ("", []),
}


def _search(folder: Path) -> None:
    """10,000 runs of 20 parameters and 20 metrics; 100 rows a page."""
    with mlflow(folder, workers="1"):
        pass
    fill_mlflow(folder, runs=10_000, params=20, metrics=20)
    fill_mainspring(folder / "own", runs=10_000, params=20, metrics=20)
    with mainspring(folder / "own") as own, mlflow(folder, workers="1") as peer:
        for what, (filter_, order) in _SEARCHES.items():
            body = {"experiment_ids": ["0"], "filter": filter_, "order_by": order}
            body["max_results"] = 100
            found, seconds = [], []
            for tracker in (own, peer):
                page = tracker.call("POST", "/runs/search", body)
                found.append([run["info"]["run_id"] for run in page.get("runs", [])])
                seconds.append(
                    median(
                        _timed(lambda t=tracker, b=body: t.call("POST", "/runs/search", b))  # type: ignore[misc]
                        for _ in range(7)
                    )
                )
            assert found[0] == found[1], what
            _told(f"search 10,000 runs: {what}", "s", *seconds, less=True)


def _search_large(folder: Path) -> None:
    """100,000 runs of 100 metrics: the first page and the 500th, in milliseconds of our server."""
    fill_mainspring(folder / "own", runs=100_000, params=5, metrics=100)
    with mainspring(folder / "own") as own:
        for what, (filter_, order) in _SEARCHES.items():
            body = {"experiment_ids": ["0"], "filter": filter_, "order_by": order}
            body["max_results"] = 100
            first = [_timed(lambda b=body: own.call("POST", "/runs/search", b)) for _ in range(7)]  # type: ignore[misc]
            print(
                f"  search 100,000 runs x 100: {what:30} first page {median(first) * 1e3:6.1f} ms",
                end="",
            )
            page, pages = own.call("POST", "/runs/search", body), 1
            while pages < 499 and "next_page_token" in page:
                page = own.call(
                    "POST", "/runs/search", body | {"page_token": page["next_page_token"]}
                )
                pages += 1
            if "next_page_token" not in page:
                print(f"   ({pages} pages in all)")
                continue
            last = body | {"page_token": page["next_page_token"]}
            deep = [_timed(lambda b=last: own.call("POST", "/runs/search", b)) for _ in range(7)]  # type: ignore[misc]
            print(f"   page 500 {median(deep) * 1e3:6.1f} ms")


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
