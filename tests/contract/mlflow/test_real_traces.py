"""Traces of the real MLflow client and of OpenTelemetry's own exporter, unchanged, against a real server."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.mlflow, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def saw(seen_by: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """What the script saw."""
    return seen_by("traces_script.py")


def test_a_traced_function_comes_back_as_it_was(saw: dict[str, Any]) -> None:
    assert saw["trace"] == {
        "state": "OK",
        "spans": ["answer", "retrieve", "generate"],
        "parents": [True, True, None],
        "types": {"answer": "UNKNOWN", "retrieve": "RETRIEVER", "generate": "LLM"},
        "inputs": {"question": "life"},
        "outputs": {"answer": "42"},
        "llm": [{"messages": ["about life"], "température": 0.5}, "forty-two ✓"],
        "attributes": ["wikipedia", 3],
        "previews": ['{"question": "life"}', '{"answer": "42"}'],
        "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
        "topic": "life",
        "name": "answer",
        "session": "session 4",
        "took": True,
        "stats": 3,
    }


def test_failures_async_functions_and_spans_by_hand_are_traced(saw: dict[str, Any]) -> None:
    assert saw["failed"] == {
        "state": "ERROR",
        "status": ["ERROR", "ValueError: no such page"],
        "event": ["exception", "ValueError", "no such page"],
    }
    assert saw["gathered"] == [["gather", 3], ["part", 0], ["part", 1], ["part", 2]]
    assert saw["hand"] == ["manual", [1, 2.5, None, True], '{"x": 1}']
    assert saw["unknown"].startswith("RESOURCE_DOES_NOT_EXIST")


def test_traces_are_found_by_all_of_the_grammar(saw: dict[str, Any]) -> None:
    search = saw["search"]
    everything = ["by hand", "gather", "fails", "answer"]

    assert search["all"] == search["time"] == everything
    assert search["ascending"] == everything[::-1]
    assert search["by_name"] == ["gather", "fails", "by hand", "answer"]
    assert search["limited"] == ["by hand", "gather"]
    assert search["status"] == search["status_alias"] == ["fails"]
    assert search["tag_null"] == ["by hand", "gather", "fails"]
    assert search["ids"] == []
    for way in (
        *("tag", "tag_like", "tag_rlike", "tag_not_null", "metadata", "content", "text"),
        *("span_name", "span_like", "span_type", "span_in"),
        *("span_attribute", "span_attribute_like", "span_attribute_rlike"),
    ):
        assert search[way] == ["answer"], way
    for way in ("or", "unknown_key", "bad_operator"):
        assert search[way].startswith("INVALID_PARAMETER_VALUE"), way
    assert saw["frame"] == [1, True]
    assert saw["pages"] == [3, 1, None]


def test_feedback_and_expectations_are_kept_corrected_overridden_and_searched(
    saw: dict[str, Any],
) -> None:
    said = saw["assessments"]

    assert said["read"] == ["correct", True, "right", {"round": "1"}, "ada"]
    assert said["changed"] == [False, "wrong", {"round": "1", "by": "bob"}]
    assert said["override"] == [True, False]
    assert said["error"] == ["ValueError", "judge broke", None]
    for way in ("feedback", "feedback_string", "feedback_number", "feedback_not_null"):
        assert said[way] == ["answer"], way
    assert said["expectation"] == ["answer"]
    assert said["feedback_number_not"] == []
    assert said["feedback_null"] == ["by hand", "fails", "gather"]
    assert said["after_deletion"] == ["RESOURCE_DOES_NOT_EXIST:", True]


def test_traces_are_tagged_and_belong_to_runs_and_models(saw: dict[str, Any]) -> None:
    assert saw["tags"] == ["yes", False]
    assert saw["no_tag"] == "RESOURCE_DOES_NOT_EXIST:"
    assert saw["links"] == {"run": True, "model": True, "prompt": True}


def test_any_exporter_of_opentelemetry_is_understood(saw: dict[str, Any]) -> None:
    assert saw["otel"] == {
        "flushed": True,
        "spans": ["item 0", "item 1", "item 2", "item 3", "item 4", "order"],
        "attributes": {"price": 9.5, "items": ["a", "b"], "paid": True},
        "state": "OK",
        "service": "shop",
        "name": None,
        "found": 1,
    }


def test_traces_are_deleted_by_id_and_by_age(saw: dict[str, Any]) -> None:
    assert saw["deleted"] == {
        "one": 1,
        "gone": "RESOURCE_DOES_NOT_EXIST:",
        "before": 5,
        "oldest": 2,
        "left": ["answer", "answer", "gather"],
        "rest": 3,
    }
