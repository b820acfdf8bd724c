"""Writing pipelines: what becomes a graph, and what is refused when it is drawn up."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import mainspring as ms
from mainspring.domain.pipeline import (
    Constant,
    DatasetArgument,
    Graph,
    NodeOutput,
    ParameterArgument,
    PipelineParameter,
)
from mainspring.kernel.codec import canonical, decode
from mainspring.kernel.errors import Invalid


@ms.step
def features(rides: pl.DataFrame) -> pl.DataFrame:
    return rides


@ms.step
def split(table: pl.DataFrame, share: float = 0.8) -> tuple[pl.DataFrame, pl.DataFrame]:
    return table.head(1), table.tail(1)


@ms.step(retries=2, retry_delay="5s", timeout="10m", cpus=2, cache=False)
def train(table: pl.DataFrame, depth: int = 6) -> ms.Model:
    raise NotImplementedError


@ms.step
def best(models: list[ms.Model]) -> ms.Model:
    return models[0]


@ms.step
def count(table: pl.DataFrame) -> int:
    return table.height


@ms.step
def anything(value: Any) -> Any:
    return value


@ms.pipeline
def demand(rides: ms.Dataset, depth: int = 6) -> Any:
    table, holdout = split(features(rides))
    return train(table, depth=depth), count(holdout)


def traced(function: Any) -> Graph:
    return ms.pipeline(function).trace()


def test_a_step_outside_a_pipeline_is_a_plain_call() -> None:
    assert count(pl.DataFrame({"a": [1, 2]})) == 2


def test_a_pipeline_outside_a_trace_runs_its_steps() -> None:
    @ms.pipeline
    def two(rides: ms.Dataset) -> Any:
        return count(features(rides))

    assert two(pl.DataFrame({"a": [1, 2, 3]})) == 3


def test_a_pipeline_becomes_a_graph() -> None:
    graph = demand.trace()

    assert graph.pipeline == f"{__name__}:demand"
    assert graph.parameters == (
        PipelineParameter(name="rides", is_dataset=True),
        PipelineParameter(name="depth", is_dataset=False, has_default=True, default=6),
    )
    assert [node.id for node in graph.nodes] == ["features", "split", "train", "count"]
    assert graph.nodes[0].datasets == {"rides": DatasetArgument(parameter="rides")}
    assert graph.nodes[1].node_outputs == {"table": NodeOutput(node="features")}
    assert graph.nodes[1].output_count == 2
    assert graph.nodes[2].node_outputs == {"table": NodeOutput(node="split", index=0)}
    assert graph.nodes[2].parameters == {"depth": ParameterArgument(parameter="depth")}
    assert graph.nodes[3].upstream == {"split"}
    assert graph.outputs == (NodeOutput(node="train"), NodeOutput(node="count"))


def test_the_options_of_a_step_are_kept() -> None:
    node = demand.trace().nodes[2]

    assert (node.retries, node.retry_delay_seconds, node.timeout_seconds) == (2, 5.0, 600.0)
    assert (node.cpus, node.cache) == (2, False)


def test_a_graph_survives_json() -> None:
    graph = demand.trace()

    assert decode(canonical(graph), Graph) == graph


def test_calls_of_the_same_step_are_told_apart() -> None:
    def many(rides: ms.Dataset) -> Any:
        table = features(rides)
        return best([train(table, 3), train(table, 6)])

    graph = traced(many)

    assert [node.id for node in graph.nodes] == ["features", "train", "train-2", "best"]
    assert graph.nodes[2].constants == {"depth": Constant(value=6)}
    assert graph.nodes[3].node_lists == {
        "models": (NodeOutput(node="train"), NodeOutput(node="train-2"))
    }


def test_a_pipeline_inside_a_pipeline_becomes_part_of_it() -> None:
    def outer(rides: ms.Dataset) -> Any:
        return demand(rides, depth=2)

    assert [node.id for node in traced(outer).nodes] == ["features", "split", "train", "count"]


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (lambda ref: 1 if ref else 2, "`if` can't decide"),
        (list, "can't be unpacked"),
        (lambda ref: ref + 1, r"used in `\+`"),
        (lambda ref: ref == 1, "used in `==`"),
        (lambda ref: ref["a"], r"used in `\[\.\.\.\]`"),
        (lambda ref: f"{ref}", "used in `an f-string`"),
        (lambda ref: ref.height, "attribute 'height'"),
    ],
)
def test_a_value_that_is_not_there_yet_can_not_be_used(use: Any, told: str) -> None:
    def wrong(rides: ms.Dataset) -> None:
        use(count(features(rides)))

    with pytest.raises(Invalid, match=told) as caught:
        traced(wrong)

    assert caught.value.where is not None
    assert caught.value.where.startswith("test_authoring.py:")


def test_wrong_arguments_are_refused_with_the_line() -> None:
    def wrong(rides: ms.Dataset) -> None:
        features(rides, 1)

    with pytest.raises(Invalid, match="too many positional arguments") as caught:
        traced(wrong)

    line = wrong.__code__.co_firstlineno + 1
    assert caught.value.where == f"test_authoring.py:{line}"


def test_a_result_of_the_wrong_kind_is_refused() -> None:
    def wrong(rides: ms.Dataset) -> None:
        train(count(features(rides)))

    with pytest.raises(Invalid, match="wants a DataFrame, but the result of count is a int"):
        traced(wrong)


def test_a_constant_of_the_wrong_kind_is_refused() -> None:
    def wrong(rides: ms.Dataset) -> None:
        train(features(rides), "deep")

    with pytest.raises(Invalid, match="depth wants a int, but 'deep' is a str"):
        traced(wrong)


def test_an_object_can_not_be_written_into_a_pipeline() -> None:
    def wrong() -> None:
        anything(pl.DataFrame())

    with pytest.raises(Invalid, match="can't be written into a pipeline"):
        traced(wrong)


def test_a_list_of_results_and_other_things_is_refused() -> None:
    def wrong() -> None:
        anything([anything(1), 2])

    with pytest.raises(Invalid, match="mixes results"):
        traced(wrong)


def test_a_step_in_a_function_is_refused() -> None:
    @ms.step
    def inner() -> int:
        return 1

    def wrong() -> None:
        inner()

    with pytest.raises(Invalid, match="inside another function"):
        traced(wrong)


def test_a_pipeline_without_steps_is_refused() -> None:
    with pytest.raises(Invalid, match="calls no step"):
        traced(lambda: None)


def test_a_pipeline_returns_what_steps_returned() -> None:
    def wrong() -> int:
        anything(1)
        return 7

    with pytest.raises(Invalid, match="no step's result"):
        traced(wrong)


@pytest.mark.parametrize(
    "options",
    [{"retries": -1}, {"cpus": 0}, {"timeout": 0}, {"timeout": "soon"}, {"retry_delay": -1}],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        ms.step(**options)(lambda: None)


def test_a_step_names_its_parameters() -> None:
    with pytest.raises(Invalid, match="no fixed name"):

        @ms.step
        def loose(*tables: pl.DataFrame) -> None: ...


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, mainspring as ms\n"
        "ms.step; ms.pipeline; ms.Dataset; ms.Model; ms.evaluate\n"
        "heavy = {'polars', 'sklearn', 'numpy', 'sqlalchemy', 'skops', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )

    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
