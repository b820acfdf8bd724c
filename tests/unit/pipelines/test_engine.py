"""Carrying out runs: order, results, caching, failures, limits."""

import os
import subprocess
import threading
import time
from pathlib import Path

import polars as pl
import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.trees import read_manifest
from mainspring.domain.pipeline import PipelineRunState, ValueKind
from mainspring.domain.run import RunStatus
from mainspring.kernel.errors import NotFound
from mainspring.pipelines.requests import CancelRun, GetPipelineRun
from mainspring.pipelines.values import read_evaluation
from mainspring.quality.intake import add_data
from mainspring.testing.flows import Flow
from mainspring.tracking.requests import GetRun

CHAIN = """
@ms.step
def one(x: int = 1) -> int:
    mark("one")
    print("in one")
    return x + 1

@ms.step
def two(x: int) -> int:
    mark("two")
    return x * 10

@ms.pipeline
def flow(x: int = 1):
    return two(one(x))
"""


def wait_for(condition: object, seconds: float = 20.0) -> None:
    """Wait until a condition holds; fails if it never does."""
    assert callable(condition)
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)


def one_step(body: str, options: str = "", annotation: str = "") -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return (
        f"@ms.step{options}\ndef work(){annotation}:\n{lines}\n\n"
        "@ms.pipeline\ndef flow():\n    return work()\n"
    )


def test_steps_run_in_order_and_hand_on_their_results(flow: Flow) -> None:
    flow.write(CHAIN)

    run = flow.run(params={"x": 4})

    assert run.state is PipelineRunState.SUCCEEDED
    assert flow.value(run) == 50
    assert flow.states(run) == {"one": ["succeeded"], "two": ["succeeded"]}
    assert "in one" in flow.log(run)
    assert flow.app.call(GetRun(run=run.id)).status is RunStatus.FINISHED


def test_nothing_is_done_twice(flow: Flow) -> None:
    flow.write(CHAIN)
    first = flow.run()

    second = flow.run()

    assert flow.states(second) == {"one": ["cached"], "two": ["cached"]}
    assert flow.value(second) == flow.value(first)
    assert {step.cached_from for step in flow.steps(second)} == {first.id}
    assert (flow.count("one"), flow.count("two")) == (1, 1)


def test_only_what_an_edit_reaches_is_done_again(flow: Flow) -> None:
    flow.write(CHAIN)
    flow.run()
    flow.write(CHAIN.replace("x * 10", "x * 100").replace('print("in one")', 'print("in one") # !'))

    run = flow.run()

    assert flow.states(run) == {"one": ["cached"], "two": ["succeeded"]}
    assert flow.value(run) == 200


def test_a_step_that_gives_the_same_again_cuts_the_work_short(flow: Flow) -> None:
    flow.write(CHAIN)
    flow.run()
    flow.write(CHAIN.replace("x + 1", "1 + x"))

    run = flow.run()

    assert flow.states(run) == {"one": ["succeeded"], "two": ["cached"]}


def test_a_helper_in_another_module_makes_no_stale_result(flow: Flow) -> None:
    flow.write("def scale(x):\n    return x * 2\n", "helper.py")
    flow.write(
        """
        import helper

        @ms.step
        def work() -> int:
            return helper.scale(10)

        @ms.pipeline
        def flow():
            return work()
        """
    )
    assert flow.value(flow.run()) == 20
    flow.write("def scale(x):\n    return x * 3\n", "helper.py")

    assert flow.value(flow.run()) == 30


def test_a_step_may_ask_not_to_be_cached(flow: Flow) -> None:
    flow.write(one_step("mark('work')\nreturn 1", "(cache=False)"))
    flow.run()
    flow.run()

    assert flow.count("work") == 2


def test_code_that_can_not_be_followed_is_not_cached_and_says_so(flow: Flow) -> None:
    flow.write(one_step("mark('work')\nreturn eval('1')"))
    flow.run()

    run = flow.run()

    assert flow.count("work") == 2
    assert "calls eval()" in (flow.steps(run)[0].warning or "")


