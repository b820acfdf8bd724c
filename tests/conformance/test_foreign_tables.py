"""Checks of tables in databases: the same verdicts as of their rows, which are read only where a check needs them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from mainspring.domain.check import CheckReport
from mainspring.kernel.errors import Invalid, NotFound, Unavailable
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import check_table
from mainspring.quality.custom.code import code_beside
from mainspring.quality.databases import open_database
from mainspring.quality.measure import profile_table
from mainspring.quality.schema_file import parse_schema
from mainspring.store.foreign import asking
from mainspring.testing.postgres import PostgresServer

ROWS = 1_500
SCHEMA = """
dataset = "rides"
[column.id]
type = "integer"
[column.fare]
type = "float"
min = 0
max = 5000
max_null_share = 0.2
[column.city]
type = "string"
categories = ["Rome", "Oslo", "Łódź"]
[column.code]
type = "integer"
categories = [0, 1, 2, 3, 4]
[column.paid]
type = "boolean"
[column.on]
type = "date"
max_null_share = 0.8
[column.at]
type = "datetime"
[column.weight]
type = "float"
max_null_share = 0.2
[[expect]]
that = "column_mean_to_be_between"
column = "fare"
min_value = 1
[[expect]]
that = "column_stdev_to_be_between"
column = "fare"
min_value = 1
[[expect]]
that = "column_value_lengths_to_be_between"
column = "city"
min_value = 4
max_value = 4
[[expect]]
that = "column_distinct_values_to_be_in_set"
column = "code"
value_set = [0, 1, 2, 3, 4]
"""


def rows() -> list[dict[str, object]]:
    return [
        {
            "id": n,
            "fare": None if n % 10 == 3 else n + 0.25,
            "city": ("Rome", "Oslo", "Łódź")[n % 3],
            "code": n % 5,
            "paid": n % 2 == 0,
            "on": None if n % 4 else date(2026, 1, 1 + n % 28),
            "at": datetime(2026, 1, 1, n % 24, tzinfo=UTC),
            "weight": float("nan") if n % 10 == 1 else 1e9 + n,
        }
        for n in range(ROWS)
    ]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'rides.db'}"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.new_database()
    metadata = sa.MetaData()
    table = sa.Table(
        "rides",
        metadata,
        sa.Column("id", sa.BigInteger),
        sa.Column("fare", sa.Numeric(10, 2) if request.param == "postgresql" else sa.Float),
        sa.Column("city", sa.String(40)),
        sa.Column("code", sa.Integer),
        sa.Column("paid", sa.Boolean),
        sa.Column("on", sa.Date),
        sa.Column("at", sa.DateTime(timezone=True)),
        sa.Column("weight", sa.Double),
    )
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        metadata.create_all(connection)
        connection.execute(sa.insert(table), rows())
    engine.dispose()
    yield url


def alike(found: CheckReport, wanted: CheckReport) -> None:
    assert found.row_count == wanted.row_count
    for mine, theirs in zip(found.results, wanted.results, strict=True):
        assert (mine.check, mine.column, mine.passed) == (
            theirs.check,
            theirs.column,
            theirs.passed,
        )
        assert mine.failed_row_count == theirs.failed_row_count
        assert mine.observed == theirs.observed
        assert mine.value == pytest.approx(theirs.value)


def test_a_database_measures_its_table_and_no_row_is_read(database: str) -> None:
    schema = parse_schema(SCHEMA)
    profile, table, foreign = open_database(database, table="rides")

    report = check_table(schema, table, around=Surroundings().profiled(profile))

    assert foreign.reads == []
    assert report.passed
    alike(report, check_table(schema, as_frame()))
    mine = profile_table(as_frame())
    for column in profile.columns:
        theirs = mine.column(column.name)
        assert theirs is not None
        assert column.missing_share == theirs.missing_share
        if column.type.is_numeric:
            assert (column.minimum, column.maximum) == (theirs.minimum, theirs.maximum)
            assert column.moments is not None
            assert theirs.moments is not None
            assert column.moments.mean == pytest.approx(theirs.moments.mean)
            assert column.moments.deviation == pytest.approx(theirs.moments.deviation)


def as_frame() -> pl.DataFrame:
    frame = pl.DataFrame(rows())
    return frame.with_columns(pl.col("at").dt.replace_time_zone(None))


def test_only_columns_that_need_it_are_read(database: str) -> None:
    text = SCHEMA.replace('"Łódź"]', '"Bari"]') + (
        '[[expect]]\nthat = "column_median_to_be_between"\ncolumn = "fare"\nmin_value = 1\n'
    )
    profile, table, foreign = open_database(database, table="rides")

    report = check_table(parse_schema(text), table, around=Surroundings().profiled(profile))

    (failed,) = report.blocking
    assert (failed.column, failed.failed_row_count) == ("city", ROWS // 3)
    assert [row["city"] for row in failed.examples] == ["Łódź"] * 5
    assert foreign.reads[0] == ("fare",)


def test_a_query_is_checked_as_a_table_is(database: str, tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text(
        "import mainspring as ms\n\n@ms.check\ndef even(id):\n    return id % 2 == 0\n"
    )
    schema = parse_schema(
        'dataset = "rides"\n[column.id]\ntype = "integer"\n[column.city]\ntype = "string"\n[[expect]]\n'
        'that = "custom_check_to_pass"\ncheck = "checks.py:even"\ncolumn = "id"\nmostly = 0.5\n'
    )
    profile, table, _ = open_database(database, query="SELECT id, city FROM rides WHERE code = 2")
    around = Surroundings(code=code_beside(schema, [tmp_path])).profiled(profile)

    report = check_table(schema, table, around=around)

    assert report.passed, report
    assert report.row_count == ROWS // 5
    assert report.results[-1].failed_row_count == ROWS // 10


def test_what_can_not_be_asked_says_so(database: str, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no table 'riders'") as caught:
        open_database(database, table="riders")
    assert caught.value.hint == "It has: rides."
    with pytest.raises(Invalid, match="the database refuses"):
        open_database(database, query="SELECT nothing FROM rides")
    with pytest.raises(Invalid, match="asked for one thing"):
        open_database(database)
    with pytest.raises(Unavailable, match="can't be asked"):
        open_database(f"sqlite:///{tmp_path}/no/such/folder.db", table="rides")


def test_a_database_is_not_changed_by_a_query(database: str) -> None:
    with pytest.raises(Invalid):
        open_database(database, query="DELETE FROM rides RETURNING id")

    assert open_database(database, table="rides")[0].row_count == ROWS


def test_numbers_that_are_texts_are_not_taken_for_gaps(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'odd.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE odd (n INTEGER)"))
        connection.execute(sa.text("INSERT INTO odd VALUES (1), ('many')"))
    engine.dispose()

    with pytest.raises(Invalid, match="declared to hold numbers and holds 'many'"):
        open_database(url, table="odd")


def test_a_mistyped_path_of_sqlite_is_an_error_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "shpo.db"

    with pytest.raises(Unavailable, match=r"there is no .*shpo.db"), asking(f"sqlite:///{path}"):
        pass

    assert not path.exists()
