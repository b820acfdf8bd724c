"""Checks of one's own, skew, and TFDV's statistics at the command line."""

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mainspring.cli.main import run_command
from mainspring.config import Settings
from mainspring.domain.prediction import PredictionId
from mainspring.kernel.ids import new_id
from mainspring.serving.log.frames import Answered
from mainspring.serving.log.writer import PredictionLog

SCHEMA = """
dataset = "rides"
[column.distance]
type = "float"
[column.duration]
type = "float"
environments = ["training"]
[[expect]]
that = "custom_check_to_pass"
check = "checks.py:short"
column = "distance"
arguments = { limit = 100 }
severity = "quarantine"
"""
CODE = "import mainspring as ms\n\n@ms.check\ndef short(distance, limit):\n    return distance < limit\n"


class Installation:
    """A home, and a folder in which commands are typed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.home, self._capsys = folder, folder / "home", capsys

    def run(self, *arguments: str) -> int:
        return run_command([*arguments, "--home", str(self.home)])

    def said(self) -> str:
        captured = self._capsys.readouterr()
        return captured.out + captured.err


@pytest.fixture
def there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Installation:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    distance = rng.lognormal(1, 0.5, 2_000)
    pl.DataFrame({"distance": distance, "duration": distance * 3}).write_parquet("rides.parquet")
    Path("rides.toml").write_text(SCHEMA)
    Path("checks.py").write_text(CODE)
    return Installation(tmp_path, capsys)


def test_own_checks_keep_rows_apart_by_the_code_that_was_accepted(there: Installation) -> None:
    assert there.run("schema", "check", "rides.parquet", "--schema", "rides.toml") == 0
    assert there.run("schema", "accept", "rides", "rides.toml") == 0
    (there.folder / "checks.py").unlink()
    table = pl.read_parquet("rides.parquet")
    table.with_columns(
        pl.when(pl.int_range(pl.len()) < 3).then(500.0).otherwise("distance").alias("distance")
    ).write_parquet("more.parquet")

    assert there.run("data", "add", "rides", "more.parquet") == 0

    assert "3 rows are kept apart" in there.said()
    assert there.run("schema", "accept", "rides", "rides.toml") == 3
    assert "there is no checks.py, which the schema names for its checks" in there.said()


def test_skew_reads_the_prediction_log(there: Installation) -> None:
    there.run("data", "add", "rides", "rides.parquet")
    there.run("schema", "accept", "rides", "rides.toml")
    distance = pl.read_parquet("rides.parquet")["distance"]
    asked(there.home, distance[:500].to_list(), arm="champion")
    # A shadow is asked what others were asked, too; what is old is of no matter.
    asked(there.home, [1e6] * 500, arm="shadow")
    asked(there.home, [1e6] * 500, arm="champion", ago=9 * 86_400)

    assert there.run("schema", "skew", "rides", "--service", "eta") == 0
    assert "500 rows, against rides v1" in there.said()

    asked(there.home, (distance[:500] * 1.609).to_list(), arm="candidate")
    asked(there.home, [None] * 200, arm="champion")

    assert there.run("schema", "skew", "rides", "--service", "eta", "--threshold", "0.05") == 6
    said = there.said()
    assert "distance, column_distribution_to_match_training: psi" in said
    assert "16.67% missing, 0.00% in training" in said
    assert "duration" not in said


def test_skew_takes_a_sample_and_says_what_is_wrong(there: Installation) -> None:
    there.run("data", "add", "rides", "rides.parquet")
    pl.read_parquet("rides.parquet").select("distance").head(300).write_csv("served.csv")

    assert there.run("schema", "skew", "rides", "--sample", "served.csv", "--measure", "ks") == 0
    # Without a schema nothing says that the label is not served: a warning.
    assert "duration, missing-column: it is not among what is served" in there.said()
    assert there.run("schema", "skew", "rides") == 2
    assert "Give --service or --sample" in there.said()
    assert there.run("schema", "skew", "rides", "--service", "nobody") == 3
    assert "the prediction log has nothing that nobody was asked" in there.said()


def test_statistics_of_tfdv_become_a_schema_and_stand_for_training(there: Installation) -> None:
    Path("stats.pbtxt").write_text(
        'datasets { num_examples: 100 features { name: "distance" type: FLOAT num_stats { '
        "common_stats { num_non_missing: 100 } mean: 5 std_dev: 3 max: 10 histograms { type: QUANTILES "
        "buckets { high_value: 5 sample_count: 50 } buckets { low_value: 5 high_value: 10 "
        'sample_count: 50 } } } custom_stats { name: "entropy" num: 1 } } }'
    )
    pl.DataFrame({"distance": [n / 10 for n in range(100)]}).write_csv("like.csv")
    pl.DataFrame({"distance": [n * 10.0 for n in range(100)]}).write_csv("unlike.csv")

    assert there.run("import", "tfdv", "stats.pbtxt", "rides", "-o", "from_stats.toml") == 0
    said = there.said()
    assert "left out: distance.custom_stats 'entropy': not known" in said
    assert "# seen in 100 rows; none missing; 0 to 10" in Path("from_stats.toml").read_text()
    skew = ("schema", "skew", "rides", "--statistics", "stats.pbtxt", "--sample")
    assert there.run(*skew, "like.csv") == 0
    assert there.run(*skew, "unlike.csv") == 6


def test_a_table_in_a_database_is_checked_where_it_lies(there: Installation) -> None:
    connection = sqlite3.connect("rides.db")
    connection.execute("CREATE TABLE rides (distance REAL, duration REAL)")
    connection.executemany("INSERT INTO rides VALUES (?, 1.0)", [(float(n),) for n in range(150)])
    connection.commit()
    connection.close()
    url = f"sqlite:///{there.folder / 'rides.db'}"
    Path("plain.toml").write_text(
        'dataset = "rides"\n[column.distance]\ntype = "float"\nmax = 100\n'
        '[column.duration]\ntype = "float"\n'
    )

    assert there.run("schema", "check", url, "--table", "rides", "--schema", "plain.toml") == 6
    said = there.said()
    assert "distance, range: 49 rows outside (101 to 149)" in said
    assert "row 101: distance=101" in said
    few = "SELECT * FROM rides WHERE distance < 9"
    assert there.run("schema", "check", url, "--query", few, "--schema", "plain.toml") == 0
    assert there.run("schema", "check", url, "--schema", "plain.toml") == 2
    assert "Give --table or --query" in there.said()


def asked(home: Path, values: list[float | None], *, arm: str, ago: float = 0) -> None:
    """Put answers into the log as a predictor does."""
    log = PredictionLog(Settings(home=home).predictions_path)
    at = datetime.fromtimestamp(time.time() - ago, UTC)
    answered = Answered(
        ids=[PredictionId(new_id("prd", at)) for _ in values],
        version="mv_1",
        arm=arm,
        keys=None,
        at=int(at.timestamp() * 1e6),
        event_at=None,
        names=["distance"],
        columns=[list(values)],
        outputs=[1.0] * len(values),
        latency_ms=1.0,
        code=200,
        error=None,
    )
    log.append("eta", answered, len(values))
    log.write(log.take())
    log.close()
