"""Two runs that want the same result compute it once."""

import threading
import time

from mainspring.domain.pipeline import PipelineRunState
from mainspring.testing.flows import Flow

SLOW = """
@ms.step
def slow(x: int) -> int:
    mark("slow")
    until = time.monotonic() + 20
    while not (MARKS / "go").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return x * 10

@ms.step
def note(x: int) -> int:
    return x + 1

@ms.pipeline
def flow(x: int = 1):
    return note(slow(x))
"""


def wait_for_attempts(flow: Flow, count: int) -> None:
    until = time.monotonic() + 20
    while flow.count("slow") < count:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_the_second_run_takes_the_result_of_the_first(flow: Flow) -> None:
    flow.write(SLOW)
    runs = [flow.request(), flow.request()]
    workers = [flow.worker(cpus=2) for _ in runs]
    threads = [
        threading.Thread(target=worker.run, args=(run.id,))
        for worker, run in zip(workers, runs, strict=True)
    ]
    for thread in threads:
        thread.start()
    wait_for_attempts(flow, 1)
    time.sleep(0.5)  # the other has asked by now, and again
    (flow.marks / "go").touch()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.close()

    assert flow.count("slow") == 1
    states = sorted(flow.states(run)["slow"][0] for run in runs)
    assert states == ["cached", "succeeded"]


def test_equal_items_of_a_map_are_computed_once(flow: Flow) -> None:
    flow.write(SLOW.replace("note(slow(x))", "slow.map([1, 1, 2])"))
    (flow.marks / "go").touch()

    run = flow.run()

    assert run.state is PipelineRunState.SUCCEEDED
    assert flow.count("slow") == 2
    assert flow.states(run)["slow[1]"] == ["cached"]


def test_a_run_whose_worker_is_gone_holds_nobody_up(flow: Flow) -> None:
    flow.write(SLOW)
    first, second = flow.request(), flow.request()
    dead = flow.worker(lease_seconds=1.0)
    thread = threading.Thread(target=dead.run, args=(first.id,))
    thread.start()
    wait_for_attempts(flow, 1)
    dead.stop()
    thread.join()
    dead.close()
    (flow.marks / "go").touch()

    worker = flow.worker()
    run = worker.run(second.id)
    worker.close()

    assert run.state is PipelineRunState.SUCCEEDED
    assert flow.states(run)["slow"] == ["succeeded"]
