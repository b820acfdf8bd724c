"""A day's work on the command line, in a real home: from a table to a declared service."""

import contextlib
import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from mainspring.app import open_app
from mainspring.blobs.local import LocalBlobs
from mainspring.cli.demo.folder import example_folder
from mainspring.cli.main import run_command
from mainspring.config import Settings
from mainspring.domain.run import Lifecycle
from mainspring.testing.apps import TESTER
from mainspring.tracking.requests import CreateRun, RecordArtifact, UpdateRun


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a home beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MAINSPRING_URL", raising=False)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def orders(rows: int = 200) -> pl.DataFrame:
    number = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {
            "id": number,
            "country": ["de", "fr"] * (rows // 2),
            "items": number % 7,
            "paid": (number * 31 % 97) / 2.0 + 1,
        }
    )


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    """A command's result as JSON."""
    assert run_command([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_quick_start_works_as_it_is_printed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["init"]) == 0
    assert run_command(["data", "add", "orders", "orders.csv"]) == 0
    assert run_command(["run", "flow:amount"]) == 0
    assert run_command(["apply"]) == 0

    said = capsys.readouterr()
    assert "orders version 1 accepted, 2,000 rows" in said.out
    assert "metrics: mae" in said.out
    assert "train: succeeded" in said.err
    assert "service amount: new" in said.out


def test_a_project_written_for_ones_own_data_names_its_columns(project: Path) -> None:
    orders().write_parquet("orders.parquet")

    assert run_command(["init", "new", "--data", "orders.parquet", "--target", "paid"]) == 0

    flow = (project / "new" / "flow.py").read_text()
    assert 'INPUTS = ["country", "items"]' in flow
    assert "HistGradientBoostingRegressor" in flow
    compile(flow, "flow.py", "exec")


def test_what_init_says_to_type_next_works_where_it_says(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pl.DataFrame({"price": [1.5, 2.5] * 30, "paid": [0, 1] * 30}).write_parquet("orders.parquet")
    assert run_command(["init", "new", "--data", "orders.parquet", "--target", "paid"]) == 0
    said = capsys.readouterr().out

    monkeypatch.chdir(project / "new")

    typed = next(line.split() for line in said.splitlines() if "mainspring data add" in line)
    assert typed[-1] == "../orders.parquet"
    assert run_command(typed[1:]) == 0


def test_lists_of_commands_show_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ("data", "schema", "import", "model"):
        assert run_command([group, "--help"]) == 0

    said = capsys.readouterr().out
    assert [
        line for line in said.splitlines() if line.startswith("  ") and line.endswith("...")
    ] == []


def test_init_replaces_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "flow.py").write_text("mine")
    orders().write_parquet("orders.parquet")

    assert run_command(["init", "--data", "orders.parquet", "--target", "paid"]) == 4

    assert "already has flow.py" in capsys.readouterr().err
    assert (project / "flow.py").read_text() == "mine"
    assert not (project / "mainspring.toml").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--target", "price"], 3, "no column 'price'"),
        ([], 2, "which column is to be predicted?"),
        (["--target", "paid", "--service", "train"], 2, "means something else in flow.py"),
        (["--target", "paid", "--name", "1st"], 2, "can't be a name in Python code"),
    ],
)
def test_init_says_what_it_needs(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    orders().write_parquet("orders.parquet")

    assert run_command(["init", "new", "--data", "orders.parquet", *arguments]) == code

    assert said in capsys.readouterr().err


def test_a_refused_delivery_shows_rows_and_ends_with_6(
    capsys: pytest.CaptureFixture[str],
) -> None:
    orders().write_parquet("orders.parquet")
    orders().with_columns(country=pl.lit("mars")).write_parquet("bad.parquet")
    assert run_command(["data", "add", "orders", "orders.parquet"]) == 0
    assert run_command(["schema", "infer", "orders", "-o", "orders.schema.toml"]) == 0
    capsys.readouterr()

    assert run_command(["schema", "check", "bad.parquet", "--schema", "orders.schema.toml"]) == 6

    said = capsys.readouterr()
    assert "row 0: country=mars" in said.out
    assert "fails 1 blocking check" in said.err


def test_versions_are_compared_and_checked_out(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders(200).write_parquet("orders.parquet")
    assert run_command(["data", "add", "orders", "orders.parquet"]) == 0
    orders(300).write_parquet("orders.parquet")
    assert run_command(["data", "add", "orders", "orders.parquet"]) == 0
    assert run_command(["data", "diff", "orders", "1"]) == 0
    assert run_command(["data", "checkout", "orders", "old", "--number", "1"]) == 0

    said = capsys.readouterr().out
    assert "~ orders.parquet" in said
    assert "rows: +100" in said
    assert pl.read_parquet(project / "old" / "orders.parquet").height == 200


def bikes(project: Path) -> None:
    for name in ("flow.py", "mainspring.toml", "rides.schema.toml"):
        shutil.copy(example_folder() / name, project / name)


def test_applying_says_what_changes_and_a_dry_run_changes_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bikes(project)

    assert run_command(["apply", "--dry-run"]) == 0
    assert "service demand: new\n(dry run" in capsys.readouterr().out
    assert ask(capsys, "service", "list") == []
    assert run_command(["apply"]) == 0
    (project / "flow.py").write_text((project / "flow.py").read_text() + "\n# a word\n")
    declaration = project / "mainspring.toml"
    declaration.write_text(declaration.read_text().replace("max = 90.0", "max = 80.0"))
    capsys.readouterr()

    assert run_command(["apply"]) == 0

    assert capsys.readouterr().out == "service demand: changed: gates, code\n"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('data = { rides = "rides" }', 'data = { riders = "rides" }', "needs data for `rides`"),
        (
            'data = { rides = "rides" }',
            'data = { rides = "rides", more = "more" }',
            "takes no data `more`",
        ),
        ('"flow:demand"', '"flow:supply"', "supply"),
    ],
)
def test_a_declaration_that_its_pipeline_can_not_keep_is_refused(
    before: str, after: str, said: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bikes(project)
    declaration = project / "mainspring.toml"
    declaration.write_text(declaration.read_text().replace(before, after))

    assert run_command(["apply"]) in (2, 3)
    assert said in capsys.readouterr().err
    assert ask(capsys, "service", "list") == []


def test_damage_and_loss_are_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orders().write_parquet("orders.parquet")
    added = ask(capsys, "data", "add", "orders", "orders.parquet")
    assert isinstance(added, dict)
    blobs = LocalBlobs(home / "blobs")
    profile = blobs.path_of(added["version"]["profile"])
    profile.chmod(0o644)
    profile.write_bytes(b"something else")
    blobs.path_of(added["version"]["manifest"]).unlink()

    assert run_command(["fsck"]) == 8

    said = capsys.readouterr().out
    assert f"missing: {added['version']['manifest']}" in said
    assert f"damaged: {added['version']['profile']}" in said
    assert "dataset_versions.profile of" in said


def test_nothing_is_swept_while_something_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders().write_parquet("orders.parquet")
    added = ask(capsys, "data", "add", "orders", "orders.parquet")
    assert isinstance(added, dict)
    LocalBlobs(home / "blobs").path_of(added["version"]["manifest"]).unlink()

    assert run_command(["gc", "--delete", "--older-than", "0s"]) == 8

    assert "Nothing was deleted" in capsys.readouterr().err


def test_only_bytes_that_nothing_needs_are_swept(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orders().write_parquet("orders.parquet")
    assert run_command(["data", "add", "orders", "orders.parquet"]) == 0
    blobs = LocalBlobs(home / "blobs")
    stray = blobs.put_bytes(b"left behind")
    capsys.readouterr()

    assert ask(capsys, "gc", "--older-than", "1h") == _swept(0, 0, deleted=False)
    assert ask(capsys, "gc", "--older-than", "0s") == _swept(1, 11, deleted=False)
    assert blobs.exists(stray)
    assert ask(capsys, "gc", "--older-than", "0s", "--delete") == _swept(1, 11, deleted=True)
    assert not blobs.exists(stray)
    assert run_command(["fsck"]) == 0


def test_a_deleted_runs_files_free_the_disk_once_that_is_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with contextlib.closing(open_app(Settings(home=home), actor=TESTER)) as app:
        stored = app.blobs.put_bytes(b"weights of a deleted run")
        shared = app.blobs.put_bytes(b"the same in a run that stays")
        deleted, kept = (app.call(CreateRun(experiment="0")).id for _ in range(2))
        for run, digest in ((deleted, stored), (deleted, shared), (kept, shared)):
            root = f"0/{run}/artifacts"
            app.call(
                RecordArtifact(
                    root=root, path=digest, digest=digest, size_bytes=app.blobs.size_bytes(digest)
                )
            )
        app.call(UpdateRun(run=deleted, lifecycle=Lifecycle.DELETED))

    now = ["gc", "--older-than", "0s"]
    assert run_command([*now, "--deleted-runs"]) == 2
    capsys.readouterr()
    assert ask(capsys, *now, "--delete") == _swept(0, 0, deleted=True)
    assert ask(capsys, *now, "--delete", "--deleted-runs") == _swept(1, 24, deleted=True)

    blobs = LocalBlobs(home / "blobs")
    assert (blobs.exists(stored), blobs.exists(shared)) == (False, True)
    assert run_command(["fsck"]) == 0


def _swept(count: int, size: int, *, deleted: bool) -> dict[str, object]:
    return {"blob_count": count, "size_bytes": size, "deleted": deleted}


def test_status_of_an_empty_home_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["status"]) == 0

    said = capsys.readouterr().out
    assert "`mainspring up` starts one" in said
    assert "write mainspring.toml, then `mainspring apply`" in said


def test_predicting_without_a_server_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAINSPRING_SERVING_PORT", "1")

    assert run_command(["predict", "demand", '{"hour": 8}']) == 7
    assert run_command(["predict", "demand", "{hour"]) == 2

    said = capsys.readouterr().err
    assert "Start it with `mainspring up`" in said
    assert "the rows are not JSON" in said


def test_editors_get_the_schema_of_a_declaration(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["apply", "--json-schema"]) == 0

    schema = json.loads(capsys.readouterr().out)
    assert "service" in str(schema)
    assert "$schema" in schema
