"""The last client of MLflow 2, unchanged, against a real server: the same script on both databases."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mainspring.app import open_app
from mainspring.config import Settings
from mainspring.server.control import create_app_on
from mainspring.testing.apps import TESTER
from mainspring.testing.web import served

ROOT = Path(__file__).parents[3]
CLIENT = ROOT / ".venv-mlflow2" / "bin" / "python"
SCRIPT = Path(__file__).with_name("client2_script.py")

pytestmark = [pytest.mark.mlflow, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def saw(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the script saw."""
    if not CLIENT.exists():
        pytest.fail("there is no .venv-mlflow2: make it with `make setup-mlflow`", pytrace=False)
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    folder = tmp_path_factory.mktemp("mlflow2")
    app = open_app(Settings(home=folder / "home", database=database), actor=TESTER)
    with served(create_app_on(app)) as url:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "GIT_PYTHON_REFRESH": "quiet",
            "MLFLOW_TRACKING_URI": url,
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        }
        done = subprocess.run(
            [CLIENT, SCRIPT],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=folder,
            env=environment,
            check=False,
        )
    app.close()
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_it_is_the_last_client_of_mlflow_2(saw: dict[str, Any]) -> None:
    assert saw["client"].startswith("2.22.")


def test_its_runs_are_kept_whole(saw: dict[str, Any]) -> None:
    assert saw["run"] == {
        "status": "FINISHED",
        "metrics": {"loss": 1 / 3},
        "params": {"depth": "6"},
        "kind": "old",
        "history": [1.0, 0.5, 1 / 3],
        "artifacts": ["folder", "notes"],
        "text": "hello",
        "inputs": ["rides"],
        "found": 1,
    }


def test_its_models_are_logged_registered_staged_and_loaded(saw: dict[str, Any]) -> None:
    model = saw["model"]

    assert model["autologged_params"]
    assert "training_mean_absolute_error" in model["autologged"]
    assert set(model["predictions"]) == {"uri", "stage", "alias", "number", "latest"}
    assert all(p == pytest.approx([0.0, 2.0, 4.0]) for p in model["predictions"].values())
    assert (model["stage"], model["tags"]) == ("Production", {"checked": "yes"})
    assert (model["latest"], model["searched"]) == (["1"], ["1"])
    assert saw["archived"] == "Archived"
