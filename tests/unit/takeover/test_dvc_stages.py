"""Stages of `dvc.yaml`: their templates filled in, and the pipeline that they become."""

from pathlib import Path
from typing import Any

import pytest

from mainspring.kernel.errors import Conflict, Invalid
from mainspring.takeover.dvc.flow import flow_of
from mainspring.takeover.dvc.history import open_repository
from mainspring.takeover.dvc.metafiles import Declared, read_declared
from mainspring.takeover.dvc.names import named
from mainspring.takeover.dvc.templates import filled, joined
from mainspring.takeover.dvc.texts import read_text

from .test_dvc_repository import Written


def declared(text: str, **files: str) -> Declared:
    def load(path: str) -> Any:
        name = path.replace(".", "_").replace("/", "__")
        return read_text(files[name].encode(), path) if name in files else None

    return read_declared(text.encode(), "work/dvc.yaml", load)


def commands(text: str, **files: str) -> dict[str, str]:
    return {stage.name: stage.command for stage in declared(text, **files).stages}


def test_templates_take_params_and_vars_and_later_ones_win() -> None:
    text = """
vars: [{rate: 2, inner: {b: 3}}, 'more.yaml:deep']
stages:
  fit:
    vars: [{own: yes}]
    cmd: ['fit --rate ${rate} --b ${inner.b} ${inner.a}', 'echo ${deep[1].x} ${own} \\${HOME}']
"""
    files = {
        "work__params_yaml": "rate: 1\ninner: {a: 7}\n",
        "work__more_yaml": "deep: [0, {x: z}]\nelse: 1\n",
    }

    assert commands(text, **files) == {"fit": "fit --rate 2 --b 3 7 && echo z yes ${HOME}"}


def test_foreach_and_matrix_give_a_stage_each_by_dvcs_names() -> None:
    text = """
stages:
  list: {foreach: [a, 2], do: {cmd: 'l ${item}'}}
  dicts: {foreach: [{x: 1}, {x: 2}], do: {cmd: 'd ${item.x}'}}
  table: {foreach: '${towns}', do: {cmd: 't ${key} ${item.n}'}}
  grid: {matrix: {depth: [1, true], kind: [{n: tree}]}, cmd: 'g ${item.depth} ${item.kind.n} ${key}'}
"""

    assert commands(text, work__params_yaml="towns: {ulm: {n: 5}}") == {
        "list@a": "l a",
        "list@2": "l 2",
        "dicts@0": "d 1",
        "dicts@1": "d 2",
        "table@ulm": "t ulm 5",
        "grid@1-kind0": "g 1 tree 1-kind0",
        "grid@true-kind0": "g true tree true-kind0",
    }


def test_a_table_in_a_command_becomes_flags() -> None:
    known = {
        "o": {"rate": 0.1, "fast": True, "slow": False, "names": ["a b", "c"], "in": {"x": "y z"}}
    }

    assert filled("fit ${o}", known, in_command=True) == (
        "fit --rate 0.1 --fast --names 'a b' c --in.x 'y z'"
    )


def test_a_stage_that_names_nothing_known_is_left_out_and_the_others_stay() -> None:
    found = declared("stages: {a: {cmd: 'x ${gone}'}, b: {cmd: y}, c: {foreach: 3, do: {cmd: z}}}")

    assert [stage.name for stage in found.stages] == ["b"]
    assert ["gone" in each or "foreach" in each for each in found.left_out] == [True, True]


def test_paths_count_from_the_repository() -> None:
    found = declared(
        "metrics: [top.json]\nstages:\n  a:\n    cmd: x\n    wdir: ../lib\n    deps: [./in, ../data/b]\n"
        "    params: [r, other.yaml: [q]]\n    outs: [o: {cache: false}]\n"
    )

    (stage,) = found.stages
    assert (stage.folder, stage.deps, stage.outs) == ("lib", ("lib/in", "data/b"), ("lib/o",))
    assert stage.params == {"lib/params.yaml": ("r",), "lib/other.yaml": ("q",)}
    assert found.metrics == ("work/top.json",)
    assert joined("a", "../../b") == "../b"


@pytest.mark.parametrize("text", ["stages: [", "- a\n- b", "\x00", "stages: {a: 5}"])
def test_what_is_no_dvc_yaml_is_said(text: str) -> None:
    try:
        found = declared(text)
    except Invalid as error:
        assert "work/dvc.yaml" in str(error)
    else:
        assert found.left_out


