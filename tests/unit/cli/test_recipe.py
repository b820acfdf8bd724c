"""`mainspring import recipe`: projects of MLflow Recipes become pipelines that train."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mainspring.cli.main import run_command
from mainspring.services.declaration import read_declaration

RECIPES = Path(__file__).parents[2] / "data" / "recipes"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MAINSPRING_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "project"


def a_recipe(kind: str, folder: Path, *, row_count: int = 2000) -> None:
    """A recipe with data: fares known to within 2, or red wine that is sourer than white."""
    shutil.copytree(RECIPES / kind, folder)
    (folder / "data").mkdir()
    random = np.random.default_rng(0)
    if kind == "regression":
        distance = random.gamma(2.0, 3.0, row_count)
        zone = random.choice(["airport", "centre", "north"], row_count)
        fare = 3 + 2.2 * distance + np.where(zone == "airport", 12, 0)
        fare += random.normal(0, 2, row_count)
        fare[::400] = np.nan
        hour = random.integers(0, 24, row_count)
        columns = {"distance": distance, "hour": hour, "zone": zone, "fare": fare}
        pl.DataFrame(columns, nan_to_null=True).write_parquet(folder / "data" / "trips.parquet")
        return
    is_red = random.integers(0, 2, row_count)
    columns = {
        "acidity": random.normal(6 + 2 * is_red, 1, row_count).round(3),
        "sugar": random.gamma(2.0, 2.0 - is_red, row_count).round(3),
        "lot": np.arange(row_count) // 20,
        "is_red": is_red,
    }
    pl.DataFrame(columns).write_csv(folder / "data" / "wine.csv", separator=";")


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code = run_command([*words, "--json"])
    said = capsys.readouterr()
    assert code == 0, said.err
    return json.loads(said.out)


def trained(capsys: pytest.CaptureFixture[str], folder: Path, dataset: str, pipeline: str) -> str:
    """What a run of the imported pipeline says at its end."""
    (data,) = (folder / "data").iterdir()
    assert run_command(["data", "add", dataset, str(data)]) == 0
    code = run_command(["run", f"flow:{pipeline}", "--project", str(folder)])
    said = capsys.readouterr()
    assert code == 0, said.out + said.err
    return said.out


def metrics_of(said: str) -> dict[str, float]:
    line = next(line for line in said.splitlines() if line.strip().startswith("metrics:"))
    pairs = (pair.rsplit(" ", 1) for pair in line.partition(":")[2].split(", "))
    return {name.strip(): float(value) for name, value in pairs}


@pytest.mark.slow
def test_a_regression_recipe_trains_as_it_did(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_recipe("regression", folder)

    written = ask(capsys, "import", "recipe", str(folder))
    metrics = metrics_of(trained(capsys, folder, "trips", "taxi_fare"))

    assert written["files"] == ["flow.py", "mainspring.toml", "trips.schema.toml"]
    # The noise in the fares is 2.
    assert 1.8 < metrics["rmse"] < 2.4
    assert {"max_error", "weighted_mean_squared_error", "validation_rmse"} <= metrics.keys()


@pytest.mark.slow
def test_a_classification_recipe_keeps_its_own_loader_and_split(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_recipe("classification", folder)

    written = ask(capsys, "import", "recipe", str(folder))
    metrics = metrics_of(trained(capsys, folder, "wine", "project"))

    assert written["files"] == ["flow.py", "mainspring.toml"]
    assert metrics["f1_score"] > 0.8
    assert metrics["roc_auc"] > 0.9


SPLIT = """
import math, flow, pandas as pd, polars as pl
table = pl.read_parquet("data/trips.parquet")
frame = pd.DataFrame({name: table[name].to_numpy() for name in table.columns})
rows, validation, test = flow.split(frame)
model = flow.train(flow.transform(rows), rows)
errors = model.estimator.predict(rows.drop(columns=["fare"])) - rows["fare"]
print(len(rows), len(validation), len(test), math.sqrt((errors**2).mean()))
"""


def test_rows_are_split_as_by_mlflow_itself(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_recipe("regression", folder)
    ask(capsys, "import", "recipe", str(folder))

    done = subprocess.run(
        [sys.executable, "-c", SPLIT], cwd=folder, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    *counts, error = done.stdout.split()
    # What `Recipe("local").run("split")` of MLflow 2.22.5 gave on this very data.
    assert counts == ["1502", "247", "244"]
    assert 1.8 < float(error) < 2.2  # the noise in the fares is 2


def test_limits_become_gates_and_the_register_step_the_service(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_recipe("regression", folder)

    ask(capsys, "import", "recipe", str(folder))

    (spec,) = read_declaration(folder / "mainspring.toml").services
    assert (spec.name, spec.model, spec.pipeline) == ("taxi_fare", "taxi_fare", "flow:taxi_fare")
    assert [(gate.metric, gate.min, gate.max) for gate in spec.gates] == [
        ("rmse", None, 10.0),
        ("mae", None, 50.0),
        ("max_error", None, 500.0),
        ("weighted_mean_squared_error", None, 100.0),
    ]


def test_what_can_not_be_carried_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_recipe("classification", folder)

    written = ask(capsys, "import", "recipe", str(folder), "--profile", "tuned")

    assert written["left_out"] == ["train: tuning of C; estimator_params are used"]


def test_automl_is_said_and_stood_in_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_recipe("regression", folder)
    recipe = folder / "recipe.yaml"
    text = recipe.read_text().replace(
        "  train:\n    using: custom", "  train:\n    using: automl/flaml"
    )
    recipe.write_text(text.replace("    estimator_method: estimator_fn\n", ""))

    written = ask(capsys, "import", "recipe", str(folder))

    assert any("chooses an estimator by itself" in line for line in written["left_out"])
    assert "HistGradientBoostingRegressor" in (folder / "flow.py").read_text()


def test_nothing_that_is_there_is_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_recipe("regression", folder)
    (folder / "mainspring.toml").write_text("# mine\n")

    assert run_command(["import", "recipe", str(folder)]) == 4

    assert (folder / "mainspring.toml").read_text() == "# mine\n"
    assert not (folder / "flow.py").exists()


def edited(folder: Path, old: str, new: str, file: str = "recipe.yaml") -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("regression/v1", "ranking/v1", "of the kind 'ranking/v1'"),
        ("{{MAX_RMSE}}", "{{NO_SUCH}}", "'NO_SUCH' is undefined"),
        ('target_col: "fare"', "", "has no target_col"),
        ("estimator_fn", "no_such_function", "no_such_function"),
        ("estimator_fn", "__import__('os')", "names no function"),
        ("target_col", "target_col: [", "can't be read"),
        (
            "{{MAX_RMSE}}",
            "{{ ''.__class__.__mro__[1].__subclasses__() }}",
            "can't be read",
        ),
    ],
)
def test_a_recipe_that_can_not_be_read_says_why(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    old: str,
    new: str,
    says: str,
) -> None:
    a_recipe("regression", folder)
    edited(folder, old, new)

    assert run_command(["import", "recipe", str(folder)]) == 2

    assert says in capsys.readouterr().err
    assert not (folder / "flow.py").exists()


def test_a_folder_without_a_recipe_or_its_profile_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_recipe("regression", folder)

    assert run_command(["import", "recipe", str(folder / "data")]) == 3
    assert run_command(["import", "recipe", str(folder), "--profile", "prod"]) == 3

    assert "profiles/prod.yaml" in capsys.readouterr().err


def test_no_code_of_the_recipe_is_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a_recipe("regression", folder)
    ran = folder / "ran"
    edited(folder, '"""What learns', f'open({str(ran)!r}, "w")\n"""What learns', "steps/train.py")

    ask(capsys, "import", "recipe", str(folder))

    assert not ran.exists()
