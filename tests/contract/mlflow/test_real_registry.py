"""Prompts, stages, searches of the registry by the real MLflow client, on both databases."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.mlflow, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def saw(seen_by: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """What the script saw."""
    return seen_by("registry_script.py", webhook_networks="127.0.0.0/8")


def test_prompts_live_in_the_registry(saw: dict[str, Any]) -> None:
    prompts = saw["prompts"]

    assert prompts["versions"] == [1, 2, 1]
    assert (prompts["text"], prompts["message"]) == ("Hello Ada", "first")
    assert (prompts["by_alias"], prompts["latest"]) == (1, 2)
    assert prompts["chat"] == [{"role": "user", "content": "Hi {{name}}"}]
    assert prompts["missing"]
    assert (prompts["found"], prompts["by_name"]) == (["greeting", "talk"], ["talk"])
    assert (prompts["tags"]["team"], "team" in prompts["tags_left"]) == ("demand", False)
    assert prompts["version_tags"] == {"kind": "short"}
    assert prompts["all_versions"] == [1, 2]


def test_prompts_are_no_models(saw: dict[str, Any]) -> None:
    prompts = saw["prompts"]

    assert (prompts["in_models"], prompts["in_versions"], prompts["as_model"]) == ([], [], [])
    assert "already taken by a prompt" in prompts["model_taken"]
    assert saw["prompt_for_model"].startswith("INVALID_PARAMETER_VALUE")


def test_prompts_and_their_aliases_can_be_deleted(saw: dict[str, Any]) -> None:
    assert saw["prompts_left"] == ["greeting"]
    assert "Prompt alias production not found." in saw["alias_gone"]


def test_each_registration_gives_a_number_of_its_own(saw: dict[str, Any]) -> None:
    assert saw["stages"]["numbers"] == ["1", "2", "3", "4"]
    assert saw["stages"]["crowd"] == list(range(1, 17))


def test_old_clients_move_versions_through_stages(saw: dict[str, Any]) -> None:
    stages = saw["stages"]

    assert stages["moved"] == "Production"
    assert stages["stages"] == {"1": "Archived", "2": "Staging", "3": "Production", "4": "None"}
    assert stages["latest"] == [
        ["1", "Archived"],
        ["2", "Staging"],
        ["3", "Production"],
        ["4", "None"],
    ]
    assert stages["production"] == ["3"]
    assert "Invalid Model Version stage: Best." in stages["bad_stage"]
    assert "is not an Active stage" in stages["bad_archive"]
    assert stages["loads_by_stage"]


def test_searches_go_by_filter_order_and_page(saw: dict[str, Any]) -> None:
    searches = saw["searches"]

    assert searches["pages"] == [["m4", "m3"], ["m2", "m1"]]
    assert (searches["ilike"], searches["tag"]) == (["m3"], ["m1", "m3"])
    assert (searches["versions"], searches["rest"]) == (["1", "2", "3"], ["4"])
    assert (searches["by_run"], searches["in_runs"], searches["by_tag"]) == (20, 20, ["3"])
    for wrong in ("not_like", "bad_order", "bad_key", "too_many", "bad_number", "file"):
        assert searches[wrong] == "INVALID_PARAMETER_VALUE", wrong


def test_what_is_not_there_is_said_in_the_words_clients_match_on(saw: dict[str, Any]) -> None:
    searches = saw["searches"]

    assert "Registered Model with name=m0 not found" in searches["old_gone"]
    assert "Registered Model (name=m1) already exists." in searches["rename_taken"]
    assert "Model Version (name=demand, version=99) not found" in searches["bad_version"]
    assert searches["no_bytes"].startswith("RESOURCE_DOES_NOT_EXIST")


def test_webhooks_are_made_tried_changed_and_deleted(saw: dict[str, Any]) -> None:
    webhooks = saw["webhooks"]

    assert webhooks["events"] == ["model_version.created", "prompt.created"]
    assert webhooks["status"] == "ACTIVE"
    assert webhooks["tried"] == [True, 202, "heard"]
    assert webhooks["other"]
    assert [(event, is_right) for event, _, is_right in webhooks["heard"]] == [
        ("model_version.created", True),
        ("model_version_tag.set", True),
    ]
    assert webhooks["heard"][1][1] == {
        "name": "example_model",
        "version": "1",
        "key": "example_key",
        "value": "example_value",
    }
    assert webhooks["changed"] == ["cd", "DISABLED", ["registered_model.created"]]
    assert webhooks["same"] == [True, "tells CI", None]
    assert webhooks["listed"] == ["cd", "inside"]
    assert webhooks["private"][0] is False
    assert "not a public address" in webhooks["private"][1]
    assert webhooks["gone"].startswith("RESOURCE_DOES_NOT_EXIST")
    assert webhooks["bad_url"] == "INVALID_PARAMETER_VALUE"
