"""What a step knows of its run."""

import signal

import mainspring as ms
from mainspring.pipelines.requests import ReadLogs
from mainspring.testing.flows import Flow


def test_an_attempt_finds_what_the_one_before_left(flow: Flow) -> None:
    flow.write(
        f"""
@ms.step
def count() -> int:
    kept = ms.current_step().checkpoint / "count"
    seen = int(kept.read_text()) if kept.exists() else 0
    kept.write_text(str(seen + 1))
    if seen < 2:
        os.kill(os.getpid(), {int(signal.SIGKILL)})
    return seen

@ms.pipeline
def flow():
    return count()
"""
    )

    run = flow.run()

    assert flow.value(run) == 2
    assert not (flow.app.settings.work_path / "checkpoints" / run.id).exists()


def test_the_idempotency_key_is_the_same_for_every_attempt_and_no_other(flow: Flow) -> None:
    flow.write(
        """
@ms.step(retries=1, retry_delay=0, cache=False)
def pay(amount: int) -> str:
    step = ms.current_step()
    with (MARKS / f"keys-{amount}").open("a") as f:
        f.write(step.idempotency_key + "\\n")
    if step.attempt == 1:
        raise OSError("no answer")
    return f"{step.run} {step.node}"

@ms.pipeline
def flow():
    return pay(1), pay(2)
"""
    )

    runs = [flow.run(), flow.run()]

    assert flow.value(runs[0]) == f"{runs[0].id} pay"
    first = (flow.marks / "keys-1").read_text().split()
    second = (flow.marks / "keys-2").read_text().split()
    assert first[0] == first[1] != first[2] == first[3]
    assert not set(first) & set(second)


def test_progress_is_kept_among_the_lines(flow: Flow) -> None:
    flow.write(
        """
@ms.step
def fit() -> int:
    import numpy as np
    for tree in range(1, 101):
        ms.current_step().progress(np.int64(tree), 100, "trees")
    return 1

@ms.pipeline
def flow():
    return fit()
"""
    )

    run = flow.run()

    lines = flow.app.call(ReadLogs(run=run.id))
    assert {line.stream for line in lines} == {"progress"}
    assert lines[-1].text == "100 of 100 (100%) trees"
    assert len(lines) < 100


def test_outside_a_run_it_is_empty() -> None:
    step = ms.current_step()

    step.progress(1, 2)
    assert (step.run, step.idempotency_key) == ("", "")
    assert step.checkpoint.is_dir()
