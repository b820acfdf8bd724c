"""What a step costs besides its own work, against a bare Python process that does nothing.

Each step runs in a process of its own, takes and returns an integer, and leaves a journal entry, a cache
entry, an event and an audit entry. Figures are slopes between a short and a long chain, so that what a run
costs as a whole (the fork server, laying the code out) is left out; that is shown by itself.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from mainspring.app import open_app
from mainspring.config import Settings
from mainspring.pipelines.engine import Worker
from mainspring.pipelines.local import request_pipeline

_SHORT, _LONG = 5, 45
_ROUNDS = 3
_FLOW = """
import mainspring as ms

@ms.step
def nothing(x: int, salt: str) -> int:
    return x + 1

@ms.pipeline
def flow(salt: str):
    x = nothing(0, salt)
    for _ in range({count} - 1):
        x = nothing(x, salt)
    return x
"""

Cost = tuple[float, float]
"""Wall and CPU seconds."""


def main() -> None:
    """Measure and print."""
    bare, steps, cached, runs = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="ms-bench-") as folder:
        bench = _Bench(Path(folder))
        bench.run(_SHORT, "warm")
        for number in range(_ROUNDS):
            bare.append(_timed_process())
            short, long = (bench.run(count, f"{number}") for count in (_SHORT, _LONG))
            again = [bench.run(count, f"{number}") for count in (_SHORT, _LONG)]
            steps.append(_slope(short, long))
            cached.append(_slope(again[0], again[1]))
            runs.append(_rest(short, steps[-1]))
        bench.close()
    print(f"chains of {_SHORT} and {_LONG} steps, {_ROUNDS} rounds, medians:")
    process = _median(bare)
    for name, each in (
        ("bare `python -c pass`", process),
        ("a step", _median(steps)),
        ("a cached step", _median(cached)),
        ("a run, besides its steps", _median(runs)),
    ):
        ratios = f"{each[0] / process[0]:6.2f} {each[1] / process[1]:6.2f}"
        print(
            f"  {name:26} wall {each[0] * 1e3:7.1f} ms  CPU {each[1] * 1e3:7.1f} ms   ratio {ratios}"
        )


class _Bench:
    def __init__(self, folder: Path) -> None:
        self._app = open_app(Settings(home=folder / "home"))
        self._project = folder / "project"
        self._project.mkdir()
        self._worker = Worker(self._app.call, self._app.blobs, self._app.settings)

    def run(self, count: int, salt: str) -> Cost:
        """The cost of a chain; a salt that was used before finds its results in the cache."""
        (self._project / "flow.py").write_text(_FLOW.format(count=count))
        run = request_pipeline(
            self._app.call,
            self._app.blobs,
            self._app.settings,
            "flow:flow",
            project=self._project,
            # Chains of different lengths share their first steps, which must not be found either.
            params={"salt": f"{salt}-{count}"},
        )
        began = _now()
        ended = self._worker.run(run.id)
        assert ended.error is None, ended.error
        return _since(began)

    def close(self) -> None:
        self._worker.close()
        self._app.close()


def _timed_process() -> Cost:
    began = _now()
    for _ in range(10):
        subprocess.run([sys.executable, "-c", "pass"], check=True)
    wall, cpu = _since(began)
    return wall / 10, cpu / 10


def _now() -> Cost:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in used)


def _since(began: Cost) -> Cost:
    now = _now()
    return now[0] - began[0], now[1] - began[1]


def _slope(short: Cost, long: Cost) -> Cost:
    steps = _LONG - _SHORT
    return (long[0] - short[0]) / steps, (long[1] - short[1]) / steps


def _rest(short: Cost, step: Cost) -> Cost:
    return short[0] - _SHORT * step[0], short[1] - _SHORT * step[1]


def _median(costs: list[Cost]) -> Cost:
    return median(wall for wall, _ in costs), median(cpu for _, cpu in costs)


if __name__ == "__main__":
    main()
