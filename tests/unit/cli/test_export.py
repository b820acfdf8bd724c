"""`mainspring export`: source that compiles or parses, says what it can't carry, and names code that is kept."""

import ast
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from mainspring.app import open_app
from mainspring.cli.bytes_in_use import walk
from mainspring.cli.export.command import TARGETS
from mainspring.cli.export.plan import plan_of
from mainspring.cli.main import run_command
from mainspring.config import Settings
from mainspring.domain.pipeline import (
    Condition,
    Graph,
    Node,
    NodeOutput,
    PipelineParameter,
)
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid
from mainspring.testing.apps import TESTER
from mainspring.tracking.requests import ListExperiments, SearchRuns

FLOW = """
import mainspring as ms

@ms.step
def numbers(n: int) -> list[int]:
    return list(range(n))

@ms.step(retries=3, retry_delay=2, retry_backoff=1.5, timeout="5m", cpus=4, memory="1.5GB", gpus=1)
def square(x: int) -> int:
    return x * x

@ms.step
def run(values: list[int]) -> int:
    return sum(values)

@ms.step
def is_odd(value: int) -> bool:
    return value % 2 == 1

@ms.step
def begin(value: int) -> int:
    return value

@ms.pipeline
def flow(n: int = 3, words: str = "it's $HOME \\\\ {x}", flag: bool = True):
    total = run(square.map(numbers(n)))
    ms.when(is_odd(total), lambda: begin(total))
    return begin(total)

@ms.pipeline
def asks(n: int):
    return numbers(n)
"""


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    (folder / "project").mkdir()
    (folder / "project" / "flow.py").write_text(FLOW)
    before = Path.cwd()
    os.chdir(folder / "project")
    try:
        home = ["--home", str(folder / "home")]
        assert run_command(["export", "airflow", "flow:flow", *home]) == 0
        assert run_command(["export", "airflow", "flow:asks", *home]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def project(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of a project whose pipelines were drawn up before."""
    shutil.copytree(begun, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy" / "project")
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "copy" / "home"))
    monkeypatch.delenv("MAINSPRING_URL", raising=False)
    yield tmp_path / "copy" / "project"


def export(
    capsys: pytest.CaptureFixture[str], target: str, *options: str, pipeline: str = "flow:flow"
) -> tuple[str, str]:
    """The source, and what was said beside it."""
    capsys.readouterr()
    assert run_command(["export", target, pipeline, *options]) == 0
    said = capsys.readouterr()
    return said.out, said.err


@pytest.mark.parametrize("target", TARGETS)
def test_every_source_is_well_formed_and_names_the_code(
    project: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    source, _ = export(capsys, target)

    code = json.loads(_json(capsys, target))["code"]
    assert code in source
    assert f"mainspring export {target} flow:flow" in source
    if target in ("airflow", "kfp"):
        tree = ast.parse(source)
        names = [n.id for n in ast.walk(tree) if isinstance(n, ast.Name)]
        assert {"run_2", "begin_2", "square"} <= set(names)
    else:
        assert yaml.safe_load(source)
    assert max(map(len, source.splitlines())) <= 125


def _json(capsys: pytest.CaptureFixture[str], target: str) -> str:
    capsys.readouterr()
    assert run_command(["export", target, "flow:flow", "--json"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("target", TARGETS)
def test_what_can_t_be_carried_is_said(
    project: Path, capsys: pytest.CaptureFixture[str], target: str
) -> None:
    _, said = export(capsys, target)

    words = {
        "airflow": "pool_slots",
        "kfp": "timeouts",
        "argo": "retry_backoff",
        "kubernetes": "a pod for each step",
        "github": "retries",
        "gitlab": "a job for each item",
    }
    assert "not carried: " in said
    assert words[target] in said


def test_values_reach_the_shell_as_values(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = json.dumps("it's $HOME \\ {x}")

    github, gitlab = (yaml.safe_load(export(capsys, t)[0]) for t in ("github", "gitlab"))

    inputs = github[True]["workflow_dispatch"]["inputs"]
    assert inputs["words"]["default"] == words
    env = github["jobs"]["begin"]["steps"][0]["env"]
    assert env["PARAM_WORDS"] == "${{ inputs.words || '" + words.replace("'", "''") + "' }}"
    assert gitlab["variables"]["PARAM_WORDS"]["value"] == words
    assert gitlab["variables"]["PARAM_WORDS"]["expand"] is False


def test_a_job_s_values_stand_for_no_variables(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = export(capsys, "kubernetes", "--param", 'words="$(MAINSPRING_DATABASE)"')

    words = yaml.safe_load(source)["spec"]["template"]["spec"]["containers"][0]["args"]
    assert 'words="$$(MAINSPRING_DATABASE)"' in words
    assert "$(JOB)" in words


def test_a_workflow_holds_values_and_names_that_yaml_reads_otherwise(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--param", 'words={"a": {"b": "c #d"}}', "--name", "daily: demand #1")

    workflow = yaml.safe_load(export(capsys, "github", *options)[0])

    env = workflow["jobs"]["begin"]["steps"][0]["env"]
    assert workflow["name"] == "daily: demand #1"
    assert env["PARAM_WORDS"] == """${{ inputs.words || '{"a": {"b": "c #d"}}' }}"""


def test_a_file_that_was_exported_is_no_code_of_the_pipeline(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = export(capsys, "airflow")
    for target, name in (("airflow", "dags/flow_dag.py"), ("argo", "flow.yaml")):
        assert run_command(["export", target, "flow:flow", "-o", name]) == 0

    again, _ = export(capsys, "airflow")

    assert again == first
    assert (project / "dags" / "flow_dag.py").read_text() == first


def test_what_was_exported_is_kept_and_recorded_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = json.loads(_json(capsys, "argo"))["code"]
    export(capsys, "argo")

    app = open_app(Settings(home=project.parent / "home"), actor=TESTER)
    try:
        needed = walk(app).needed
        experiments = app.call(ListExperiments())
        found = app.call(
            SearchRuns(
                experiments=tuple(e.id for e in experiments if e.name == "flow:flow"),
                filter="attributes.run_name = 'export-argo'",
            )
        )
    finally:
        app.close()
    assert Digest(code) in needed
    assert len(found.items) == 1
    assert found.items[0].tags["mainspring.project"] == code


def test_a_parameter_without_a_value_is_asked_for(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = export(capsys, "airflow", pipeline="flow:asks")
    given, _ = export(capsys, "airflow", "--param", "n=4", pipeline="flow:asks")

    assert '"n": Param(type=' in source
    assert '"n": 4,' in given
    assert run_command(["export", "kubernetes", "flow:asks"]) == 2
    assert "--param n=VALUE" in capsys.readouterr().err
    assert run_command(["export", "airflow", "flow:asks", "--schedule", "@daily"]) == 2
    assert "no value to the parameter 'n'" in capsys.readouterr().err


def test_a_time_zone_that_github_doesn_t_know_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = ["--schedule", "0 3 * * 1 Europe/Berlin"]

    assert run_command(["export", "github", "flow:flow", *schedule]) == 2

    assert "GitHub's schedules are in UTC" in capsys.readouterr().err
    assert 'timezone="Europe/Berlin"' in export(capsys, "airflow", *schedule)[0]


def test_data_and_parameters_that_are_not_there_are_refused(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["export", "argo", "flow:flow", "--param", "m=1"]) == 2
    assert "no parameter 'm'" in capsys.readouterr().err
    assert run_command(["export", "argo", "flow:flow", "--data", "rides=rides"]) == 2
    assert "no dataset 'rides'" in capsys.readouterr().err


def a_node(name: str, **more: object) -> Node:
    given: dict[str, object] = {"id": name, "step": f"flow:{name}"}
    for each in ("node_outputs", "datasets", "parameters", "constants"):
        given[each] = {}
    return Node(**(given | more))  # type: ignore[arg-type]


def test_names_that_targets_use_themselves_are_given_others() -> None:
    names = ["run", "step", "train", "train-2", "train_2", "für", "Train", "mainspring"]
    graph = Graph(
        pipeline="flow:class",
        parameters=(PipelineParameter(name="n", is_dataset=False),),
        nodes=tuple(a_node(name) for name in names),
        outputs=(),
    )

    plan = plan_of(graph, target="argo", code="sha256:0", image="i", command="c")

    assert [t.variable for t in plan.tasks] == [
        "run_2",
        "step_2",
        "train",
        "train_2",
        "train_2_2",
        "f_r",
        "Train",
        "mainspring_2",
    ]
    assert [t.slug for t in plan.tasks] == [
        "run-2",
        "step-2",
        "train",
        "train-2",
        "train-2-2",
        "f-r",
        "train-3",
        "mainspring-2",
    ]
    assert plan.variable == "class_2"


def test_a_task_waits_for_what_stands_behind_a_choice() -> None:
    decided = Condition(wanted=True, output=NodeOutput(node="a"))
    graph = Graph(
        pipeline="flow:flow",
        parameters=(),
        nodes=(
            a_node("a"),
            a_node("b", conditions=(decided,)),
            a_node(
                "when",
                step="mainspring:when",
                choice=decided,
                node_lists={"of": (NodeOutput(node="b"),)},
            ),
            a_node("c", node_outputs={"x": NodeOutput(node="when")}),
        ),
        outputs=(),
    )

    plan = plan_of(graph, target="argo", code="sha256:0", image="i", command="c")

    assert {t.name: t.upstream for t in plan.tasks} == {"a": (), "b": ("a",), "c": ("a", "b")}
    assert plan.task("b").when == "the result of a is true"
    assert [t.name for t in plan.last] == ["c"]


def test_a_pipeline_that_waits_is_refused_with_the_reason() -> None:
    graph = Graph(
        pipeline="flow:flow",
        parameters=(),
        nodes=(a_node("a"), a_node("wait", step="mainspring:wait")),
        outputs=(),
    )

    with pytest.raises(Invalid, match="flow:flow waits at wait, and another scheduler"):
        plan_of(graph, target="airflow", code="sha256:0", image="i", command="c")


def test_memory_and_gpus_are_asked_for_where_they_can_be(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kfp, _ = export(capsys, "kfp")
    argo = yaml.safe_load(export(capsys, "argo")[0])
    [container] = yaml.safe_load(export(capsys, "kubernetes")[0])["spec"]["template"]["spec"][
        "containers"
    ]
    _, said = export(capsys, "github")

    [square] = [t for t in argo["spec"]["templates"] if t["name"] == "square"]
    wanted = {
        "requests": {"cpu": "4", "memory": "1431Mi"},
        "limits": {"memory": "1431Mi", "nvidia.com/gpu": "1"},
    }
    assert square["container"]["resources"] == container["resources"] == wanted
    assert 'square.set_memory_request("1431Mi").set_memory_limit("1431Mi")' in kfp
    assert 'square.set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(1)' in kfp
    assert "memory and gpus: choose a runner" in said
