"""Exported workflows and those of `mainspring ci init`: linted, audited, and carried out."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.contract.exports.conftest import Project


@pytest.fixture
def repository(project: Project) -> Path:
    """The project as a git repository, in which the linters look for workflows."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-C", str(project.folder)]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *words], check=True)
    (project.folder / ".github" / "workflows").mkdir(parents=True)
    return project.folder


def lint(project: Project, tools: Path, workflow: Path) -> None:
    """Syntax, types of expressions and needs by actionlint; rights, pins and injections by zizmor."""
    project.run(tools / "actionlint", workflow)
    project.run(tools / "zizmor", "--offline", "--no-progress", "--persona=pedantic", workflow)
    schema = ["--builtin-schema", "vendor.github-workflows"]
    project.run(tools / "check-jsonschema", *schema, workflow)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_exported_workflow_is_clean_and_gives_the_same_result(
    project: Project, repository: Path, tools: Path
) -> None:
    workflow = repository / ".github" / "workflows" / "demand.yml"
    workflow.write_text(project.export("github", "--schedule", "0 3 * * 1"))

    lint(project, tools, workflow)
    project.run(
        tools / "act",
        "workflow_dispatch",
        "--platform=self-hosted=-self-hosted",
        "--no-cache-server",
        HOME=str(project.home.parent),
    )

    project.check_as_native()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_linters_would_tell(project: Project, repository: Path, tools: Path) -> None:
    workflow = repository / ".github" / "workflows" / "demand.yml"
    source = project.export("github")
    workflow.write_text(source.replace("needs: [begin, train]", "needs: [begin, trains]"))
    with pytest.raises(AssertionError, match="trains"):
        project.run(tools / "actionlint", workflow)
    workflow.write_text(source.replace("$(mainspring run begin", "$(echo ${{ inputs.k }}"))
    with pytest.raises(AssertionError, match="template-injection"):
        lint(project, tools, workflow)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_workflow_of_ci_init_is_clean(project: Project, repository: Path, tools: Path) -> None:
    project.run("mainspring", "ci", "init", "github")
    project.run("mainspring", "ci", "init", "gitlab")

    lint(project, tools, repository / ".github" / "workflows" / "models.yml")
    check_gitlab(project, tools)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_exported_gitlab_pipeline_fits_the_schema_and_gives_the_same_result(
    project: Project, tools: Path
) -> None:
    source = project.export("gitlab")
    (project.folder / ".gitlab-ci.yml").write_text(source)

    check_gitlab(project, tools)
    GitLab(project, yaml.safe_load(source)).carry_out()

    project.check_as_native()


def check_gitlab(project: Project, tools: Path) -> None:
    schema = ["--builtin-schema", "vendor.gitlab-ci"]
    project.run(tools / "check-jsonschema", *schema, project.folder / ".gitlab-ci.yml")


class GitLab:
    """Carries the jobs of a pipeline out in the order of their needs, as runners do."""

    def __init__(self, project: Project, pipeline: dict[str, Any]) -> None:
        self.project = project
        self.jobs = {name: job for name, job in pipeline.items() if "script" in job}
        self.variables = {"CI_PIPELINE_ID": "17"}
        for name, each in pipeline["variables"].items():
            self.variables[name] = each["value"]

    def carry_out(self) -> None:
        done: list[str] = []
        while len(done) < len(self.jobs):
            name, job = next(
                (name, job)
                for name, job in self.jobs.items()
                if name not in done and set(job.get("needs", [])) <= set(done)
            )
            self.project.run("bash", "-euc", "\n".join(job["script"]), **self.variables)
            if report := job.get("artifacts", {}).get("reports", {}).get("dotenv"):
                line = (self.project.folder / report).read_text().strip()
                self.variables |= dict([line.split("=", 1)])
            done.append(name)
