import itertools

import pytest

from mainspring.domain.data_type import DataType
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.errors import Invalid
from mainspring.serving.inputs import check_rows, event_times_of, keys_of
from mainspring.serving.split import goes_to_candidate

SIGNATURE = Signature(
    inputs=(
        Feature(name="temp", type=DataType.FLOAT),
        Feature(name="hour", type=DataType.INTEGER, nullable=True),
        Feature(name="holiday", type=DataType.BOOLEAN),
        Feature(name="weather", type=DataType.STRING),
        Feature(name="when", type=DataType.DATETIME),
        Feature(name="day", type=DataType.DATE),
    )
)
GOOD: dict[str, list[object]] = {
    "temp": [20],
    "hour": [9.0],
    "holiday": [0],
    "weather": ["clear"],
    "when": ["2011-01-01T09:00:00Z"],
    "day": ["1970-01-11"],
}


def test_values_are_brought_to_the_signatures_types() -> None:
    rows = check_rows(SIGNATURE, GOOD, count=1)

    assert rows.names == ["temp", "hour", "holiday", "weather", "when", "day"]
    assert rows.sent == [[20.0], [9], [False], ["clear"], [1293872400000000], [10]]
    assert [type(column[0]) for column in rows.sent] == [float, int, bool, str, int, int]
    assert rows.logged[4:] == [["2011-01-01T09:00:00Z"], ["1970-01-11"]]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("temp", "warm", "row 0 is 'warm'; it takes a number"),
        ("temp", True, "row 0 is True; it takes a number"),
        ("temp", None, "row 0 is missing"),
        ("temp", float("nan"), "row 0 is missing"),
        ("temp", float("inf"), "infinite"),
        ("temp", 10**400, "too large"),
        ("temp", [1.0], "it takes a number"),
        ("hour", 9.5, "takes whole numbers"),
        ("hour", 2**70, "beyond 64 bits"),
        ("hour", "9", "it takes a whole number"),
        ("holiday", 2, "it takes true or false"),
        ("holiday", "yes", "it takes true or false"),
        ("weather", 3, "it takes a text"),
        ("when", "yesterday", "it takes a time"),
        ("when", 17, "it takes a time"),
        ("day", "2011-13-01", "it takes a date"),
    ],
)
def test_what_does_not_fit_is_named(name: str, value: object, text: str) -> None:
    with pytest.raises(Invalid, match=text) as caught:
        check_rows(SIGNATURE, GOOD | {name: [value]}, count=1)

    assert caught.value.where == name
    assert repr(name) in caught.value.message


def test_missing_unknown_and_uneven_columns_are_named() -> None:
    for columns, text in (
        ({k: v for k, v in GOOD.items() if k != "hour"}, "'hour' is missing"),
        (GOOD | {"wind": [1.0]}, "no input 'wind'"),
        (GOOD | {"temp": [1.0, 2.0]}, "has 2 values, but there are 1 rows"),
    ):
        with pytest.raises(Invalid, match=text):
            check_rows(SIGNATURE, columns, count=1)


def test_unknown_columns_may_be_ignored_and_missing_values_allowed() -> None:
    rows = check_rows(
        SIGNATURE, GOOD | {"wind": [1.0], "hour": [None]}, count=1, ignore_unknown=True
    )

    assert "wind" not in rows.names
    assert rows.sent[1] == [None]


def test_keys_and_event_times_accompany_the_rows() -> None:
    columns: dict[str, list[object]] = {
        "x": [1, 2],
        "key": ["a", 7],
        "event_time": ["1970-01-01", "1970-01-01T01:00:00+01:00"],
    }

    rows = check_rows(None, columns, count=2)

    assert (rows.names, rows.keys, rows.event_at) == (["x"], ["a", "7"], [0, 0])
    assert keys_of("k", 2) == ["k", "k"]
    assert event_times_of("1970-01-01T00:00:01Z", 1) == [1_000_000]
    for bad in (1.5, True, ["a"], {"a": 1}):
        with pytest.raises(Invalid, match="'key'"):
            keys_of(bad, 3)
    with pytest.raises(Invalid, match="'event_time'"):
        event_times_of("soon", 1)


def test_a_key_stays_with_the_candidate_while_its_share_grows() -> None:
    keys = [f"rider-{n}" for n in range(5000)]
    chosen = [
        {key for key in keys if goes_to_candidate("rollout", key, share)}
        for share in (0.0, 0.05, 0.25, 1.0)
    ]

    assert all(before <= after for before, after in itertools.pairwise(chosen))
    assert (len(chosen[0]), len(chosen[3])) == (0, 5000)
    assert 200 < len(chosen[1]) < 300
    assert 1150 < len(chosen[2]) < 1350
