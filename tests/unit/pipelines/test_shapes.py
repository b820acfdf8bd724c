"""Pipelines whose shape depends on data: mapped steps and branches."""

import os
import signal
import threading
import time
from math import inf

import pytest

import mainspring as ms
from mainspring.blobs.sweep import Sweep
from mainspring.cli.bytes_in_use import walk
from mainspring.domain.pipeline import PipelineRunState, ValueKind
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.values import items_of
from mainspring.server.control import create_app_on
from mainspring.testing.flows import Flow
from mainspring.testing.web import Browser

SQUARES = """
@ms.step
def numbers(n: int) -> list[int]:
    return list(range(n))

@ms.step
def square(x: int, plus: int = 0) -> int:
    mark(f"square-{x}")
    return x * x + plus

@ms.step
def total(values: list[int]) -> int:
    return sum(values)

@ms.pipeline
def flow(n: int = 4):
    return total(square.map(x=numbers(n), plus=1))
"""


def test_a_mapped_step_is_run_for_each_item(flow: Flow) -> None:
    flow.write(SQUARES)

    run = flow.run()

    assert run.state is PipelineRunState.SUCCEEDED, run.error
    assert flow.value(run) == 0 + 1 + 4 + 9 + 4
    assert flow.states(run) == {
        "numbers": ["succeeded"],
        **{f"square[{i}]": ["succeeded"] for i in range(4)},
        "square": ["succeeded"],
        "total": ["succeeded"],
    }


def test_only_new_items_are_run_again(flow: Flow) -> None:
    flow.write(SQUARES)
    flow.run()

    run = flow.run(params={"n": 6})

    assert flow.value(run) == 55 + 6
    assert flow.states(run)["square[3]"] == ["cached"]
    assert flow.states(run)["square[5]"] == ["succeeded"]
    assert [flow.count(f"square-{i}") for i in range(6)] == [1] * 6


def test_an_item_shares_the_cache_with_a_plain_call(flow: Flow) -> None:
    flow.write(SQUARES)
    flow.run()
    flow.write(SQUARES.replace("total(square.map(x=numbers(n), plus=1))", "square(3, plus=1)"))

    run = flow.run()

    assert flow.states(run) == {"square": ["cached"]}


def test_an_empty_list_gives_an_empty_list(flow: Flow) -> None:
    flow.write(SQUARES)

    run = flow.run(params={"n": 0})

    assert flow.value(run) == 0
    assert flow.states(run)["square"] == ["succeeded"]


def test_tables_and_models_go_through_lists_one_by_one(flow: Flow) -> None:
    flow.write(
        """
import polars as pl

@ms.step
def parts() -> list[pl.DataFrame]:
    return [pl.DataFrame({"x": [i, i + 1]}) for i in range(3)]

@ms.step
def double(table: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    return table * 2, table.height

@ms.step
def join(tables: list[pl.DataFrame], heights: list[int]) -> int:
    assert sum(heights) == 6
    return int(pl.concat(tables)["x"].sum())

@ms.pipeline
def flow():
    given = parts()
    doubled, heights = double.map(given)
    return join(doubled, heights), doubled
"""
    )

    run = flow.run()

    assert run.error is None
    assert flow.value(run) == 2 * (0 + 1 + 1 + 2 + 2 + 3)
    assert run.outputs[1].kind is ValueKind.LIST
    assert run.outputs[1].summary == "3 items"


def test_lists_are_taken_side_by_side_and_nested_maps_follow(flow: Flow) -> None:
    flow.write(
        """
@ms.step
def add(a: int, b: int) -> int:
    return a + b

@ms.step
def text(x: int) -> str:
    return f"<{x}>"

@ms.pipeline
def flow(a: list = [1, 2, 3]):
    return text.map(add.map(a, [10, 20, 30]))
"""
    )

    run = flow.run()

    assert run.error is None
    assert run.outputs[0].kind is ValueKind.LIST
    assert flow.states(run)["text[2]"] == ["succeeded"]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("square.map(x=numbers(n), plus=[1, 2])", "different lengths: x has 4, plus has 2"),
        ("square.map(x=untold())", "x, which is no list"),
    ],
)
def test_what_can_not_be_mapped_fails_the_run_and_says_why(
    flow: Flow, call: str, told: str
) -> None:
    untold = "\n@ms.step\ndef untold() -> list[int]:\n    return 3\n"
    flow.write(
        SQUARES.replace("@ms.pipeline", untold + "\n@ms.pipeline").replace(
            "square.map(x=numbers(n), plus=1)", call
        )
    )

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert told in str(run.error)


