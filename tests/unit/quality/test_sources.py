"""Tables out of files and out of frames of other libraries."""

from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.quality.measure import profile_table
from mainspring.quality.sources import open_table

TABLE = pl.DataFrame({"n": [1.5, None, 3.0], "w": ["a", None, "ä"], "k": [1, 2, 3]})


@pytest.mark.parametrize("ending", ["parquet", "csv", "tsv", "jsonl"])
def test_files_are_read_by_their_endings(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a #%41 b.{ending}"
    match ending:
        case "parquet":
            TABLE.write_parquet(path)
        case "jsonl":
            TABLE.write_ndjson(path)
        case _:
            TABLE.write_csv(path, separator="\t" if ending == "tsv" else ",")

    assert open_table(path).collect().equals(TABLE)
    assert profile_table(open_table(str(path))).row_count == 3


def test_frames_of_other_libraries_are_read() -> None:
    pandas = pd.DataFrame({"n": [1.5, None, 3.0], "w": ["a", None, "ä"], "k": [1, 2, 3]})
    pandas["at"] = pd.to_datetime(["2026-01-01", None, "2026-01-03"])

    read = open_table(pandas).collect()

    assert read.drop("at").equals(TABLE)
    assert read["at"].null_count() == 1
    assert open_table(TABLE).collect().equals(TABLE)
    assert open_table(TABLE.lazy()).collect().equals(TABLE)
    relation = duckdb.sql("select 1.5::double as n, 'a' as w union all select null, null")
    assert open_table(relation).collect().rows() == [(1.5, "a"), (None, None)]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"x")

    with pytest.raises(NotFound, match="there is no"):
        open_table(tmp_path / "none.csv")
    with pytest.raises(Invalid, match=r"photo\.png is no table"):
        open_table(tmp_path / "photo.png")
    with pytest.raises(Invalid, match="a dict is no table"):
        open_table({"a": [1]})
