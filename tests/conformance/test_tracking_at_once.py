"""Many that log at once: nothing is lost, and nobody is turned away."""

import threading
from collections.abc import Callable

from mainspring.app import App
from mainspring.domain.run import Metric
from mainspring.kernel.errors import Conflict
from mainspring.tracking.requests import CreateRun, GetMetricHistory, GetRun, LogBatch


def at_once(count: int, work: Callable[[int], None]) -> list[Exception]:
    failures: list[Exception] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_thirty_two_writers_of_one_run_lose_nothing(any_app: App) -> None:
    run = any_app.call(CreateRun(experiment="0")).id

    def log(number: int) -> None:
        for step in range(5):
            metrics = tuple(
                Metric(key=f"k{key}", value=float(number), step=step, timestamp_ms=number)
                for key in range(10)
            )
            any_app.call(LogBatch(run=run, metrics=metrics, tags={f"t{number}": str(step)}))

    assert at_once(32, log) == []

    found = any_app.call(GetRun(run=run))
    assert {m.key: (m.step, m.value) for m in found.metrics} == {
        f"k{key}": (4, 31.0) for key in range(10)
    }
    assert len(any_app.call(GetMetricHistory(run=run, key="k3")).items) == 160
    assert [found.tags[f"t{number}"] for number in range(32)] == ["4"] * 32


def test_of_two_values_of_a_parameter_just_one_is_taken(any_app: App) -> None:
    run = any_app.call(CreateRun(experiment="0")).id

    failures = at_once(8, lambda n: any_app.call(LogBatch(run=run, params={"depth": str(n)})))

    assert len(failures) == 7
    assert all(isinstance(error, Conflict) for error in failures)


def test_eight_that_begin_runs_at_once_share_the_default_experiment(any_app: App) -> None:
    assert at_once(8, lambda _: any_app.call(CreateRun(experiment="0")) and None) == []
