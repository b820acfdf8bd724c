"""When schedules come round, also over changes of the clocks."""

from datetime import UTC, datetime, timedelta

import pytest

from mainspring.kernel.errors import Invalid
from mainspring.kernel.schedules import parse_schedule


def after(text: str, instant: datetime, count: int) -> list[str]:
    schedule = parse_schedule(text)
    found = []
    for _ in range(count):
        instant = schedule.next_after(instant)
        found.append(instant.strftime("%m-%d %H:%M"))
    return found


def test_a_time_that_the_clocks_jump_over_counts_after_the_jump() -> None:
    given = datetime(2026, 3, 28, 12, tzinfo=UTC)

    assert after("30 2 * * * Europe/Berlin", given, 3) == [
        "03-29 01:00",
        "03-30 00:30",
        "03-31 00:30",
    ]


def test_a_time_that_comes_twice_counts_once() -> None:
    given = datetime(2026, 10, 24, 12, tzinfo=UTC)

    assert after("30 2 * * * Europe/Berlin", given, 2) == ["10-25 00:30", "10-26 01:30"]


def test_every_hour_is_an_hour_also_when_the_clocks_change() -> None:
    given = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)

    assert after("0 * * * * Europe/Berlin", given, 4) == [
        "10-25 00:00",
        "10-25 01:00",
        "10-25 02:00",
        "10-25 03:00",
    ]


def test_the_next_time_is_always_later() -> None:
    schedule = parse_schedule("*/15 1-3 * * * America/New_York")
    instant = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(5000):
        following = schedule.next_after(instant)
        assert instant < following < instant + timedelta(days=1)
        instant = following


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no schedule"),
        ("0 3 * *", "is no schedule"),
        ("0 25 * * *", "bad hour"),
        ("0 0 31 2 *", "bad day-of-month"),
        ("0 3 * * 1 Europe/Nowhere", "names no time zone"),
        ("0 3 * * 1 ../../etc/passwd", "names no time zone"),
        ("@never", "is no schedule"),
        ("* * * * * *", "names no time zone"),
    ],
)
def test_what_is_no_schedule_is_refused(text: str, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        parse_schedule(text)


def test_in_the_second_round_of_an_hour_no_time_of_the_first_comes_again() -> None:
    second_round = datetime(2026, 10, 25, 1, 17, 51, tzinfo=UTC)

    assert after("30 2 * * * Europe/Berlin", second_round, 1) == ["10-26 01:30"]


@pytest.mark.parametrize("text", ["30 2 * * * Europe/Berlin", "*/7 * * * *", "0 0 29 2 *"])
def test_the_last_time_is_found_as_going_through_all_would(text: str) -> None:
    schedule = parse_schedule(text)
    begin = datetime(2027, 10, 1, tzinfo=UTC)
    for hours in (1, 24, 700):
        end = begin + timedelta(hours=hours, minutes=13)

        every = list(schedule.times_between(begin, end))

        assert schedule.last_between(begin, end) == (every[-1] if every else None)