def test_a_map_over_no_list_is_refused_when_it_is_drawn_up(flow: Flow) -> None:
    flow.write(SQUARES.replace("numbers(n), plus=1", "n"))

    with pytest.raises(Invalid, match=r"square\.map\(\): no argument is a list of what square"):
        flow.run()


def test_items_of_the_wrong_type_are_refused_when_it_is_drawn_up(flow: Flow) -> None:
    flow.write(SQUARES.replace("-> list[int]:\n    return list", "-> list[str]:\n    return list"))

    with pytest.raises(
        Invalid, match="x wants a int, but an item of the result of numbers is a str"
    ):
        flow.run()


def test_a_failed_item_is_tried_again_by_itself(flow: Flow) -> None:
    flow.write(
        SQUARES.replace(
            "@ms.step\ndef square", "@ms.step(retries=1, retry_delay=0)\ndef square"
        ).replace(
            "    return x * x + plus",
            "    if x == 2 and (MARKS / 'square-2').read_text() == 'x':\n"
            "        raise OSError('once')\n    return x * x + plus",
        )
    )

    run = flow.run()

    assert run.state is PipelineRunState.SUCCEEDED
    assert flow.states(run)["square[2]"] == ["failed", "succeeded"]
    assert flow.states(run)["square[1]"] == ["succeeded"]


def test_a_mapped_step_goes_on_after_its_worker_was_stopped(flow: Flow) -> None:
    flow.write(SQUARES.replace("    mark(f", "    time.sleep(0.2)\n    mark(f"))
    requested = flow.request(params={"n": 8})
    first = flow.worker(cpus=2)
    thread = threading.Thread(target=first.run_next)
    thread.start()
    until = time.monotonic() + 20
    while flow.count("square-1") == 0:
        assert time.monotonic() < until
        time.sleep(0.01)
    first.stop()
    thread.join()
    first.close()

    second = flow.worker()
    run = second.run(requested.id)
    second.close()

    assert run.state is PipelineRunState.SUCCEEDED
    ended = [states.count("succeeded") for states in flow.states(run).values()]
    assert ended == [1] * len(ended)


def test_a_killed_item_is_begun_again(flow: Flow) -> None:
    flow.write(
        SQUARES.replace(
            "    mark(f",
            "    if x == 1 and not (MARKS / 'killed').exists():\n"
            f"        mark('killed'); os.kill(os.getpid(), {int(signal.SIGKILL)})\n    mark(f",
        )
    )

    run = flow.run()

    assert flow.value(run) == 18
    assert flow.states(run)["square[1]"] == ["interrupted", "succeeded"]


BRANCHES = """
@ms.step
def is_large(n: int) -> bool:
    return n > 10

@ms.step
def large(n: int) -> str:
    return f"large {n}"

@ms.step
def small(n: int) -> str:
    return f"small {n}"

@ms.step
def tell(what: str) -> str:
    return what.upper()

@ms.pipeline
def flow(n: int = 3, loud: bool = True):
    size = ms.when(is_large(n), lambda: large(n), lambda: small(n))
    return ms.when(loud, lambda: tell(size), lambda: size)
"""


@pytest.mark.parametrize(
    ("n", "loud", "told"),
    [(3, True, "SMALL 3"), (30, True, "LARGE 30"), (30, False, "large 30")],
)
def test_one_branch_is_taken_and_the_other_skipped(
    flow: Flow, n: int, loud: bool, told: str
) -> None:
    flow.write(BRANCHES)

    run = flow.run(params={"n": n, "loud": loud})

    assert run.error is None
    assert flow.value(run) == told
    states = flow.states(run)
    assert (states["large"] == ["skipped"]) is (n <= 10)
    assert (states["tell"] == ["skipped"]) is not loud


