"""Which steps begin when."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.pipeline import Graph, Node, NodeOutput, StepAttempt, StepState
from mainspring.domain.run import RunId
from mainspring.pipelines.plan import Part, Progress, next_instant, progress_of, ready


def a_node(name: str, *upstream: str, cpus: int = 1) -> Node:
    return Node(
        id=name,
        step=f"flow:{name}",
        node_outputs={other: NodeOutput(node=other) for other in upstream},
        datasets={},
        parameters={},
        constants={},
        cpus=cpus,
    )


def a_graph(*nodes: Node) -> Graph:
    return Graph(pipeline="flow:flow", parameters=(), nodes=nodes, outputs=())


def an_attempt(node: str, number: int, state: StepState) -> StepAttempt:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return StepAttempt(run=RunId("run_1"), node=node, attempt=number, state=state, started_at=at)


def names(parts: list[Part]) -> list[str]:
    return [part.id for part in parts]


DIAMOND = a_graph(a_node("a"), a_node("b", "a"), a_node("c", "a"), a_node("d", "b", "c"))


def test_a_step_waits_for_what_it_takes() -> None:
    progress = Progress(done={"a": ()}, active={"b": a_node("b")})

    assert names(ready(DIAMOND, progress, now=0, cpus=4)) == ["c"]


def test_steps_run_side_by_side_while_there_are_cpus() -> None:
    progress = Progress(done={"a": ()})

    assert names(ready(DIAMOND, progress, now=0, cpus=2)) == ["b", "c"]
    assert names(ready(DIAMOND, progress, now=0, cpus=1)) == ["b"]


def test_a_step_larger_than_the_machine_runs_alone() -> None:
    graph = a_graph(a_node("big", cpus=8), a_node("small"))

    assert names(ready(graph, Progress(), now=0, cpus=2)) == ["big"]
    assert names(ready(graph, Progress(active={"small": a_node("small")}), now=0, cpus=2)) == []


def test_a_failed_step_waits_its_time() -> None:
    progress = Progress(not_before={"a": 5.0})

    assert ready(DIAMOND, progress, now=4.9, cpus=2) == []
    assert names(ready(DIAMOND, progress, now=5.0, cpus=2)) == ["a"]
    assert next_instant(progress, now=4.0) == 5.0
    assert next_instant(progress, now=5.0) is None


def test_what_is_recorded_tells_how_far_a_run_is() -> None:
    progress = progress_of(
        [
            an_attempt("a", 1, StepState.FAILED),
            an_attempt("a", 2, StepState.INTERRUPTED),
            an_attempt("a", 3, StepState.SUCCEEDED),
            an_attempt("b", 1, StepState.CACHED),
            an_attempt("c", 1, StepState.INTERRUPTED),
        ]
    )

    assert set(progress.done) == {"a", "b"}
    assert progress.failures == {"a": 1}
    assert progress.interruptions == {"a": 1, "c": 1}
    assert progress.last == {"a": 3, "b": 1, "c": 1}


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 8))
    nodes = []
    for number in range(count):
        upstream = draw(st.sets(st.sampled_from(range(number)))) if number else set()
        cpus = draw(st.integers(1, 4))
        nodes.append(a_node(str(number), *(str(other) for other in upstream), cpus=cpus))
    return a_graph(*nodes)


@given(graphs(), st.integers(1, 4), st.randoms(use_true_random=False))
def test_every_graph_comes_to_its_end(graph: Graph, cpus: int, random: object) -> None:
    progress = Progress()
    running: dict[str, Node] = {}
    while len(progress.done) < len(graph.nodes):
        for part in ready(graph, progress, now=0, cpus=cpus):
            assert part.node.upstream <= progress.done.keys()
            progress.active[part.id] = part.node
            running[part.id] = part.node
        assert running
        assert len(running) == 1 or sum(node.cpus for node in running.values()) <= cpus
        ended = random.choice(sorted(running))  # type: ignore[attr-defined]
        del running[ended]
        del progress.active[ended]
        progress.done[ended] = ()
