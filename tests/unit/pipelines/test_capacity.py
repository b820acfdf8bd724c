"""What steps use of a machine: cpus, memory and GPUs."""

import time
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.domain.pipeline import Graph, Node, PipelineRunState, StoredValue, ValueKind
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Invalid
from mainspring.pipelines import capacity
from mainspring.pipelines.capacity import of_this_machine, parse_size
from mainspring.pipelines.plan import Progress, first_left, ready
from mainspring.testing.flows import Flow

GIB = 1 << 30


def a_node(name: str, **differing: object) -> Node:
    fields = {"node_outputs": {}, "datasets": {}, "parameters": {}, "constants": {}, **differing}
    return Node(id=name, step=f"flow:{name}", **fields)  # type: ignore[arg-type]


def begun(*nodes: Node, active: tuple[Node, ...] = (), **there: int) -> list[str]:
    graph = Graph(pipeline="flow:flow", parameters=(), nodes=nodes, outputs=())
    progress = Progress(active={node.id: node for node in active})
    return [part.id for part in ready(graph, progress, now=0.0, **({"cpus": 8} | there))]  # type: ignore[arg-type]


def test_steps_run_side_by_side_while_their_memory_fits() -> None:
    large, middle, small = (
        a_node(n, memory_bytes=s * GIB) for n, s in (("l", 6), ("m", 4), ("s", 2))
    )

    assert begun(large, middle, small, memory_bytes=8 * GIB) == ["l", "s"]
    assert begun(middle, small, active=(large,), memory_bytes=8 * GIB) == ["s"]


def test_a_step_that_asks_for_more_memory_than_there_is_runs_alone() -> None:
    huge, other = a_node("huge", memory_bytes=99 * GIB), a_node("other")

    assert begun(huge, other, memory_bytes=GIB) == ["huge"]
    assert begun(huge, active=(other,), memory_bytes=GIB) == []


def test_gpus_are_given_to_one_step_at_a_time() -> None:
    one, two, none = a_node("one", gpus=1), a_node("two", gpus=2), a_node("none")

    assert begun(one, two, none, gpus=2) == ["one", "none"]
    assert begun(two, none, active=(one,), gpus=2) == ["none"]


def test_a_wide_step_is_gone_through_from_where_it_is_done() -> None:
    node = a_node("wide", mapped=("x",))
    value = StoredValue(kind=ValueKind.JSON, digest=digest_bytes(b"1"))
    progress = Progress(widths={"wide": 100_000})
    graph = Graph(pipeline="flow:flow", parameters=(), nodes=(node,), outputs=())
    began = time.process_time()

    for index in range(0, 100_000, 2):
        assert [p.index for p in ready(graph, progress, now=0.0, cpus=2)] == [index, index + 1]
        progress.done[node.item(index)] = progress.done[node.item(index + 1)] = (value,)

    assert first_left(node, progress) == 100_000
    # Going through all that is done each time took minutes.
    assert time.process_time() - began < 10


def test_a_step_sees_the_gpus_that_it_is_given(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-abc")
    flow = Flow(app, tmp_path / "project")
    flow.write(
        """
        @ms.step(gpus=1, cache=False)
        def one(number: int) -> str:
            time.sleep(0.5)
            return os.environ["CUDA_VISIBLE_DEVICES"]

        @ms.step(gpus=2, cache=False)
        def both(before: list[str]) -> str:
            return os.environ["CUDA_VISIBLE_DEVICES"]

        @ms.step(cache=False)
        def joined(seen: list[str], both: str) -> str:
            return " ".join([*sorted(seen), both])

        @ms.pipeline
        def flow():
            seen = one.map([1, 2])
            return joined(seen, both(seen))
        """
    )

    run = flow.run()

    assert run.state is PipelineRunState.SUCCEEDED, run.error
    assert app.blobs.read(run.outputs[0].digest) == b'"3 GPU-abc 3,GPU-abc"'


def test_a_step_that_asks_for_gpus_that_are_not_there_fails_the_run_at_once(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    flow = Flow(app, tmp_path / "project")
    flow.write(
        """
        @ms.step(gpus=1)
        def train() -> int:
            return 1

        @ms.pipeline
        def flow():
            return train()
        """
    )

    run = flow.run()

    assert run.state is PipelineRunState.FAILED
    assert "train asks for 1 GPU, and there are 0 on this machine" in str(run.error)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert flow.run().state is PipelineRunState.SUCCEEDED
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert flow.states(flow.run()) == {"train": ["cached"]}


def test_a_machine_has_what_its_container_leaves_it(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"

    assert capacity._memory(limit) > GIB
    limit.write_text("max\n")
    assert capacity._memory(limit) > GIB
    limit.write_text(f"{GIB}\n")
    assert capacity._memory(limit) == GIB
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert capacity._gpus({}, tmp_path) == ("0", "1")
    assert of_this_machine(3).cpus == 3


@pytest.mark.parametrize("how", ["memory='much'", "memory=-1", "gpus=-1", "gpus=0.5"])
def test_what_no_machine_has_is_refused(app: App, tmp_path: Path, how: str) -> None:
    flow = Flow(app, tmp_path / "project")
    flow.write(f"@ms.step({how})\ndef work() -> int:\n    return 1\n")

    with pytest.raises(Invalid, match="step work: "):
        flow.request()


def test_sizes_are_read_as_people_write_them() -> None:
    assert [parse_size(t) for t in ("512", "4k", "4 KiB", "2TiB")] == [512, 4000, 4096, 2 << 40]
    assert [parse_size(t) for t in ("", "-1", "2 XB", "GiB")] == [None] * 4
