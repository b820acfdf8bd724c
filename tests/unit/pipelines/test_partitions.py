"""Pipelines that are run by partitions, as they are written and as runs of them are."""

from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.domain.partition import Partitions, PartitionUnit
from mainspring.kernel.errors import Invalid
from mainspring.testing.flows import Flow

BY = """
@ms.step
def work(day: str) -> str:
    return day

@ms.pipeline({how})
def flow(day: str{default}):
    return work(day)
"""


@pytest.mark.parametrize(
    ("how", "unit", "value"),
    [
        ("hourly='day'", PartitionUnit.HOUR, "2026-01-31T09"),
        ("daily='day'", PartitionUnit.DAY, "2026-01-31"),
        ("weekly='day'", PartitionUnit.WEEK, "2026-01-26"),
        ("monthly='day'", PartitionUnit.MONTH, "2026-01"),
        ("by_key={'day': ['de', 'fr']}", PartitionUnit.KEY, "fr"),
    ],
)
def test_a_run_is_of_the_partition_that_its_parameter_names(
    app: App, tmp_path: Path, how: str, unit: PartitionUnit, value: str
) -> None:
    flow = Flow(app, tmp_path / "project")
    flow.write(BY.format(how=how, default=""))

    run = flow.request(params={"day": value})

    assert run.graph.partitions is not None
    assert run.graph.partitions.unit is unit
    assert run.partition == value
    with pytest.raises(Invalid, match="day is 'x'"):
        flow.request(params={"day": "x"})


@pytest.mark.parametrize(
    ("how", "default", "told"),
    [
        ("daily='date'", "", "'date' is what it is run by, and is none of its own"),
        ("daily='day', monthly='day'", "", "is run by one parameter"),
        ("daily='day'", " = 'today'", "which names no day"),
    ],
)
def test_what_can_t_be_run_by_is_refused(
    app: App, tmp_path: Path, how: str, default: str, told: str
) -> None:
    flow = Flow(app, tmp_path / "project")
    flow.write(BY.format(how=how, default=default))

    with pytest.raises(Invalid, match=told):
        flow.request()


def test_spans_of_every_unit_hold_both_their_ends() -> None:
    def between(unit: PartitionUnit, first: str, last: str) -> tuple[str, ...]:
        return Partitions(parameter="p", unit=unit).between(first, last)

    assert between(PartitionUnit.HOUR, "2026-01-31T23", "2026-02-01T01") == (
        "2026-01-31T23",
        "2026-02-01T00",
        "2026-02-01T01",
    )
    assert between(PartitionUnit.DAY, "2024-02-28", "2024-03-01") == (
        "2024-02-28",
        "2024-02-29",
        "2024-03-01",
    )
    assert between(PartitionUnit.WEEK, "2026-01-26", "2026-02-02") == ("2026-01-26", "2026-02-02")
    assert between(PartitionUnit.MONTH, "2025-11", "2026-02") == (
        "2025-11",
        "2025-12",
        "2026-01",
        "2026-02",
    )
    with pytest.raises(Invalid, match="a Monday"):
        between(PartitionUnit.WEEK, "2026-01-27", "2026-02-02")


@pytest.mark.parametrize(
    ("unit", "last"),
    [
        (PartitionUnit.HOUR, "9999-12-31T23"),
        (PartitionUnit.DAY, "9999-12-31"),
        (PartitionUnit.WEEK, "9999-12-27"),
        (PartitionUnit.MONTH, "9999-12"),
    ],
)
def test_a_span_may_reach_to_the_calendar_s_end(unit: PartitionUnit, last: str) -> None:
    assert Partitions(parameter="p", unit=unit).between(last, last) == (last,)
