"""Versions that are pinned references, into real Delta Lake tables and real databases."""

import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App
from mainspring.cli.main import run_command
from mainspring.datasets.references import digest_of_rows, pin_delta, pin_sql
from mainspring.datasets.tables import read_table
from mainspring.kernel.errors import Conflict, Invalid, MainspringError, NotFound, Unavailable
from mainspring.quality.compare import compare_versions
from mainspring.quality.intake import add_reference
from mainspring.testing.postgres import PostgresServer

RIDES = pl.DataFrame({"id": [1, 2, 3], "zone": ["n", "s / ü%", "n"], "fare": [1.5, 2.5, None]})


@pytest.fixture
def delta(tmp_path: Path) -> Path:
    """A table with two versions, of which the second has one more row."""
    folder = tmp_path / "table"
    RIDES.write_delta(folder, delta_write_options={"partition_by": ["zone"]})
    RIDES.head(1).with_columns(id=pl.lit(4, pl.Int64)).write_delta(folder, mode="append")
    return folder


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    path = tmp_path / "rides.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table rides (id integer, zone text, fare real)")
        connection.executemany("insert into rides values (?, ?, ?)", RIDES.rows())
    connection.close()
    return path


def test_a_delta_table_is_read_at_the_version_that_was_pinned(app: App, delta: Path) -> None:
    first = add_reference(app.call, app.blobs, "rides", pin_delta(str(delta), 0)).version
    second = add_reference(app.call, app.blobs, "rides", pin_delta(f"file://{delta}")).version

    assert (first.row_count, second.row_count) == (3, 4)
    assert first.profile is not None
    assert read_table(app.blobs, first.manifest).sort("id").equals(RIDES)
    rows = compare_versions(app.blobs, first, second, key=("id",)).rows
    assert rows is not None
    assert (rows.added_count, rows.removed_count, rows.changed_count) == (1, 0, 0)


def test_pinning_the_same_again_changes_nothing(app: App, delta: Path) -> None:
    add_reference(app.call, app.blobs, "rides", pin_delta(str(delta), 0))

    assert not add_reference(app.call, app.blobs, "rides", pin_delta(str(delta), 0)).is_new


def test_a_delta_table_that_moved_is_said(app: App, delta: Path) -> None:
    reference = pin_delta(str(delta), 0)
    version = add_reference(app.call, app.blobs, "rides", reference).version
    file = delta / next(name for name in reference.files if name.startswith("zone=n/"))
    data = file.read_bytes()

    file.write_bytes(data[:-1] + b"x")
    with pytest.raises(Conflict, match="is not what it was when version 0 was pinned"):
        read_table(app.blobs, version.manifest)
    file.unlink()
    with pytest.raises(NotFound, match="has lost zone=n/"):
        read_table(app.blobs, version.manifest)
    shutil.rmtree(delta)
    with pytest.raises(NotFound) as caught:
        read_table(app.blobs, version.manifest)
    assert caught.value.code == "source_moved"


def test_what_is_no_delta_table_is_refused(tmp_path: Path, delta: Path) -> None:
    with pytest.raises(NotFound, match="there is no Delta table"):
        pin_delta(str(tmp_path / "nothing"))
    with pytest.raises(NotFound, match="or no version 9 of it"):
        pin_delta(str(delta), 9)
    with pytest.raises(Invalid, match="stand for others in addresses"):
        pin_delta(str(tmp_path / "a table"))
    with pytest.raises(Invalid, match="is not a folder on this machine"):
        pin_delta("s3://bucket/table")


def test_a_query_is_read_again_and_compared(app: App, sqlite: Path) -> None:
    reference = pin_sql(f"sqlite:///{sqlite}", "select * from rides where zone = 'n'")
    version = add_reference(app.call, app.blobs, "rides", reference).version

    assert read_table(app.blobs, version.manifest)["id"].to_list() == [1, 3]
    with sqlite3.connect(sqlite) as connection:
        connection.execute("update rides set zone = 'n' where id = 2")
    connection.close()
    with pytest.raises(Conflict, match="other rows than when it was pinned \\(3 now, 2 then\\)"):
        read_table(app.blobs, version.manifest)


def test_a_query_in_postgresql_needs_no_recorded_password(
    app: App, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RIDES_PASSWORD", "n@t / asked:f#r%")
    url = _with_password(postgres.new_database())
    reference = pin_sql(url, "select n, n * 2 as twice from generate_series(1, 1000) as n")

    version = add_reference(app.call, app.blobs, "numbers", reference).version

    assert version.row_count == 1000
    assert "n@t" not in repr(reference)
    assert read_table(app.blobs, version.manifest)["twice"].sum() == 1_001_000
    with pytest.raises(Invalid, match="read-only transaction"):
        pin_sql(url, "create table mine as select 1 as n")
    monkeypatch.delenv("RIDES_PASSWORD")
    with pytest.raises(NotFound, match="the variable RIDES_PASSWORD"):
        read_table(app.blobs, version.manifest)


def _with_password(address: str) -> str:
    from sqlalchemy.engine import make_url

    url = make_url(address)
    plain = url.render_as_string(hide_password=False)
    return plain.replace(f"{url.username}:{url.password}@", f"{url.username}@").replace(
        f"{url.username}@", f"{url.username}:${{RIDES_PASSWORD}}@", 1
    )


@pytest.mark.parametrize(
    ("url", "query", "kind", "said"),
    [
        ("nothing", "select 1", Invalid, "is not the address of a database"),
        ("postgresql://me:secret@host/db", "select 1", Invalid, "the address holds a password"),
        ("nosuch://host/db", "select 1", Invalid, "can't be opened"),
        ("sqlite:////nowhere/x.db", "select 1", Unavailable, "can't be asked"),
        ("sqlite://", "select no", Invalid, "refuses the query: no such column"),
        ("sqlite://", "create table x (n integer)", Invalid, "refuses the query"),
    ],
)
def test_what_can_not_be_asked_is_refused(
    url: str, query: str, kind: type[MainspringError], said: str
) -> None:
    with pytest.raises(kind, match=said):
        pin_sql(url, query)


def test_the_digest_of_rows_does_not_depend_on_their_order() -> None:
    assert digest_of_rows(RIDES) == digest_of_rows(RIDES.reverse())
    assert digest_of_rows(RIDES) != digest_of_rows(pl.concat([RIDES, RIDES.head(1)]))
    assert digest_of_rows(RIDES) != digest_of_rows(RIDES.rename({"zone": "area"}))


def test_the_command_pins(
    delta: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))

    assert run_command(["data", "pin", "rides", "--delta", str(delta), "--at", "0"]) == 0
    assert "rides version 1 pinned, 3 rows" in capsys.readouterr().out
    assert run_command(["data", "pin", "rides"]) == 2
    assert run_command(["data", "pin", "rides", "--sql", "sqlite://"]) == 2
