"""Datasets read as of a moment, in scripts and in steps."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App
from mainspring.cli.main import run_command
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.quality.intake import add_data
from mainspring.quality.requests import AcceptSchema, GetSchema
from mainspring.sdk.embedded import EmbeddedClient, connect
from mainspring.testing.apps import clock_of
from mainspring.testing.flows import Flow

TRIPS = pl.DataFrame(
    {
        "trip": [1, 2, 3],
        "station": ["a", "b", "a"],
        "at": [datetime(2026, 1, 31, 10), datetime(2026, 1, 31, 11), datetime(2026, 2, 2, 9)],
        "paid_at": [datetime(2026, 2, 3), datetime(2026, 2, 1), None],
        "fare": [9.5, 7.0, None],
    }
)
WEATHER = pl.DataFrame(
    {
        "station": ["a", "a", "a", "b"],
        "hour": [datetime(2026, 1, 31, hour) for hour in (9, 10, 11)] + [datetime(2026, 1, 30, 11)],
        "temp": [-1, 0, 5, 2],
    }
)
TRIPS_SCHEMA = """
dataset = "trips"
key = ["trip"]
event_time = "at"
label_at = "paid_at"
labels = ["fare"]
allow_extra_columns = true
[column.trip]
type = "integer"
[column.at]
type = "datetime"
[column.paid_at]
type = "datetime"
max_null_share = 1.0
[column.fare]
type = "float"
max_null_share = 1.0
"""
WEATHER_SCHEMA = """
dataset = "weather"
key = ["station", "hour"]
event_time = "hour"
allow_extra_columns = true
[column.station]
type = "string"
[column.hour]
type = "datetime"
"""


def fill(app: App) -> None:
    add_data(app.call, app.blobs, "trips", TRIPS)
    add_data(app.call, app.blobs, "weather", WEATHER)
    app.call(AcceptSchema(dataset="trips", toml=TRIPS_SCHEMA))
    app.call(AcceptSchema(dataset="weather", toml=WEATHER_SCHEMA))


@pytest.fixture
def client(tmp_path: Path) -> EmbeddedClient:
    client = connect(tmp_path / "home")
    fill(client.app)
    return client


def test_a_script_reads_rows_and_labels_as_they_were_known(client: EmbeddedClient) -> None:
    with client:
        seen = client.dataset("trips").as_of("2026-02-01T12:00").read()

    assert seen["trip"].to_list() == [1, 2]
    assert seen["fare"].to_list() == [None, 7.0]
    assert seen["paid_at"].to_list() == [None, datetime(2026, 2, 1)]


def test_features_are_joined_as_they_were_known(client: EmbeddedClient) -> None:
    with client:
        trips, weather = client.dataset("trips"), client.dataset("weather")
        joined = trips.join_as_of(weather)
        fresh = trips.join_as_of(weather, by="station", max_age="2h")
        then = trips.as_of("2026-01-31T10:30").join_as_of(weather)

    assert joined["temp"].to_list() == [0, 2, 5]
    assert fresh["temp"].to_list() == [0, None, None]
    assert then["trip"].to_list() == [1]


def test_what_can_not_be_told_in_time_is_refused(client: EmbeddedClient) -> None:
    with client:
        add_data(client.call, client.blobs, "plain", pl.DataFrame({"n": [1], "text": ["x"]}))
        plain, trips = client.dataset("plain"), client.dataset("trips")

        with pytest.raises(
            Invalid, match=r"'plain' does not say which of its columns tell of time"
        ):
            plain.as_of("2026-01-31")
        with pytest.raises(Invalid, match="'text' is String, which tells no time"):
            plain.as_of("2026-01-31", event_time="text").read()
        with pytest.raises(Invalid, match="has no time zone"):
            trips.as_of(datetime(2026, 1, 31))
        with pytest.raises(Invalid, match="files hold what became known later"):
            trips.as_of("2026-01-31").files("somewhere")
        with pytest.raises(Invalid, match="'plain' does not say which of its columns tells when"):
            trips.join_as_of(plain)
        with pytest.raises(Invalid, match="no column 'line' to join by"):
            trips.join_as_of(client.dataset("weather"), by="line")


def test_naming_a_column_brings_no_label_back(client: EmbeddedClient) -> None:
    with client:
        seen = client.dataset("trips").as_of("2026-02-02T12:00", event_time="at").read()

    assert seen["trip"].to_list() == [1, 2, 3]
    assert seen["fare"].to_list() == [None, 7.0, None]


def test_times_with_and_without_a_zone_are_not_compared(client: EmbeddedClient) -> None:
    aware = WEATHER.with_columns(pl.col("hour").dt.replace_time_zone("UTC"))
    with client:
        add_data(client.call, client.blobs, "weather", aware)

        with pytest.raises(Invalid, match="one has a time zone and the other has none"):
            client.dataset("trips").join_as_of(client.dataset("weather"))


def test_the_version_that_was_the_newest_then_is_found(any_app: App) -> None:
    app = any_app
    clock = clock_of(app)
    first = app.clock.now()
    fill(app)
    clock.advance(timedelta(minutes=1))
    between = app.clock.now()
    clock.advance(timedelta(minutes=1))
    add_data(app.call, app.blobs, "trips", TRIPS.head(2))
    app.call(AcceptSchema(dataset="trips", toml=TRIPS_SCHEMA + "# more\n"))

    found = app.call(GetDatasetVersion(dataset="trips", known_at=between))
    schema = app.call(GetSchema(dataset="trips", at=between))

    assert found.number == 1
    assert app.call(GetDatasetVersion(dataset="trips")).number == 2
    assert schema is not None
    assert schema.number == 1
    with pytest.raises(NotFound, match="no version of 'trips' was accepted by 2000-01-01"):
        app.call(GetDatasetVersion(dataset="trips", known_at=datetime(2000, 1, 1, tzinfo=UTC)))
    with pytest.raises(Invalid, match="the same at any time"):
        app.call(GetDatasetVersion(dataset="trips", number=1, known_at=first))


FLOW = """
import polars as pl

