"""Searches over many runs: beside the peer at 10,000 runs, alone at 100,000, where the peer takes minutes.

A search's time is from the first byte sent to the last byte read on a connection that stays open, without
decoding: what the server takes, and a little more. CPU is that of the server and its database together, which other
work on the machine changes less.
"""

import contextlib
import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benches._fill import fill_mainspring, fill_mlflow
from benches._trackers import Database, Tracker, mainspring, mlflow

_ROWS = 100
_PAGES = 500
_LEAST_SECONDS = 1.5
_SEARCHES: dict[str, dict[str, Any]] = {
    "metric filter, another metric's order": {
        "filter": "metrics.m1 > 0.3",
        "order_by": ["metrics.m2 DESC"],
    },
    "metric filter, its own order": {"filter": "metrics.m1 > 0.3", "order_by": ["metrics.m1 ASC"]},
    "parameter and metric filter": {"filter": "params.p3 = '1' AND metrics.m1 < 0.2"},
    "a metric that few runs have so low": {"filter": "metrics.m1 < 0.001"},
    "no filter": {},
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one search takes: wall seconds (median), CPU seconds (mean), and the answer."""

    seconds: float
    cpu_seconds: float
    answer: Any


def beside_peer(folder: Path, database: Callable[[], Database] | None) -> None:
    """10,000 runs of 20 parameters and 20 metrics; 100 rows a page; both find the same runs."""
    size = {"runs": 10_000, "params": 20, "metrics": 20}
    own_database = database() if database else None
    peer_database = database() if database else None
    with mlflow(folder, database=peer_database, workers="1"):
        pass  # makes its tables
    _loaded(fill_mlflow, folder, peer_database, size)
    _loaded(fill_mainspring, folder / "own", own_database, size)
    with (
        mainspring(folder / "own", database=own_database) as own,
        mlflow(folder, database=peer_database, workers="1") as peer,
    ):
        for what, body in _SEARCHES.items():
            costs = [_cost(tracker, _body(body)) for tracker in (own, peer)]
            found = [[run["info"]["run_id"] for run in c.answer.get("runs", [])] for c in costs]
            assert found[0] == found[1], what
            _told(what, *costs)


def alone(folder: Path, database: Callable[[], Database] | None) -> None:
    """100,000 runs of 100 metrics: the first page, and each up to the 500th."""
    own_database = database() if database else None
    _loaded(
        fill_mainspring,
        folder / "own",
        own_database,
        {"runs": 100_000, "params": 5, "metrics": 100},
    )
    with mainspring(folder / "own", database=own_database) as own:
        for what, body in _SEARCHES.items():
            first = _cost(own, _body(body))
            print(f"  100,000 runs: {what:40} first page {_told_one(first)}", flush=True)
            walked = list(_pages(own, _body(body)))
            _, token = walked[-1]
            if len(walked) < _PAGES:
                print(f"    the last is page {len(walked)}", flush=True)
                continue
            times = [seconds for seconds, _ in walked]
            deep = _cost(own, _body(body) | {"page_token": token})
            print(
                f"    page {_PAGES} {_told_one(deep)}; all {_PAGES}: median {median(times) * 1e3:.1f}, "
                f"slowest {max(times) * 1e3:.1f} ms",
                flush=True,
            )


def _loaded(
    fill: Callable[..., None], folder: Path, database: Database | None, size: dict[str, int]
) -> None:
    began = time.perf_counter()
    fill(folder, database=database.url if database else "", **size)
    print(
        f"  {size['runs']:,} runs of {size['params']} parameters and {size['metrics']} metrics "
        f"written into the tables ({fill.__name__}) in {time.perf_counter() - began:.0f} s",
        flush=True,
    )


def _body(search: dict[str, Any]) -> dict[str, Any]:
    return {"experiment_ids": ["0"], "max_results": _ROWS, **search}


def _cost(tracker: Tracker, body: dict[str, Any]) -> Cost:
    """Asked once to warm up, then at least 7 times and for a second and a half."""
    with contextlib.closing(tracker.connect()) as connection:
        _, answer = _asked(connection, body)
        times: list[float] = []
        before = tracker.cpu_seconds()
        while len(times) < 7 or sum(times) < _LEAST_SECONDS:
            seconds, _ = _asked(connection, body)
            times.append(seconds)
        used = (tracker.cpu_seconds() - before) / len(times)
    return Cost(median(times), used, json.loads(answer))


def _pages(tracker: Tracker, body: dict[str, Any]) -> Iterator[tuple[float, str]]:
    """The time of each page up to the last wanted, and the token that it was asked for by."""
    with contextlib.closing(tracker.connect()) as connection:
        token = ""
        for _ in range(_PAGES):
            seconds, answer = _asked(connection, body | ({"page_token": token} if token else {}))
            yield seconds, token
            token = json.loads(answer).get("next_page_token", "")
            if not token:
                return


def _asked(connection: http.client.HTTPConnection, body: dict[str, Any]) -> tuple[float, bytes]:
    sent = json.dumps(body).encode()
    began = time.perf_counter()
    connection.request(
        "POST", "/api/2.0/mlflow/runs/search", sent, {"Content-Type": "application/json"}
    )
    response = connection.getresponse()
    answer = response.read()
    seconds = time.perf_counter() - began
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {answer[:300]!r}")
    return seconds, answer


def _told(what: str, ours: Cost, theirs: Cost) -> None:
    print(
        f"  10,000 runs: {what:40} mainspring {_told_one(ours)}   mlflow {_told_one(theirs)}   "
        f"{theirs.seconds / ours.seconds:.1f}x quicker, {theirs.cpu_seconds / ours.cpu_seconds:.1f}x less CPU",
        flush=True,
    )


def _told_one(cost: Cost) -> str:
    return f"{cost.seconds * 1e3:6.1f} ms ({cost.cpu_seconds * 1e3:.1f} CPU)"
