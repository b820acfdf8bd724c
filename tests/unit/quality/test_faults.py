"""Faults planted in real tables are found and named; the tables as they are show none."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from mainspring.domain.schema import Expectation, TableSchema
from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import check_table
from mainspring.quality.faults import faults
from mainspring.quality.infer import infer_schema
from mainspring.quality.measure import profile_table

ROOT = Path(__file__).parents[3]


def rides() -> pl.DataFrame:
    table = pl.read_parquet(ROOT / "examples" / "bikes" / "hour.parquet")
    day = pl.col("dteday").cast(pl.String).str.to_datetime("%Y-%m-%d")
    return table.with_columns(at=day + pl.duration(hours="hr")).head(6000)


def a_csv(name: str) -> Callable[[], pl.DataFrame]:
    path = ROOT / "tests" / "data" / "tables" / f"{name}.csv"
    return lambda: pl.read_csv(path, try_parse_dates=True)


TABLES = {
    "rides": (rides, "at", "temp", ("registered", "hum"), "cnt"),
    "flights": (a_csv("flights"), None, "distance", ("air_time", "dep_delay"), "arr_delay"),
    "transactions": (a_csv("transactions"), "ts", "amount", ("home_x", "amount"), "is_fraud"),
    "retail": (a_csv("retail"), "InvoiceDate", "UnitPrice", ("Quantity", "UnitPrice"), None),
}


def halves(name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two random halves, so that they differ by nothing but chance; the second is later if there is a time."""
    read, time, *_ = TABLES[name]
    table = read().with_row_index("#")
    before = table.sample(fraction=0.5, seed=3).sort("#")
    now = table.join(before, on="#", how="anti").sort("#").drop("#")
    before = before.drop("#")
    if time is not None:
        now = now.with_columns(pl.col(time) + pl.duration(days=28))
    return before, now


def named(name: str, now: pl.DataFrame) -> list[tuple[str, tuple[str, ...]]]:
    label = TABLES[name][4]
    before, _ = halves(name)
    found = faults(profile_table(before), profile_table(now), labels=[label] if label else [])
    return [(fault.name, fault.columns) for fault in found]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_as_it_is_shows_no_fault_and_blocks_nothing(name: str) -> None:
    before, now = halves(name)

    assert named(name, now) == []
    assert check_table(infer_schema(name, before), now).passed


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("factor", [1.609344, 0.001, 100.0])
def test_another_unit_is_named(name: str, factor: float) -> None:
    column = TABLES[name][2]
    _, now = halves(name)

    assert ("unit-change", (column,)) in named(name, now.with_columns(pl.col(column) * factor))


def test_fahrenheit_is_named() -> None:
    before, now = (t.with_columns(temp=pl.col("temp") * 41) for t in halves("rides"))
    now = now.with_columns(temp=pl.col("temp") * 1.8 + 32)

    found = faults(profile_table(before), profile_table(now))

    assert [(f.name, f.columns) for f in found] == [("unit-change", ("temp",))]
    assert "Fahrenheit for Celsius" in found[0].evidence


@pytest.mark.parametrize("name", TABLES)
def test_swapped_columns_are_named(name: str) -> None:
    one, other = TABLES[name][3]
    _, now = halves(name)
    now = now.with_columns(pl.col(one).alias(other), pl.col(other).alias(one))

    (found,) = [fault for fault in named(name, now) if fault[0] == "swapped"]

    assert set(found[1]) == {one, other}


@pytest.mark.parametrize("name", ["rides", "transactions", "retail"])
def test_an_old_file_once_more_is_named(name: str) -> None:
    before, _ = halves(name)

    assert named(name, before) == [("stale", (TABLES[name][1],))]


@pytest.mark.parametrize("name", TABLES)
def test_a_file_that_ends_too_early_is_named(name: str) -> None:
    _, now = halves(name)

    assert [fault for fault, _ in named(name, now.head(now.height // 3))][:1] == ["truncated"]


@pytest.mark.parametrize("name", ["rides", "transactions", "retail"])
@pytest.mark.parametrize("hours", [5, -8])
def test_another_time_zone_is_named(name: str, hours: int) -> None:
    time = TABLES[name][1]
    assert time is not None
    _, now = halves(name)

    found = named(name, now.with_columns(pl.col(time) + pl.duration(hours=hours)))

    # Rides are spread evenly over the hours: nothing can be told from them.
    assert found == ([] if name == "rides" else [("time-zone-shift", (time,))])


def test_text_in_the_wrong_encoding_is_named() -> None:
    _, now = halves("retail")
    damaged = pl.col("Description").str.replace("E", "Ã©")

    assert named("retail", now.with_columns(damaged)) == [("encoding", ("Description",))]


@pytest.mark.parametrize("name", ["rides", "flights", "transactions"])
def test_a_column_that_gives_the_label_away_is_named(name: str) -> None:
    label = TABLES[name][4]
    _, now = halves(name)
    now = now.with_columns(hint=pl.col(str(label)) * 2.0 + 1)

    assert named(name, now) == [("label-leak", ("hint",))]


@pytest.mark.parametrize("name", TABLES)
def test_rows_that_come_twice_are_found(name: str) -> None:
    _, now = halves(name)
    distinct = now.unique(maintain_order=True)
    schema = TableSchema(
        dataset=name,
        columns=(),
        allow_extra_columns=True,
        expectations=(Expectation(that="table_rows_to_be_distinct"),),
    )

    assert check_table(schema, distinct).passed
    (failure,) = check_table(schema, pl.concat([distinct, distinct.head(40)])).blocking
    assert failure.failed_row_count == 80


def test_the_expectation_of_no_fault_names_what_it_found() -> None:
    before, now = halves("transactions")
    schema = TableSchema(
        dataset="t",
        columns=(),
        allow_extra_columns=True,
        expectations=(Expectation(that="table_to_show_no_known_fault"),),
    )
    around = Surroundings(reference=profile_table(before))

    assert check_table(schema, now, around=around).passed
    (failure,) = check_table(schema, now.head(300), around=around).blocking
    assert failure.observed.startswith("truncated: 300 rows, 1,000 before; stale of ts: ")
    assert [fault["fault"] for fault in failure.value] == ["truncated", "stale"]


def test_a_file_of_which_the_end_is_missing_can_not_be_read(tmp_path: Path) -> None:
    from mainspring.blobs.local import LocalBlobs
    from mainspring.datasets.ingest import ingest

    whole = (ROOT / "examples" / "bikes" / "hour.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(Invalid, match="can't be read"):
        ingest(LocalBlobs(tmp_path / "blobs"), tmp_path / "cut.parquet")
