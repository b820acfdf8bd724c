"""Exported manifests: strict schemas, and the commands in them carried out as a cluster would."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.contract.exports.conftest import Project, command_of

STRICT = """
import json, sys
from hera.workflows.models import CronWorkflow, Workflow
given = json.load(sys.stdin)
model = {"Workflow": Workflow, "CronWorkflow": CronWorkflow}[given["kind"]].model_validate(given)
kept = json.loads(model.model_dump_json(by_alias=True, exclude_none=True))

def left(given, kept, path=""):
    # Hera lets keys that it doesn't know pass, and drops them.
    if isinstance(given, dict):
        assert isinstance(kept, dict), path
        for key in given:
            assert key in kept, f"Argo knows no {path}.{key}"
            left(given[key], kept[key], f"{path}.{key}")
    elif isinstance(given, list):
        assert len(given) == len(kept), path
        for number, (one, other) in enumerate(zip(given, kept)):
            left(one, other, f"{path}[{number}]")

left(given, kept)
"""


def check_argo(project: Project, tools: Path, manifest: dict[str, Any]) -> None:
    script = STRICT.replace("json.load(sys.stdin)", f"json.loads({json.dumps(manifest)!r})")
    project.run(tools / "python", "-c", script)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_manifests_for_kubernetes_pass_the_strict_schema(
    project: Project, tools: Path, tmp_path: Path
) -> None:
    job, cron = tmp_path / "job.yaml", tmp_path / "cron.yaml"
    manifest = yaml.safe_load(project.export("kubernetes"))
    # The validator wants a name where `kubectl create` makes one.
    manifest["metadata"]["name"] = "demand-x"
    job.write_text(yaml.safe_dump(manifest))
    cron.write_text(project.export("kubernetes", "--schedule", "0 3 * * 1 Europe/Berlin"))

    project.run(tools / "kubernetes-validate", "--strict", job, cron)

    manifest["spec"]["parallel"] = 1
    job.write_text(yaml.safe_dump(manifest))
    with pytest.raises(AssertionError, match="parallel"):
        project.run(tools / "kubernetes-validate", "--strict", job)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_command_of_a_job_gives_the_same_result_also_when_its_pod_is_replaced(
    project: Project,
) -> None:
    manifest = yaml.safe_load(project.export("kubernetes"))
    [container] = manifest["spec"]["template"]["spec"]["containers"]
    command = command_of(container, {"$(JOB)": "0d6e3a"})

    first, second = project.run(*command), project.run(*command)

    assert first == second
    project.check_as_native()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_cron_workflow_is_what_argo_knows(project: Project, tools: Path) -> None:
    manifest = yaml.safe_load(project.export("argo", "--schedule", "0 3 * * 1 Europe/Berlin"))

    check_argo(project, tools, manifest)

    assert manifest["spec"]["timezone"] == "Europe/Berlin"
    manifest["spec"]["workflowSpec"]["templates"][0]["dags"] = {}
    with pytest.raises(AssertionError, match=r"Argo knows no .*\.dags"):
        check_argo(project, tools, manifest)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_commands_of_a_workflow_give_the_same_result(project: Project, tools: Path) -> None:
    manifest = yaml.safe_load(project.export("argo"))
    check_argo(project, tools, manifest)

    Argo(project, manifest["spec"]).carry_out()

    project.check_as_native()


class Argo:
    """Carries the DAG of a workflow out, task by task, as its controller does."""

    def __init__(self, project: Project, spec: dict[str, Any]) -> None:
        self.project = project
        self.templates = {template["name"]: template for template in spec["templates"]}
        self.values = {"{{workflow.uid}}": "0d6e3a"}
        for each in spec["arguments"]["parameters"]:
            self.values[f"{{{{workflow.parameters.{each['name']}}}}}"] = each["value"]

    def carry_out(self) -> None:
        done: set[str] = set()
        tasks = list(self.templates["main"]["dag"]["tasks"])
        while tasks:
            task = next(
                t for t in tasks if set(re.findall(r"[\w-]+", t.get("depends", ""))) <= done
            )
            tasks.remove(task)
            if "withParam" in task:
                for item in json.loads(self.filled(task["withParam"])):
                    self.start(task, {"{{item}}": item})
            else:
                result = f"{{{{tasks.{task['name']}.outputs.result}}}}"
                self.values[result] = self.start(task, {}).strip()
            done.add(task["name"])

    def start(self, task: dict[str, Any], more: dict[str, str]) -> str:
        template = self.templates[task["template"]]
        values = dict(self.values)
        for each in task.get("arguments", {}).get("parameters", []):
            value = self.filled(each["value"]).replace("{{item}}", more.get("{{item}}", ""))
            values[f"{{{{inputs.parameters.{each['name']}}}}}"] = value
        declared = {each["name"] for each in template.get("inputs", {}).get("parameters", [])}
        assert declared == {e["name"] for e in task.get("arguments", {}).get("parameters", [])}
        return self.project.run(*command_of(template["container"], values))

    def filled(self, text: str) -> str:
        for name, value in self.values.items():
            text = text.replace(name, value)
        return text
