"""Great Expectations and we judge the same real tables by the same suites: verdicts, values and rows agree.

The suites go their way: Great Expectations writes them as JSON, and we read that.
"""

import json
import math
import os
import runpy
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.domain.check import CheckResult
from mainspring.domain.schema import TableSchema
from mainspring.quality.catalogue.entries import entries
from mainspring.quality.checks import Checking
from mainspring.quality.compiled import Check, RowCheck
from mainspring.quality.great_expectations import CORE, from_suite

ROOT = Path(__file__).parents[3]
THEIRS = ROOT / ".venv-ge" / "bin" / "python"
SUITES = runpy.run_path(str(Path(__file__).with_name("suites.py")))["SUITES"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def a_table(name: str) -> pl.DataFrame:
    if name == "rides":
        rides = pl.read_parquet(ROOT / "examples" / "bikes" / "hour.parquet")
        return rides.with_columns(
            pl.struct("hum", "temp", "cnt").struct.json_encode().alias("record")
        )
    return pl.read_csv(ROOT / "tests" / "data" / "tables" / f"{name}.csv", try_parse_dates=True)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not THEIRS.exists():
        pytest.fail("there is no .venv-ge: make it with `make setup-ge`", pytrace=False)
    folder = tmp_path_factory.mktemp("tables")
    asked = {}
    for name, suite in SUITES.items():
        path = folder / f"{name}.parquet"
        a_table(name).write_parquet(path)
        asked[name] = {"path": str(path), "suite": suite}
    done = subprocess.run(
        [THEIRS, Path(__file__).with_name("their_side.py")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        env={**os.environ, "GX_ANALYTICS_ENABLED": "false", "HOME": str(folder)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("name", list(SUITES))
def test_the_same_suite_gives_the_same_verdicts(name: str, theirs: dict[str, Any]) -> None:
    carried = from_suite(theirs[name]["suite"])
    assert carried.left_out == ()
    assert len(carried.expectations) == len(SUITES[name])
    table = a_table(name)

    checking = Checking(
        TableSchema(
            dataset=name,
            columns=(),
            allow_extra_columns=True,
            expectations=carried.expectations,
        ),
        table,
    )

    results = [r for r in checking.report().results if r.check in entries()]
    asked = SUITES[name]
    apart = [
        f"{that} {kwargs}: {why}"
        for (that, kwargs), theirs_one, ours, check in zip(
            asked, theirs[name]["found"], results, checking._checks, strict=True
        )
        if (why := difference(theirs_one, ours, check, table))
    ]
    assert apart == []


def test_every_core_expectation_is_in_the_catalogue() -> None:
    assert set(entries()) >= CORE


def difference(theirs: dict[str, Any], ours: CheckResult, check: Check, table: pl.DataFrame) -> str:
    """In what two results differ, or nothing."""
    if theirs["raised"] and "MetricError" in theirs["raised"]:
        return f"they raised: {theirs['raised']}"
    if theirs["success"] is not ours.passed:
        return f"they say {theirs['success']} ({theirs}), we {ours.passed} ({ours.observed})"
    if isinstance(check, RowCheck):
        rows = table.select(pl.arg_where(check.violations)).to_series().to_list()
        if theirs["unexpected"] != ours.failed_row_count:
            return f"they count {theirs['unexpected']}, we {ours.failed_row_count}"
        if theirs["rows"] is not None and sorted(theirs["rows"]) != rows:
            return "other rows fail"
        return ""
    if theirs["observed"] is None or not same(theirs["observed"], ours.value):
        return (
            "" if theirs["observed"] is None else f"they see {theirs['observed']}, we {ours.value}"
        )
    return ""


def same(one: Any, other: Any) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    return str(one)[:10] == str(other)[:10]
