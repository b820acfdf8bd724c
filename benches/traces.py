"""Traces, against a real `mlflow server` on the same machine, in the same run, with the same bytes.

Exports of 512 spans (64 traces of 8, seven attributes a span) go to `/v1/traces` of both; then the traces that
both hold are searched and read. The peer is found in `.venv-mlflow`, or where the variable MLFLOW says.
"""

import contextlib
import json
import secrets
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from benches._trackers import Tracker, mainspring, mlflow
from mainspring.domain.trace import Span, TraceId
from mainspring.testing.spans import a_span, otlp

_TRACES, _SPANS, _EXPORTS = 64, 8, 16
_SECONDS = 6.0
_PATIENCE_SECONDS = 8.0
_CLIENTS = (1, 8)
_LOCATION = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}
_FILTERS = {
    "newest 100": "",
    "status and time": "status = 'OK' AND execution_time > 5",
    "span type and name": "span.type = 'LLM' AND span.name = 'span 3'",
    "attribute of a span": "span.attributes.model LIKE '%large%'",
    "text of a span": "trace.text LIKE '%nothing like that%'",
}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="ms-bench-") as folder:
        _compare(Path(folder))


def _compare(folder: Path) -> None:
    with mainspring(folder / "own") as own, mlflow(folder) as peer:
        for tracker in (own, peer):
            _fill(tracker, exports=_EXPORTS)
        for name, text in _FILTERS.items():
            ours, theirs = (_search(each, text) for each in (own, peer))
            _told(f"search: {name}", 1 / ours, 1 / theirs, f"{ours * 1e3:.1f} ms")
        ours, theirs = (_read(each) for each in (own, peer))
        _told("read 50 traces whole", 1 / ours, 1 / theirs, f"{ours * 1e3:.1f} ms")
        for clients in _CLIENTS:
            (ours, failed), (theirs, lost) = (_ingest(each, clients) for each in (own, peer))
            shown = f"{ours:,.0f}" + (f" ({failed} exports failed)" if failed else "")
            _told(f"spans/s, {clients} clients", ours, theirs, shown)
            if lost:
                print(f"    the peer refused {lost} exports of {_TRACES * _SPANS} spans")


def _export() -> bytes:
    spans: list[Span] = []
    for _ in range(_TRACES):
        trace = TraceId("tr-" + secrets.token_hex(16))
        for number in range(1, _SPANS + 1):
            span = a_span(
                number,
                parent=None if number == 1 else 1,
                **{
                    "mlflow.spanType": "LLM" if number % 2 else "TOOL",
                    "mlflow.spanInputs": {"question": "what is there to know? " * 8},
                    "mlflow.spanOutputs": "there is a lot to know. " * 10,
                    "model": "small" if number % 3 else "large",
                    "temperature": 0.5,
                    "tokens": number,
                    "stop": ["a", "b"],
                },
            )
            spans.append(replace(span, trace=trace))
    return otlp(*spans, resource={"service.name": "bench"})


def _send(connection: Any, body: bytes) -> bool:
    """False if the server would not take it now, or took only a part."""
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": "0"}
    connection.request("POST", "/v1/traces", body, headers)
    response = connection.getresponse()
    content = response.read()
    return response.status == 200 and not content


def _ingest(tracker: Tracker, clients: int) -> tuple[float, int]:
    """Spans that were acknowledged in a second, and exports that were not taken."""
    exports = [[_export() for _ in range(60 // clients + 2)] for _ in range(clients)]
    counts, failures = [0] * clients, [0] * clients
    stop = time.perf_counter() + _SECONDS

    def client(number: int) -> None:
        with contextlib.closing(tracker.connect()) as connection:
            for body in exports[number]:
                if time.perf_counter() > stop:
                    return
                if _send(connection, body):
                    counts[number] += _TRACES * _SPANS
                else:
                    failures[number] += 1

    began = time.perf_counter()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began), sum(failures)


def _fill(tracker: Tracker, exports: int) -> None:
    for _ in range(exports):
        body = _export()
        # A connection for each: on a busy machine an idle one is closed before the next export is made.
        with contextlib.closing(tracker.connect()) as connection:
            if not _send(connection, body):
                raise RuntimeError(f"{tracker.name} did not take an export")


def _search(tracker: Tracker, text: str) -> float:
    """Seconds for one page of 100."""
    body = {"locations": [_LOCATION], "filter": text, "max_results": 100}
    return _seconds(lambda: _ask(tracker, "POST", "/api/3.0/mlflow/traces/search", body))


def _read(tracker: Tracker) -> float:
    """Seconds for fifty traces with their spans."""
    body = {"locations": [_LOCATION], "max_results": 50}
    found = _ask(tracker, "POST", "/api/3.0/mlflow/traces/search", body)["traces"]
    query = "&".join(f"trace_ids={trace['trace_id']}" for trace in found)
    return _seconds(lambda: _ask(tracker, "GET", f"/api/3.0/mlflow/traces/batchGet?{query}", None))


def _ask(tracker: Tracker, method: str, path: str, body: object) -> Any:
    with contextlib.closing(tracker.connect()) as connection:
        sent = json.dumps(body) if body is not None else None
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{tracker.name}: {response.status} {content[:300]!r}")
        return json.loads(content)


def _seconds(work: Callable[[], object]) -> float:
    """The median of five, or of fewer where one takes long."""
    taken: list[float] = []
    while len(taken) < 5 and sum(taken) < _PATIENCE_SECONDS:
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)


def _told(what: str, ours: float, theirs: float, shown: str) -> None:
    print(f"  {what:32} {shown:>10}   {ours / theirs:6.1f} times the peer's speed", flush=True)


if __name__ == "__main__":
    main()
