"""The last client of MLflow 2, unchanged, against a real server: the same script on both databases."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.mlflow, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def saw(seen_by: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """What the script saw."""
    return seen_by("client2_script.py", ".venv-mlflow2")


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