def test_a_branch_may_be_a_result_from_before(flow: Flow) -> None:
    flow.write(
        BRANCHES.replace("lambda: tell(size), lambda: size", "lambda: size, lambda: tell(size)")
    )

    assert flow.value(flow.run(params={"loud": True})) == "small 3"
    assert flow.value(flow.run(params={"loud": False})) == "SMALL 3"


def test_a_skipped_step_says_why(flow: Flow) -> None:
    flow.write(BRANCHES)

    run = flow.run()

    skipped = {step.node: step.warning for step in flow.steps(run) if step.state == "skipped"}
    assert skipped == {"large": "the result of is_large is false"}


def test_without_a_branch_what_would_take_the_result_is_skipped_too(flow: Flow) -> None:
    flow.write(
        BRANCHES.replace(", lambda: small(n)", "").replace(
            "ms.when(loud, lambda: tell(size), lambda: size)", "tell(size)"
        )
    )

    run = flow.run()

    assert run.state is PipelineRunState.SUCCEEDED
    assert run.outputs == ()
    assert {name for name, states in flow.states(run).items() if states == ["skipped"]} == {
        "large",
        "when",
        "tell",
    }


def test_a_condition_that_is_neither_fails_the_run(flow: Flow) -> None:
    flow.write(BRANCHES.replace("-> bool:\n    return n > 10", ":\n    return 'yes'"))

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert "the result of is_large decides whether large is run, but is 'yes'" in str(run.error)


def test_a_condition_that_can_be_no_truth_is_refused_when_it_is_drawn_up(flow: Flow) -> None:
    flow.write(BRANCHES.replace("when(loud", "when(n"))

    with pytest.raises(Invalid, match="can't decide on <the parameter 'n'>"):
        flow.run()


@ms.step
def twice(x: int) -> int:
    return 2 * x


def test_outside_a_pipeline_they_are_plain_calls() -> None:
    assert twice.map([1, 2, 3]) == [2, 4, 6]
    assert ms.when(os.sep == "/", lambda: "posix", lambda: "other") == "posix"
    assert ms.when(False, lambda: "never") is None
    with pytest.raises(Invalid, match="was given no list"):
        twice.map(3)


def test_the_page_of_a_run_shows_its_shape(flow: Flow) -> None:
    flow.write(BRANCHES)
    branched = flow.run()
    flow.write(SQUARES)
    mapped = flow.run(params={"n": 250})

    with Browser(create_app_on(flow.app)) as browser:
        of_branched = browser.get(f"/runs/{branched.id}").text
        of_mapped = browser.get(f"/runs/{mapped.id}").text
        of_item = browser.get(f"/runs/{mapped.id}?node=square[7]").text

    assert "the result of is_large is false" in of_branched
    assert "skipped" in of_branched
    assert "square, for each" in of_mapped
    assert "53 came before" in of_mapped
    assert "Log of square[7]" in of_item


def test_what_lists_hold_is_kept_by_gc(flow: Flow) -> None:
    flow.write(
        """
import polars as pl

@ms.step
def parts() -> list[pl.DataFrame]:
    return [pl.DataFrame({"x": [i]}) for i in range(3)]

@ms.pipeline
def flow():
    return parts()
"""
    )
    run = flow.run()
    items = items_of(run.outputs[0], flow.app.blobs)
    assert items is not None

    found = walk(flow.app)

    assert found.problems == []
    assert {item.digest for item in items} <= found.needed.keys()
    assert Sweep(flow.app.blobs, set(found.needed), before=inf).run(delete=False).blob_count == 0


def test_an_undecided_branch_begins_nothing(flow: Flow) -> None:
    flow.write(
        BRANCHES.replace(
            "return n > 10", "import numpy as np\n    return np.float64(n) > 10"
        ).replace('return f"small {n}"', 'mark("small"); return f"small {n}"')
    )

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert flow.count("small") == 0


def test_items_that_are_no_finite_numbers_arrive_as_they_are(flow: Flow) -> None:
    flow.write(
        """
@ms.step
def numbers() -> list[float]:
    return [1.5, float("nan"), float("inf"), None]

@ms.step
def show(x: float) -> str:
    return repr(x)

@ms.step
def join(texts: list[str]) -> str:
    return " ".join(texts)

@ms.pipeline
def flow():
    return join(show.map(numbers()))
"""
    )

    assert flow.value(flow.run()) == "1.5 nan inf None"
