"""The real MLflow client, unchanged, against a real server: the same script on both databases."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.mlflow, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def saw(seen_by: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """What the script saw."""
    return seen_by("client_script.py")


def test_experiments_live_their_whole_life(saw: dict[str, Any]) -> None:
    assert saw["experiments"] == {
        "deleted": ["renamed"],
        "all": ["Default", "renamed", "rides"],
        "by_tag": ["rides"],
        "taken": "RESOURCE_ALREADY_EXISTS",
        "tags": {"team": "demand"},
    }


def test_a_run_keeps_all_that_was_logged(saw: dict[str, Any]) -> None:
    run = saw["run"]

    assert (run["status"], run["name"]) == ("FINISHED", "parent")
    assert run["params"] == {"depth": "6", "rate": "0.1"}
    assert run["loss"] == 0.05
    assert run["nan"]
    assert run["inf"]
    assert run["note"] == "a note"
    assert not run["has_gone"]
    assert run["history"] == list(range(20))
    assert run["inputs"] == [["rides", "training"]]
    assert run["child_of"]


def test_files_go_up_and_come_back(saw: dict[str, Any]) -> None:
    run = saw["run"]

    assert run["listed"] == ["a.json", "folder", "notes", "table.json"]
    assert run["listed_below"] == [
        ["folder/sub", True, None],
        ["folder/top with blank.txt", False, 3],
    ]
    assert run["files"] == [
        "a.json",
        "folder/sub/big.bin",
        "folder/top with blank.txt",
        "notes/hello.txt",
        "table.json",
    ]
    assert run["big_bytes"] == 3_000_000
    assert run["text"] == "hello"


def test_refusals_have_mlflows_codes(saw: dict[str, Any]) -> None:
    run, models = saw["run"], saw["models"]

    assert "Changing param values is not allowed" in run["param_changed"]
    assert run["bad_key"] == "INVALID_PARAMETER_VALUE"
    assert run["unknown"] == "RESOURCE_DOES_NOT_EXIST"
    assert saw["search"]["or"] == "INVALID_PARAMETER_VALUE"
    assert "moved only by a rollout" in models["champion"]
    assert models["no_alias"] == "INVALID_PARAMETER_VALUE"
    assert "Invalid model version source" in models["outside"]
    assert models["traversal"] == "INVALID_PARAMETER_VALUE"


def test_runs_are_found(saw: dict[str, Any]) -> None:
    search = saw["search"]

    assert search["metric"] == ["parent"]
    assert search["child"] == ["child"]
    assert search["order"] == ["child", "parent"]
    assert search["pages"] == ["parent", "child"]
    assert search["name"] == ["parent"]
    assert search["dataset"] == ["parent"]
    assert search["frame"] == ["6"]
    assert saw["after_deletion"] == ["parent"]
    assert saw["renamed"] == "renamed child"


def test_autolog_records_a_training(saw: dict[str, Any]) -> None:
    models = saw["models"]

    assert "training_r2_score" in models["autolog_metrics"]
    assert models["autolog_params"]
    assert models["autolog_outputs"] == 1


def test_autolog_records_boosters(saw: dict[str, Any]) -> None:
    assert saw["boosters"] == {
        "metrics": [["training-l2"], ["train-rmse"]],
        "params": [True, True],
        "models": [1, 1],
    }


def test_models_load_by_run_alias_number_and_id_and_answer_alike(saw: dict[str, Any]) -> None:
    assert saw["models"]["predictions"] == pytest.approx([1.0] * 5)
    assert saw["models"]["signature"] == "['temp': double (required), 'wind': double (required)]"


def test_the_registry_keeps_what_was_said(saw: dict[str, Any]) -> None:
    models = saw["models"]

    assert models["version"] == ["1", True, True]
    assert models["second"] == "2"
    assert models["aliases"] == {"blue": "1"}
    assert models["tags"] == {"team": "a"}
    assert models["version_tags"] == {"checked": "yes", "made": "here"}
    assert models["description"] == "the first"
    assert sorted(models["found"]) == ["1", "2"]
    assert models["found_by_run"] == ["1"]
    assert models["registered"] == ["demand"]
    assert models["logged_status"] == "READY"
    assert models["logged_params"] == {"depth": "3"}
    assert models["logged_metrics"] == [["rmse", 0.25]]
    assert models["logged_found"] == 2


def test_stages_still_work(saw: dict[str, Any]) -> None:
    assert sorted(saw["stages"]) == [["1", "Archived"], ["2", "Production"]]
    assert saw["production"] == ["2"]


def test_versions_are_copied_and_deleted(saw: dict[str, Any]) -> None:
    assert saw["afterwards"] == {
        "copied": ["copy", "1"],
        "left": ["1"],
        "copy_loads": pytest.approx(1.0),
    }
