import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.api.rest.paths import MethodNotAllowed, Paths, filled
from mainspring.kernel.errors import Invalid, NotFound


def a_table() -> Paths[str]:
    paths: Paths[str] = Paths()
    for route in ("GET /runs", "POST /runs/take", "GET /runs/{run}", "POST /runs/{run}/cancel"):
        paths.add(route, route)
    return paths


def test_a_fixed_segment_wins_over_a_field() -> None:
    paths: Paths[str] = Paths()
    paths.add("GET /runs/{run}", "field")
    paths.add("GET /runs/take", "fixed")

    assert paths.find("GET", "/runs/take") == ("fixed", {})
    assert paths.find("GET", "/runs/run_1") == ("field", {"run": "run_1"})


def test_an_encoded_slash_stays_in_its_segment() -> None:
    assert a_table().find("GET", "/runs/a%2Fcancel") == ("GET /runs/{run}", {"run": "a/cancel"})


def test_a_path_is_decoded_once() -> None:
    assert a_table().find("GET", "/runs/%252e%252e")[1] == {"run": "%2e%2e"}


def test_a_wrong_method_says_which_are_right() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        a_table().find("DELETE", "/runs/take")

    assert caught.value.allowed == ["GET", "POST"]


def test_head_is_answered_where_get_is() -> None:
    assert a_table().find("HEAD", "/runs")[0] == "GET /runs"


def test_an_unknown_path_is_not_found() -> None:
    with pytest.raises(NotFound):
        a_table().find("GET", "/runs/1/2/3")


def test_a_path_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(Invalid, match="UTF-8"):
        a_table().find("GET", "/runs/%ff")


def test_two_that_answer_the_same_are_a_mistake() -> None:
    paths = a_table()

    with pytest.raises(ValueError, match="two operations"):
        paths.add("GET /runs/{run}", "again")


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_whatever_a_name_is_it_comes_back_from_its_path(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return

    path = filled("/runs/{run}", {"run": name})

    assert a_table().find("GET", path) == ("GET /runs/{run}", {"run": name})