def test_stages_become_steps_in_the_order_of_what_they_depend_on(written: Written) -> None:
    written.add_file("data/rides.csv", b"id\n1\n")
    written.write("src/fit.py", "")
    written.write("lookup.csv", "a,b\n")
    written.write("params.yaml", "train: {rate: 1e-3, layers: [1, 2]}\nclass: 5\n")
    written.write(
        "dvc.yaml",
        "stages:\n"
        "  score: {cmd: 'score \"it\"', deps: [model, lookup.csv], metrics: [m.json: {cache: false}]}\n"
        "  train:\n    cmd: python src/fit.py\n    desc: Fit it.\n    deps: [data/rides.csv, src]\n"
        "    params: [train, class]\n    outs: [model/weights, log]\n"
        "  gate: {cmd: gate, deps: [m.json, log], always_changed: true}\n",
    )
    written.commit("All")

    flow = flow_of(open_repository(written.root), {"data/rides.csv": "rides"})

    assert flow.text.endswith('''\
@ms.step(files=["params.yaml", "src/*.py"])
def train(rides: ms.Dataset, train_rate: float, stage_class: int) -> tuple[ms.Files, ms.Files]:
    """Fit it."""
    with ms.workspace() as work:
        work.put(rides, "data/rides.csv")
        work.set("params.yaml", {"train.rate": train_rate, "class": stage_class})
        work.run("python src/fit.py", makes=["model/weights", "log"])
        return work.take("model/weights"), work.take("log")


@ms.step
def score(lookup: ms.Dataset, model_weights: ms.Files) -> tuple[ms.Files, ms.Metrics]:
    """The stage `score`."""
    with ms.workspace() as work:
        work.put(lookup, "lookup.csv")
        work.put(model_weights)
        work.run("score \\"it\\"", makes=["m.json"])
        return work.take("m.json"), work.metrics("m.json")


@ms.step(cache=False)
def gate(m: ms.Files, log: ms.Files) -> None:
    """The stage `gate`."""
    with ms.workspace() as work:
        work.put(m)
        work.put(log)
        work.run("gate")


@ms.pipeline
def stages(
    rides: ms.Dataset,
    lookup: ms.Dataset,
    train_rate: float = 0.001,
    stage_class: int = 5,
):
    """Every stage, after what it depends on."""
    model_weights, log = train(rides, train_rate, stage_class)
    m, score_m = score(lookup, model_weights)
    gate(m, log)
    return score_m
''')
    assert flow.left_out == (
        "lookup.csv, which stage 'score' reads, is no version here: mainspring data add lookup lookup.csv",
    )


def test_no_stages_are_no_pipeline(written: Written) -> None:
    written.commit("Nothing")

    with pytest.raises(Invalid, match="no stages"):
        flow_of(open_repository(written.root), {})


def test_names_are_those_of_paths_unless_others_are_given() -> None:
    assert named(["data/a.csv", "b/c.d"], [], {"b/c.d": "mine"}) == {
        "data/a.csv": "a",
        "b/c.d": "mine",
    }
    with pytest.raises(Invalid, match="no data at 'x'"):
        named(["a"], [], {"x": "y"})
    with pytest.raises(Conflict, match="would both become"):
        named(["a.csv", "a.txt"], ["a.csv", "a.txt"], {})


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "rides")


def test_parameters_are_called_like_their_datasets_whatever_stages_are_called(
    written: Written,
) -> None:
    written.add_file("data/rides.csv", b"id\n1\n")
    written.add_folder("data/2024-photos", {"a": b"a"})
    written.write("params.json", '{"top": .5, "limit": 1e999, "gone": null}'.replace(".5", "0.5"))
    written.write(
        "dvc.yaml",
        "stages:\n  rides:\n    cmd: x\n    desc: 'Say \"it\"'\n    deps: [data]\n"
        "    params: [params.json: [top, limit, absent], params.py: [a]]\n    outs: [rides]\n",
    )
    written.write("params.py", "a = 1\n")
    written.commit("All")

    flow = flow_of(
        open_repository(written.root),
        {"data/rides.csv": "rides", "data/2024-photos": "2024_photos"},
    )

    compile(flow.text, "flow.py", "exec")
    assert 'work.put(rides, "data/rides.csv")' in flow.text
    assert 'files=["params.json", "params.py"]' in flow.text
    assert "top: float = 0.5" in flow.text and "limit" not in flow.text
    assert "rides_3 = rides_2(stage_2024_photos, rides, top)" in flow.text
    assert flow.left_out == (
        "the name of '2024_photos', which can't be a parameter's: run the pipeline with "
        "--data stage_2024_photos=2024_photos",
    )


def test_a_long_list_of_parameters_has_a_line_each(written: Written) -> None:
    names = [f"a_parameter_with_a_long_name_{number}" for number in range(4)]
    written.write("params.yaml", "".join(f"{name}: 1\n" for name in names))
    written.write("dvc.yaml", f"stages: {{fit: {{cmd: x, params: [{', '.join(names)}]}}}}")
    written.commit("Long")

    text = flow_of(open_repository(written.root), {}).text

    assert f"def fit(\n    {names[0]}: int,\n" in text
    assert max(len(line) for line in text.splitlines() if "work." not in line) <= 104


@pytest.mark.parametrize("name", ["-x", "a b", "", "x" * 201])
def test_a_name_that_no_dataset_can_have_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="can't name a dataset"):
        named(["a"], [], {"a": name})