def test_data_models_and_metrics_go_from_step_to_step(flow: Flow) -> None:
    frame = pl.DataFrame({"hour": [i % 24 for i in range(300)]}).with_columns(
        count=pl.col("hour") * 3.0
    )
    add_data(flow.app.call, flow.app.blobs, "rides", frame)
    flow.write(
        """
        import polars as pl
        from sklearn.linear_model import LinearRegression

        @ms.step
        def split(rides: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
            return rides.head(200), rides.tail(100)

        @ms.step
        def train(table: pl.DataFrame) -> ms.Model:
            inputs = table.drop("count")
            return ms.Model(LinearRegression().fit(inputs, table["count"].to_numpy()), inputs=inputs)

        @ms.step
        def judge(model: ms.Model, holdout: pl.DataFrame, whole: ms.Dataset) -> ms.Metrics:
            assert whole.number == 1 and whole.read().height == 300
            return ms.evaluate(model, holdout, target="count")

        @ms.pipeline
        def flow(rides: ms.Dataset):
            table, holdout = split(rides)
            return judge(train(table), holdout, rides)
        """
    )

    run = flow.run()

    assert run.error is None
    (output,) = run.outputs
    assert output.kind is ValueKind.METRICS
    evaluation = read_evaluation(flow.app.blobs, output)
    assert evaluation.values["r2"] == pytest.approx(1.0)
    assert evaluation.model is not None
    assert read_manifest(flow.app.blobs, evaluation.model)
    metrics = flow.app.call(GetRun(run=run.id)).metrics
    assert {metric.key for metric in metrics} == {"mae", "rmse", "r2", "bias"}


def test_a_dataset_that_does_not_exist_is_named(flow: Flow) -> None:
    flow.write(
        "@ms.step\ndef w(d): ...\n@ms.pipeline\ndef flow(rides: ms.Dataset):\n    w(rides)\n"
    )

    with pytest.raises(NotFound) as caught:
        flow.run()

    assert caught.value.where == "the dataset parameter 'rides'"


def test_branches_run_side_by_side(flow: Flow) -> None:
    flow.write(
        """
        @ms.step
        def meet(me: str, other: str) -> int:
            mark(me)
            for _ in range(500):
                if (MARKS / other).exists():
                    return 1
                time.sleep(0.02)
            raise RuntimeError("alone")

        @ms.step
        def total(parts: list[int]) -> int:
            return sum(parts)

        @ms.pipeline
        def flow():
            return total([meet("a", "b"), meet("b", "a")])
        """
    )
    worker = flow.worker(cpus=2)

    run = worker.run(flow.request().id)
    worker.close()

    assert flow.value(run) == 2


def test_a_step_gets_the_cpus_that_it_asks_for(flow: Flow) -> None:
    flow.write(
        """
        @ms.step(cpus=2)
        def alone(me: str, other: str) -> bool:
            (MARKS / me).touch()
            time.sleep(0.2)
            seen = (MARKS / other).exists()
            (MARKS / me).unlink()
            return seen

        @ms.pipeline
        def flow():
            return alone("a", "b"), alone("b", "a")
        """
    )
    worker = flow.worker(cpus=2)

    run = worker.run(flow.request().id)
    worker.close()

    assert [flow.value(run, 0), flow.value(run, 1)] == [False, False]


def test_a_failing_step_is_tried_again(flow: Flow) -> None:
    flow.write(
        one_step(
            "mark('work')\nif len((MARKS / 'work').read_text()) < 3:\n    raise OSError('flaky')\nreturn 7",
            "(retries=2, retry_delay=0.05)",
        )
    )

    run = flow.run()

    assert flow.value(run) == 7
    assert flow.states(run) == {"work": ["failed", "failed", "succeeded"]}


