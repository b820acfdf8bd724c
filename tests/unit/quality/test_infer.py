"""Inferred schemas: room for what was not seen, and none for what can't be right."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from mainspring.domain.data_type import DataType
from mainspring.domain.schema import ColumnSchema, TableSchema
from mainspring.quality.checks import check_table
from mainspring.quality.infer import infer_schema, infer_toml
from mainspring.quality.schema_file import parse_schema

RNG = np.random.default_rng(11)
ROWS = 2000


def rides(*, warmer: float = 0.0, more: float = 1.0, start: int = 0) -> pl.DataFrame:
    hours = [datetime(2011, 1, 1) + timedelta(hours=start + n) for n in range(ROWS)]
    return pl.DataFrame(
        {
            "ride_id": [f"R-{start + n:06d}" for n in range(ROWS)],
            "seq": range(start, start + ROWS),
            "at": hours,
            "day": [hour.date() for hour in hours],
            "temp": RNG.normal(15 + warmer, 8, ROWS),
            "humidity": RNG.uniform(15, 100, ROWS),
            "weather": RNG.choice(["clear", "mist", "rain"], ROWS),
            "code": RNG.integers(1, 5, ROWS),
            "count": (RNG.lognormal(4.5, 0.8, ROWS) * more).astype(np.int64),
            "note": [f"trip of {n} by {'a' * (n % 7)}" for n in range(ROWS)],
        }
    )


def column(schema: TableSchema, name: str) -> ColumnSchema:
    return next(column for column in schema.columns if column.name == name)


FIRST = rides()
SCHEMA = infer_schema("rides", FIRST)


def failed(table: pl.DataFrame) -> list[str]:
    return [f"{r.column}.{r.check}" for r in check_table(SCHEMA, table).blocking]


def test_the_next_delivery_of_the_same_kind_passes() -> None:
    assert failed(rides(start=ROWS, warmer=2, more=1.6)) == []


def test_a_change_of_unit_is_found() -> None:
    fahrenheit = rides(start=ROWS).with_columns(pl.col("temp") * 1.8 + 32)

    assert failed(fahrenheit) == ["temp.range"]


def test_a_third_of_a_column_missing_is_found() -> None:
    gaps = rides(start=ROWS).with_columns(
        humidity=pl.when(pl.int_range(pl.len()) % 3 > 0).then("humidity")
    )

    assert failed(gaps) == ["humidity.missing-values"]


def strange(share: float) -> pl.DataFrame:
    is_strange = pl.int_range(pl.len()) < share * pl.len()
    return rides(start=ROWS).with_columns(
        weather=pl.when(is_strange).then(pl.lit("hail")).otherwise("weather"),
        code=pl.when(is_strange).then(9).otherwise("code"),
    )


def test_a_flood_of_categories_nobody_has_seen_blocks() -> None:
    assert failed(strange(0.05)) == ["weather.categories", "code.categories"]


def test_a_category_nobody_has_seen_warns_while_it_is_rare() -> None:
    report = check_table(SCHEMA, strange(0.005))

    assert report.passed
    assert [(r.column, r.check) for r in report.warnings] == [
        ("weather", "unseen-values"),
        ("code", "unseen-values"),
    ]


def test_ids_have_a_form_and_are_unique() -> None:
    assert column(SCHEMA, "ride_id") == ColumnSchema(
        name="ride_id", type=DataType.STRING, pattern="R-[0-9]{6}", unique=True
    )
    assert column(SCHEMA, "seq") == ColumnSchema(
        name="seq", type=DataType.INTEGER, unique=True, increasing=True
    )


def test_times_in_order_stay_in_order_and_have_no_end() -> None:
    for name in ("at", "day"):
        assert column(SCHEMA, name).increasing
        assert column(SCHEMA, name).maximum is None


def test_free_text_is_left_free() -> None:
    assert column(SCHEMA, "note") == ColumnSchema(name="note", type=DataType.STRING)


def test_amounts_that_happen_to_differ_are_no_ids() -> None:
    amounts = pl.DataFrame({"x": RNG.choice(10**9, 500, replace=False)})

    assert not column(infer_schema("d", amounts), "x").unique


def test_numbers_in_order_move_on() -> None:
    table = pl.DataFrame({"month": [n // 50 for n in range(350)], "clock": np.arange(350) * 0.5})

    for proposed in infer_schema("d", table).columns:
        assert (proposed.categories, proposed.minimum, proposed.maximum) == (None, None, None)


def test_a_measure_that_was_positive_so_far_may_fall_below_zero() -> None:
    table = pl.DataFrame({"temp": RNG.uniform(0.1, 30, 500), "share": [0.0, *RNG.random(499)]})

    temp, share = infer_schema("d", table).columns

    assert isinstance(temp.minimum, float)
    assert temp.minimum < -5
    assert share.minimum == 0.0


def test_rare_gaps_are_allowed_for() -> None:
    table = pl.DataFrame({"x": [None if n % 50 == 0 else float(n) for n in range(1000)]})

    assert column(infer_schema("d", table), "x").max_null_share == 0.04


def test_a_list_with_many_one_time_values_is_not_closed() -> None:
    table = pl.DataFrame({"city": ["Bonn"] * 200 + [f"town {n}" for n in range(20)]})

    assert column(infer_schema("d", table), "city").categories is None


def test_what_was_constant_so_far_may_change_if_it_is_a_number() -> None:
    table = pl.DataFrame({"year": [2011] * 100, "unit": ["kW"] * 100})
    schema = infer_schema("d", table)

    assert column(schema, "year") == ColumnSchema(name="year", type=DataType.INTEGER)
    assert column(schema, "unit").categories == ("kW",)


def test_few_rows_promise_little() -> None:
    table = pl.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"], "d": [date(2011, 1, 1)] * 2})

    assert [
        (c.minimum, c.categories, c.unique, c.increasing) for c in infer_schema("d", table).columns
    ] == [(None, None, False, False)] * 3


def test_whole_columns_of_nothing_have_a_schema() -> None:
    table = pl.DataFrame(
        {"x": [None] * 30, "y": [None] * 30}, schema={"x": pl.Float64, "y": pl.Null}
    )

    schema = infer_schema("d", table)

    assert [c.max_null_share for c in schema.columns] == [1.0, 1.0]
    assert check_table(schema, table).passed


def test_the_text_teaches_what_was_seen() -> None:
    text = infer_toml("rides", FIRST)

    assert parse_schema(text) == SCHEMA
    assert "# seen in 2,000 rows; none missing; 2011-01-01 00:00:00 to 2011-03-25 07:00:00" in text
    assert "3 different values" in text