@ms.step
def known(trips: ms.Dataset, day: str) -> int:
    mark("known")
    return trips.as_of(day).read()["fare"].count()

@ms.pipeline
def flow(trips: ms.Dataset, day: str = "2026-02-01"):
    return known(trips, day)
"""


def test_a_step_reads_in_time_and_its_result_is_found_again_only_for_the_same_times(
    flow: Flow,
) -> None:
    fill(flow.app)
    flow.write(FLOW)

    assert flow.value(flow.run()) == 1
    assert flow.value(flow.run()) == 1
    assert flow.count("known") == 1
    assert flow.value(flow.run(params={"day": "2026-02-03"})) == 2
    assert flow.count("known") == 2
    later = TRIPS_SCHEMA.replace('label_at = "paid_at"', 'label_at = "at"')
    flow.app.call(AcceptSchema(dataset="trips", toml=later))
    assert flow.value(flow.run()) == 2
    assert flow.count("known") == 3


def test_the_command_reads_in_time_and_writes_files(
    client: EmbeddedClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    client.close()
    monkeypatch.setenv("MAINSPRING_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    get = ["data", "get", "trips"]

    assert run_command([*get, "--as-of", "2026-02-01", "--columns", "trip,fare"]) == 0
    said = capfd.readouterr()
    assert said.out == "trip,fare\n1,\n2,7.0\n"
    assert "taken as UTC, for they have no time zone: at, paid_at" in said.err

    assert run_command([*get, "--join", "weather", "--limit", "1", "-o", "joined.parquet"]) == 0
    assert pl.read_parquet("joined.parquet")["temp"].to_list() == [0]
    assert run_command([*get, "--as-of", "soon"]) == 2
    assert run_command([*get, "--known-at", "2000-01-01"]) == 3
    assert run_command([*get, "--columns", "no"]) == 2
    assert run_command([*get, "-o", "trips.xls"]) == 2
    assert run_command([*get, "--by", "station"]) == 2
    capfd.readouterr()

    with connect() as again:
        nested = pl.DataFrame({"a:b": [[1, 2], None], "s": [{"x": 1}, {"x": None}]})
        add_data(again.call, again.blobs, "nested", nested)
    assert run_command(["data", "get", "nested"]) == 0
    assert capfd.readouterr().out == 'a:b,s\n"[1,2]","{""x"":1}"\n,"{""x"":null}"\n'
    assert run_command(["data", "get", "nested", "-o", "nested.csv"]) == 0
    assert pl.read_csv("nested.csv")["a:b"].to_list() == ["[1,2]", None]
    assert run_command(["data", "get", "nested", "--json", "--limit", "1"]) == 0
    assert '{"a:b":[1,2],"s":{"x":1}}' in capfd.readouterr().out

    assert run_command(["data", "path", "trips"]) == 0
    assert pl.read_parquet(capfd.readouterr().out.strip()).equals(TRIPS)