def test_a_step_that_raises_fails_the_run_and_says_where(flow: Flow) -> None:
    flow.write(
        one_step("print('about to')\nraise ValueError('too cold')", "(retries=1, retry_delay=0)")
    )

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    error = run.error or ""
    assert error.startswith("flow:work failed: ValueError: too cold (flow.py:11)")
    assert "about to" in error
    assert flow.states(run) == {"work": ["failed", "failed"]}
    assert any("raise ValueError" in line for line in flow.log(run))
    assert not any("mainspring/pipelines" in line for line in flow.log(run))
    assert flow.app.call(GetRun(run=run.id)).status is RunStatus.FAILED


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("sys.exit(3)", r"the step called sys.exit\(3\)"),
        ("print('bye', flush=True)\nos._exit(4)", "exit status 4 before the step did"),
        ("import ctypes\nctypes.string_at(0)", "crashed (SIGSEGV)"),
        ("return open(__file__, 'ab')", "can't be kept"),
        ("return (i for i in 'ab')", "the result of work is a generator, which can't be kept"),
        ("import nothing_like_it", "No module named 'nothing_like_it'"),
    ],
)
def test_a_step_that_does_not_return_says_how_it_ended(flow: Flow, body: str, told: str) -> None:
    flow.write(one_step(body))

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert told.replace("\\", "") in (run.error or "")
    assert "flow:work" in (run.error or "")


@pytest.mark.parametrize(
    ("body", "annotation", "told"),
    [
        ("return 1", " -> ms.Model", "is a int, not an ms.Model"),
        ("return {'rmse': 1.0}", " -> ms.Metrics", "is a dict, not an ms.Metrics"),
    ],
)
def test_a_step_returns_what_it_says(flow: Flow, body: str, annotation: str, told: str) -> None:
    flow.write(one_step(body, annotation=annotation))

    assert told in (flow.run().error or "")


def test_a_step_returns_as_many_values_as_it_says(flow: Flow) -> None:
    flow.write(one_step("return 1, 2, 3", annotation=" -> tuple[int, int]"))

    assert "returns 2 values; it returned 3 values" in (flow.run().error or "")


def test_a_step_that_takes_too_long_is_stopped_where_it_hangs(flow: Flow) -> None:
    flow.write(one_step("while True:\n    time.sleep(0.01)", "(timeout=0.5)"))

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert "took more than its timeout of 0.5 s and was stopped (flow.py:11)" in (run.error or "")


