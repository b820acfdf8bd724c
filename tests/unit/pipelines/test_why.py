"""What changed since the last time: told after a run, and before one."""

import pytest

from mainspring.cli.commands.why import folded_lines
from mainspring.domain.pipeline import KeyChange, PipelineRun
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.pipelines.preview import Preview, preview
from mainspring.pipelines.requests import ExplainRun
from mainspring.testing.flows import Flow

RATES = """
RATE = 3

@ms.step
def numbers(n: int) -> list[int]:
    mark("numbers")
    return list(range(n))

@ms.step
def scale(x: int) -> int:
    mark("scale")
    return x * RATE

@ms.step
def total(values: list[int]) -> int:
    mark("total")
    return sum(values)

@ms.pipeline
def flow(n: int = 3):
    return total(scale.map(numbers(n)))
"""


def why(flow: Flow, run: PipelineRun, node: str | None = None) -> list[str]:
    return folded_lines(flow.app.call(ExplainRun(run=run.id, node=node)))


def look(flow: Flow, **params: object) -> Preview:
    app = flow.app
    return preview(
        app.call, app.blobs, app.settings, "flow:flow", project=flow.folder, params=params
    )


def plan(flow: Flow, **params: object) -> list[str]:
    found = look(flow, **params)
    return [*folded_lines(found.reasons, would=True), *found.unknown]


def test_the_first_time_is_said(flow: Flow) -> None:
    flow.write(RATES)

    assert plan(flow) == ["numbers: would run, for the first time", "scale", "total"]
    assert why(flow, flow.run()) == [
        "numbers: was run, for the first time",
        "scale, 3 items: was run, for the first time",
        "scale: put together from other steps' results",
        "total: was run, for the first time",
    ]


def test_what_is_known_is_named_with_the_run_that_made_it(flow: Flow) -> None:
    flow.write(RATES)
    first = flow.run()
    second = flow.run()

    expected = [
        f"numbers: same as in {first.id}",
        f"scale, 3 items: same as in {first.id}",
        f"total: same as in {first.id}",
    ]
    assert plan(flow) == expected
    told = why(flow, second)
    assert [line for line in told if "put together" not in line] == expected


def test_a_changed_constant_is_named(flow: Flow) -> None:
    flow.write(RATES)
    first = flow.run()
    flow.write(RATES.replace("RATE = 3", "RATE = 4"))
    changed = [f"changed since {first.id}:", "  the code of flow:RATE changed"]

    assert plan(flow) == [
        f"numbers: same as in {first.id}",
        f"scale, 3 items: would run; {changed[0]}",
        changed[1],
        "total",
    ]
    second = flow.run()
    assert why(flow, second, "scale[2]") == [f"scale[2]: was run; {changed[0]}", changed[1]]
    assert why(flow, second, "total")[-1] == "  the input values changed"


def test_a_changed_parameter_shows_both_values(flow: Flow) -> None:
    flow.write(RATES)
    flow.run()

    assert "  n: 3 -> 4" in plan(flow, n=4)
    (reason,) = flow.app.call(ExplainRun(run=flow.run(params={"n": 4}).id, node="numbers"))
    assert reason.changes == (KeyChange(part="value:n", before="3", after="4"),)


def test_a_preview_runs_and_records_nothing(flow: Flow) -> None:
    flow.write(RATES)
    flow.run()
    flow.write(RATES.replace("RATE = 3", "RATE = 4"))
    before = [flow.count(name) for name in ("numbers", "scale", "total")]

    found = look(flow)

    assert found.unknown == ("total",)
    assert [flow.count(name) for name in ("numbers", "scale", "total")] == before


def test_what_can_not_be_cached_says_why(flow: Flow) -> None:
    flow.write(
        RATES.replace("return x * RATE", "return eval('x * RATE')").replace(
            "@ms.step\ndef total", "@ms.step(cache=False)\ndef total"
        )
    )
    run = flow.run()

    assert "scale, 3 items: was run; not cached: it calls eval() in flow.py" in why(flow, run)
    assert "scale, 3 items: would run; not cached: it calls eval() in flow.py" in plan(flow)


def test_a_branch_that_is_not_taken_is_foretold(flow: Flow) -> None:
    flow.write(
        """
@ms.step
def one() -> int:
    return 1

@ms.step
def two() -> int:
    return 2

@ms.pipeline
def flow(fast: bool = True):
    return ms.when(fast, one, two)
"""
    )

    assert plan(flow) == [
        "one: would run, for the first time",
        "two: skipped, as the parameter fast is true",
        "when",
    ]


def test_an_unknown_run_or_step_is_refused(flow: Flow) -> None:
    flow.write(RATES)
    run = flow.run()

    with pytest.raises(NotFound, match="there is no pipeline run 'run_x'"):
        flow.app.call(ExplainRun(run="run_x"))
    with pytest.raises(NotFound, match="has begun no step 'nothing'"):
        flow.app.call(ExplainRun(run=run.id, node="nothing"))
    with pytest.raises(Invalid, match="has no parameter 'm'"):
        plan(flow, m=1)
