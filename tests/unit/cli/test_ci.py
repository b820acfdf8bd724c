"""`mainspring ci`: the same verdict everywhere, and nothing changed by it."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest
import yaml

from mainspring.cli.ci.report import COMMENT_MARK, junit, markdown
from mainspring.cli.ci.verdict import Case, MetricChange, Outcome, ServiceVerdict, verdict_of
from mainspring.cli.ci.workflows import SYSTEMS, workflow_of
from mainspring.cli.main import run_command


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with data, and a home that knows the results of its pipeline."""
    folder = tmp_path_factory.mktemp("ci")
    (folder / "project").mkdir()
    before = Path.cwd()
    os.chdir(folder / "project")
    try:
        home = ["--home", str(folder / "home")]
        assert run_command(["init", *home]) == 0
        assert run_command(["data", "add", "orders", "orders.csv", *home]) == 0
        assert run_command(["ci", "check", "-q", *home]) == 0
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def project(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of it to work in."""
    shutil.copytree(begun, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy" / "project")
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "copy" / "home"))
    monkeypatch.delenv("MAINSPRING_URL", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    yield tmp_path / "copy" / "project"


def ci(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, object]:
    capsys.readouterr()
    assert run_command(["ci", "-q", "--json", *arguments]) == code
    verdict: dict[str, object] = json.loads(capsys.readouterr().out)
    return verdict


def cases_of(verdict: dict[str, object]) -> dict[str, str]:
    services = verdict["services"]
    assert isinstance(services, list)
    return {f"{c['suite']} {c['name']}": c["outcome"] for s in services for c in s["cases"]}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_good_project_passes_and_nothing_is_run_twice(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = ci(capsys, "--out", "one")
    ci(capsys, "--out", "two")

    assert first["passed"] is True
    (service,) = first["services"]  # type: ignore[misc]
    assert service["ran"] == []
    assert set(cases_of(first).values()) == {"passed"}
    assert {path.name for path in (project / "one").iterdir()} == {
        "report.md",
        "junit.xml",
        "verdict.json",
    }
    for name in ("report.md", "junit.xml", "verdict.json"):
        assert (project / "one" / name).read_bytes() == (project / "two" / name).read_bytes()
    assert run_command(["model", "list"]) == 0
    assert "amount" not in capsys.readouterr().out


def test_only_what_an_edit_reaches_is_run(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "flow.py").open("a") as flow:
        flow.write("\n# a comment\n")
    (service,) = ci(capsys)["services"]  # type: ignore[misc]
    assert service["ran"] == []

    edit(project / "flow.py", "random_state=0", "random_state=1")
    (service,) = ci(capsys)["services"]  # type: ignore[misc]

    assert "train" in service["ran"]
    assert "train" not in service["reused"]
    assert service["reused"] != []


def test_a_gate_that_is_not_passed_ends_with_1(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "mainspring.toml").open("a") as toml:
        toml.write('\n[[service.amount.gate]]\nmetric = "mae"\nmax = 0.000001\n')

    verdict = ci(capsys, "--out", "report", code=1)

    assert verdict["passed"] is False
    root = ElementTree.parse(project / "report" / "junit.xml").getroot()
    assert root.find(".//failure[@type='failed']") is not None
    assert "the gate asks for at most 1e-06" in (project / "report" / "report.md").read_text()


def test_slices_that_keep_the_candidate_out_are_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "mainspring.toml").open("a") as toml:
        toml.write(
            '\n[[service.amount.gate]]\nmetric = "mae"\nmax = 0.000001\n'
            'slices = { by = ["amount"], min_rows = 20 }\n'
            '[[service.amount.gate]]\nmetric = "mae"\nmax = 1e9\nslices = { by = ["nowhere"] }\n'
        )

    verdict = ci(capsys, code=1)

    cases = cases_of(verdict)
    assert cases["gates mae in slices of amount"] == "failed"
    assert cases["gates mae in slices of nowhere"] == "inconclusive"
    text = json.dumps(verdict)
    assert "slices judged" in text
    assert "failed: amount >= " in text
    assert "no column 'nowhere'" in text


def test_a_metric_that_was_not_measured_is_inconclusive_and_does_not_pass(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (project / "mainspring.toml").open("a") as toml:
        toml.write('\n[[service.amount.gate]]\nmetric = "happiness"\nmin = 1\n')

    verdict = ci(capsys, code=1)

    assert cases_of(verdict)["gates happiness"] == "inconclusive"


def test_data_that_the_changed_schema_refuses_stops_it_before_any_step(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = next(project.glob("*.schema.toml"))
    with schema.open("a") as toml:
        toml.write('\n[column.never_there]\ntype = "string"\n')

    verdict = ci(capsys, code=1)

    found = cases_of(verdict)
    assert found["data orders version 1"] == "failed"
    assert found["pipeline flow:amount"] == "not-run"


def test_code_that_fails_is_a_failed_case(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(project / "flow.py", "import", "import nothing_like_it\nimport")

    verdict = ci(capsys, code=1)

    assert cases_of(verdict)["pipeline flow:amount"] == "failed"


@pytest.mark.parametrize(
    ("text", "told"),
    [("x =", "not valid TOML"), ("[service.a]\npipeline = 'flow:x'\n", "has no 'data'")],
)
def test_a_wrong_declaration_is_reported(
    project: Path, capsys: pytest.CaptureFixture[str], text: str, told: str
) -> None:
    (project / "mainspring.toml").write_text(text)

    verdict = ci(capsys, code=1)

    (case,) = verdict["cases"]  # type: ignore[misc]
    assert told in case["detail"]
    assert "mainspring.toml" in case["detail"]


def test_the_report_is_added_to_the_summary_of_a_github_job(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = project / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))

    ci(capsys)

    assert summary.read_text().startswith(f"before\n{COMMENT_MARK}\n## Mainspring: passed")


def test_data_of_another_version_is_taken_when_it_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.read_csv("orders.csv").head(1500).write_csv("fewer.csv")
    assert run_command(["data", "add", "orders", "fewer.csv"]) == 0

    assert "data orders version 2" in cases_of(ci(capsys))
    assert "data orders version 1" in cases_of(ci(capsys, "--data", "orders@1"))


def test_no_text_breaks_out_of_a_report() -> None:
    case = Case(
        suite="data",
        name="<script>`|",
        outcome=Outcome.FAILED,
        detail="first | <b>\x00\nsecond\n```\n<img>",
    )
    service = ServiceVerdict(
        service="a", cases=(case,), metrics=(MetricChange(name="mae|x", value=1.0, champion=2.0),)
    )
    verdict = verdict_of((), (service,))

    text = markdown(verdict)
    root = ElementTree.fromstring(junit(verdict).encode())

    assert "\\<b\\>" in text
    assert text.count("```") == 2
    assert "mae\\|x | 1 | 2 | -1 (-50.0%)" in text
    assert root.find(".//failure") is not None


def test_a_project_without_services_does_not_pass() -> None:
    assert not verdict_of((), ()).passed


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_workflow_is_written_once(
    project: Path, capsys: pytest.CaptureFixture[str], system: str
) -> None:
    path, content = workflow_of(system)

    assert run_command(["ci", "init", system]) == 0
    assert path.read_text() == content
    assert "mainspring ci --out" in content
    assert run_command(["ci", "init", system]) == 4
    assert run_command(["ci", "init", system, "--force"]) == 0


def test_actions_are_pinned_and_rights_are_the_least() -> None:
    workflow = yaml.safe_load(workflow_of("github")[1])

    job = workflow["jobs"]["check"]
    assert workflow["permissions"] == {}
    assert job["permissions"] == {"contents": "read"}
    for step in job["steps"]:
        if "uses" in step:
            assert len(step["uses"].partition("@")[2]) == 40