def test_a_step_that_ignores_being_stopped_is_killed(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.pipelines.attempt.GRACE_SECONDS", 0.2)
    flow.write(
        one_step(
            "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "(MARKS / 'pid').write_text(str(os.getpid()))\nwhile True: time.sleep(0.01)",
            "(timeout=0.5)",
        )
    )

    assert flow.run().state is PipelineRunState.FAILED
    assert not _is_alive(int((flow.marks / "pid").read_text()))


def test_what_a_step_leaves_behind_ends_with_it(flow: Flow) -> None:
    flow.write(
        one_step(
            "import subprocess\n"
            "child = subprocess.Popen(['sleep', '60'])\n"
            "(MARKS / 'pid').write_text(str(child.pid))\nreturn 1"
        )
    )

    assert flow.value(flow.run()) == 1
    wait_for(lambda: not _is_alive(int((flow.marks / "pid").read_text())))


def test_a_step_that_hangs_on_after_its_answer_is_ended(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.pipelines.attempt.GRACE_SECONDS", 0.2)
    flow.write(
        one_step(
            "import threading\nthreading.Thread(target=time.sleep, args=(60,)).start()\nreturn 1"
        )
    )

    assert flow.value(flow.run()) == 1


def test_a_step_that_is_killed_from_outside_is_begun_again(flow: Flow) -> None:
    flow.write(
        one_step(
            "mark('work')\nif len((MARKS / 'work').read_text()) < 2:\n    os.kill(os.getpid(), 9)\nreturn 5"
        )
    )

    run = flow.run()

    assert flow.value(run) == 5
    assert flow.states(run) == {"work": ["interrupted", "succeeded"]}


def test_the_process_that_steps_come_from_may_die(flow: Flow) -> None:
    flow.write(
        one_step(
            "mark('work')\nif len((MARKS / 'work').read_text()) < 2:\n"
            "    os.kill(os.getppid(), 9)\n    time.sleep(60)\nreturn 5"
        )
    )

    run = flow.run()

    assert flow.value(run) == 5
    assert flow.states(run) == {"work": ["interrupted", "succeeded"]}


def test_a_failure_stops_the_other_branches(flow: Flow) -> None:
    flow.write(
        """
        @ms.step
        def slow() -> int:
            time.sleep(60)

        @ms.step
        def bad() -> int:
            while not mark("bad") and len((MARKS / "bad").read_text()) < 3:
                time.sleep(0.05)
            raise ValueError("bad")

        @ms.pipeline
        def flow():
            return slow(), bad()
        """
    )
    worker = flow.worker(cpus=2)

    run = worker.run(flow.request().id)
    worker.close()

    assert run.state is PipelineRunState.FAILED
    assert flow.states(run) == {"slow": ["cancelled"], "bad": ["failed"]}


def test_a_run_is_cancelled_while_it_works(flow: Flow) -> None:
    flow.write(one_step("mark('work')\ntime.sleep(60)"))
    request = flow.request()
    worker = flow.worker(lease_seconds=0.9)
    thread = threading.Thread(target=worker.run, args=(request.id,))
    thread.start()
    wait_for(lambda: flow.count("work"))

    flow.app.call(CancelRun(run=request.id))
    thread.join()
    worker.close()

    run = flow.app.call(GetPipelineRun(run=request.id))
    assert run.state is PipelineRunState.CANCELLED
    assert flow.states(run) == {"work": ["cancelled"]}
    assert flow.app.call(GetRun(run=run.id)).status is RunStatus.KILLED


def test_a_worker_that_stops_leaves_its_run_to_the_next(flow: Flow) -> None:
    flow.write(
        one_step(
            "mark('work')\ntime.sleep(60 if len((MARKS / 'work').read_text()) < 2 else 0)\nreturn 3"
        )
    )
    request = flow.request()
    worker = flow.worker()
    thread = threading.Thread(target=worker.run_next)
    thread.start()
    wait_for(lambda: flow.count("work"))
    worker.stop()
    thread.join()

    other = flow.worker()
    run = other.run_next()
    worker.close()
    other.close()

    assert run is not None
    assert run.id == request.id
    assert flow.value(run) == 3
    assert flow.states(run) == {"work": ["interrupted", "succeeded"]}
    assert other is not worker


def test_a_worker_without_work_says_so(flow: Flow) -> None:
    worker = flow.worker()

    assert worker.run_next() is None
    worker.close()


def test_lines_are_kept_as_they_come(flow: Flow) -> None:
    flow.write(
        one_step(
            "print('first')\nprint('second', file=sys.stderr)\n"
            "sys.stdout.write('10%\\r50%\\rdone\\n')\nos.write(1, b'\\xff\\x00 bytes\\n')\n"
            "print('x' * 10000)\nprint('no newline', end='')\nreturn 1"
        )
    )
    seen: list[str] = []

    run = flow.run(watch=lambda event: seen.append(getattr(event, "text", "")))

    lines = flow.log(run)
    assert {"first", "second", "done", "� bytes", "x" * 4000, "no newline"} <= set(lines)
    assert "50%" not in lines
    assert set(lines) <= set(seen)


def test_a_flood_of_lines_is_cut(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.pipelines.attempt.MAX_LINES", 50)
    flow.write(one_step("for i in range(5000): print(i)\nreturn 1"))

    run = flow.run()

    assert flow.value(run) == 1
    assert flow.log(run)[-1] == "(more than 50 lines: the rest is not kept)"
    assert len(flow.log(run)) == 51


def test_steps_see_no_secrets_of_ours(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINSPRING_TOKEN", "secret")
    monkeypatch.setenv("USERS_OWN", "kept")
    flow.write(
        one_step(
            "return {k: v for k, v in os.environ.items() if k.startswith(('MAINSPRING', 'USERS', 'MLFLOW'))}"
        )
    )

    run = flow.run(tracking_uri="http://127.0.0.1:1")

    experiment = flow.app.call(GetRun(run=run.id)).experiment
    assert flow.value(run) == {
        "USERS_OWN": "kept",
        "MAINSPRING_RUN": run.id,
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1",
        "MLFLOW_RUN_ID": run.id,
        "MLFLOW_EXPERIMENT_ID": experiment,
    }


def test_values_of_secret_variables_are_not_kept(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "tiger-lily-7")
    monkeypatch.setenv("REGION", "north-east")
    flow.write(
        one_step(
            "password = os.environ['WAREHOUSE_PASSWORD']\n"
            "print('login', password, os.environ['REGION'])\n"
            "print('at postgresql://ann:hunter2@db/rides', file=sys.stderr)\n"
            "raise OSError('refused: ' + password)"
        )
    )

    run = flow.run()

    kept = "\n".join([*flow.log(run), run.error or ""])
    assert "login *** north-east" in kept
    assert "postgresql://ann:***@db/rides" in kept
    assert "OSError: refused: ***" in kept
    assert "tiger-lily" not in kept


def test_a_step_runs_beside_the_projects_files_and_has_no_input(flow: Flow) -> None:
    flow.write('{"limit": 3}', "limits.json")
    flow.write(
        one_step("import json\nreturn [json.load(open('limits.json'))['limit'], sys.stdin.read()]")
    )

    assert flow.value(flow.run()) == [3, ""]


def test_a_run_whose_code_is_gone_fails_clearly(flow: Flow) -> None:
    flow.write(CHAIN)
    request = flow.request()
    flow.app.blobs.path_of(request.project).unlink()
    worker = flow.worker()

    run = worker.run(request.id)
    worker.close()

    assert run.state is PipelineRunState.FAILED
    assert "there are no bytes" in (run.error or "")


def test_nothing_is_left_on_the_disk_or_running(flow: Flow) -> None:
    flow.write(CHAIN)
    flow.run()

    assert list((flow.app.settings.work_path / "steps").iterdir()) == []
    out = subprocess.run(["ps", "-eo", "ppid,args"], capture_output=True, text=True, check=True)
    mine = [line for line in out.stdout.splitlines() if line.split()[0] == str(os.getpid())]
    assert not [line for line in mine if "zygote" in line]


def _is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_fails_the_step_and_leaves_nothing_half_done(flow: Flow) -> None:
    blobs = flow.app.settings.blobs_path
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", blobs], check=True)
    try:
        LocalBlobs(blobs)  # makes its folders
        flow.write(one_step("import numpy as np\nreturn np.random.default_rng(1).random(400_000)"))

        run = flow.run()

        assert run.state is PipelineRunState.FAILED
        assert "is full" in (run.error or "")
        assert list((blobs / "tmp").iterdir()) == []
        subprocess.run(["mount", "-o", "remount,size=8m", blobs], check=True)
        assert flow.run().state is PipelineRunState.SUCCEEDED
    finally:
        subprocess.run(["umount", blobs], check=True)


def test_training_again_gives_the_same_bytes(flow: Flow) -> None:
    flow.write(
        """
        import numpy as np
        import polars as pl
        from sklearn.ensemble import HistGradientBoostingRegressor

        @ms.step(cache=False)
        def train(salt: int) -> ms.Model:
            table = pl.DataFrame({"a": np.arange(300) % 17, "b": np.arange(300) * 0.5})
            fitted = HistGradientBoostingRegressor(max_iter=5, random_state=0).fit(table, table["b"])
            return ms.Model(fitted, inputs=table)

        @ms.pipeline
        def flow():
            return train(1), train(2)
        """
    )

    run = flow.run()

    assert run.error is None
    assert run.outputs[0] == run.outputs[1]


def test_a_run_that_can_not_go_on_ends_and_lets_others_work(flow: Flow) -> None:
    flow.write(
        """
@ms.step
def numbers() -> list[int]:
    return [1, 2]

@ms.step
def show(x: int) -> int:
    return x

@ms.pipeline
def flow():
    return show.map(numbers())
"""
    )
    first = flow.run()
    (numbers,) = (step for step in flow.steps(first) if step.node == "numbers")
    path = flow.app.blobs.path_of(numbers.outputs[0].digest)
    path.chmod(0o644)
    path.write_text("[1, 3]")

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert numbers.outputs[0].digest in (run.error or "")
