"""`mainspring://` addresses, read by fsspec, pandas, DuckDB and Polars."""

import errno
import pickle
from collections.abc import Iterator
from pathlib import Path

import duckdb
import fsspec
import pandas as pd
import polars as pl
import pytest

from mainspring.quality.intake import add_data
from mainspring.sdk.embedded import connect
from mainspring.sdk.filesystem import MainspringFileSystem
from mainspring.server.control import create_app_on
from mainspring.testing.web import served

TABLE = pl.DataFrame({"id": [1, 2, 3], "fare": [1.5, 2.5, None]})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "rides"
    (folder / "2011").mkdir(parents=True)
    TABLE.write_csv(folder / "2011" / "q1.csv")
    TABLE.write_csv(folder / "2011" / "q2.csv")
    with connect(tmp_path / "home") as client:
        add_data(client.call, client.blobs, "rides", folder)
        add_data(client.call, client.blobs, "rides", TABLE)
    return tmp_path / "home"


@pytest.fixture
def files(home: Path) -> Iterator[MainspringFileSystem]:
    files = fsspec.filesystem("mainspring", home=str(home), skip_instance_cache=True)
    yield files
    files._client.close()


def test_versions_are_folders(files: MainspringFileSystem) -> None:
    assert files.ls("mainspring://", detail=False) == ["rides"]
    assert files.ls("mainspring://rides@1", detail=False) == ["rides@1/2011"]
    assert files.ls("rides@1/2011", detail=False) == ["rides@1/2011/q1.csv", "rides@1/2011/q2.csv"]
    assert files.ls("rides", detail=False) == ["rides/data.parquet"]
    assert files.find("rides@1") == ["rides@1/2011/q1.csv", "rides@1/2011/q2.csv"]
    assert files.glob("mainspring://rides@1/*/q1.csv") == ["rides@1/2011/q1.csv"]
    assert files.isdir("rides@1/2011") and files.isfile("rides@1/2011/q1.csv")
    assert files.size("rides@1/2011/q1.csv") == len(files.cat_file("rides@1/2011/q1.csv"))


def test_a_file_can_be_sought_in(files: MainspringFileSystem) -> None:
    with files.open("mainspring://rides@1/2011/q1.csv") as file:
        file.seek(3)
        assert file.read(4) == b"fare"
    assert files.cat_file("rides@1/2011/q1.csv", start=3, end=7) == b"fare"


def test_what_is_not_there_or_can_not_be_written_is_an_error_of_files(
    files: MainspringFileSystem,
) -> None:
    for address in ("nothing", "rides@9", "rides@x", "rides@1/2012/q1.csv", "rides@1/20"):
        assert not files.exists(address)
        with pytest.raises(FileNotFoundError):
            files.info(address)
        with pytest.raises(FileNotFoundError):
            files.open(address)
    with pytest.raises(OSError, match="versions never change") as caught:
        files.open("rides@1/new.csv", "wb")
    assert caught.value.errno == errno.EROFS


def test_pandas_and_duckdb_read_addresses(home: Path, files: MainspringFileSystem) -> None:
    read = pd.read_csv("mainspring://rides@1/2011/q1.csv", storage_options={"home": str(home)})
    connection = duckdb.connect()
    connection.register_filesystem(files)
    found = connection.sql("select sum(fare), count(*) from 'mainspring://rides@1/2011/*.csv'")

    assert read["id"].tolist() == [1, 2, 3]
    assert found.fetchall() == [(8.0, 6)]
    parquet = connection.sql(
        "select max(id) from read_parquet('mainspring://rides@2/data.parquet')"
    )
    assert parquet.fetchall() == [(3,)]
    connection.close()


def test_a_server_streams_the_same(home: Path) -> None:
    with connect(home) as client, served(create_app_on(client.app)) as url:
        files = fsspec.filesystem("mainspring", url=url, skip_instance_cache=True)
        text = files.cat_file("rides@1/2011/q1.csv")
        files._client.close()

    assert text.startswith(b"id,fare\n1,1.5")


def test_a_file_system_can_be_sent_to_another_process(files: MainspringFileSystem) -> None:
    other = pickle.loads(pickle.dumps(files))

    assert other.cat_file("rides@2/data.parquet")[:4] == b"PAR1"
    other._client.close()


def test_duckdb_and_polars_read_by_path(home: Path) -> None:
    with connect(home) as client:
        paths = client.dataset("rides", 1).paths()
        dataset = client.dataset("rides")
        (parquet,) = dataset.paths().values()
        assert dataset.scan().select(pl.col("fare").sum()).collect().item() == 4.0
        with dataset.open("data.parquet") as file:
            assert pl.read_parquet(file).equals(TABLE)

    assert list(paths) == ["2011/q1.csv", "2011/q2.csv"]
    assert duckdb.sql(f"select count(*) from read_parquet('{parquet}')").fetchall() == [(3,)]
    assert pl.scan_parquet(parquet).collect().equals(TABLE)
    assert not parquet.stat().st_mode & 0o222
