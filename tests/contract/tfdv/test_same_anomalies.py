"""TFDV's own kinds of anomaly: our checks of its schemas find the same, under its names.

`told.json` is what the real TFDV said; the slow test asks it again where `make setup-tfdv` made its environment, which
takes 2.5 GB.
"""

import base64
import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.domain.check import CheckReport
from mainspring.domain.data_type import DataType
from mainspring.quality.catalogue.scope import Surroundings
from mainspring.quality.checks import check_table
from mainspring.quality.distances import distribution_distance
from mainspring.quality.infer import schema_of_profile
from mainspring.quality.measure import profile_table
from mainspring.quality.skew import skew_report
from mainspring.quality.tfdv import from_pbtxt
from mainspring.quality.tfdv_statistics import from_statistics

HERE = Path(__file__).parent
THEIRS = HERE.parents[2] / ".venv-tfdv" / "bin" / "python"
TOLD: dict[str, Any] = json.loads((HERE / "told.json").read_text())


def _cases() -> dict[str, dict[str, Any]]:
    # By its path: their environment imports it by its name.
    spec = importlib.util.spec_from_file_location("tfdv_cases", HERE / "cases.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cases: dict[str, dict[str, Any]] = module.CASES
    return cases


CASES = _cases()


@pytest.mark.parametrize("name", CASES)
def test_a_case_of_tfdv_has_the_same_anomalies_here(name: str) -> None:
    assert ours(CASES[name]) == TOLD["anomalies"][name]


def test_every_case_was_put_to_tfdv() -> None:
    assert TOLD["anomalies"].keys() == CASES.keys()


def ours(case: dict[str, Any]) -> dict[str, list[str]]:
    """Anomalies by feature, as TFDV gives them, of what blocks."""
    carried = from_pbtxt(case["schema"], "d").schema
    table = pl.DataFrame(case["table"])
    previous = pl.DataFrame(case["previous"]) if "previous" in case else None
    around = Surroundings(reference=None if previous is None else profile_table(previous))
    environment = str(case["environment"]).lower() if "environment" in case else None
    reports = [check_table(carried, table, environment=environment, around=around)]
    if "serving" in case:
        served = pl.DataFrame(case["serving"])
        reports.append(
            skew_report("d", carried, profile_table(table), profile_table(served), served.schema)
        )
    found: dict[str, list[str]] = {}
    for result in _blocking(reports):
        assert result.anomaly, result
        found.setdefault(result.column or "", []).append(result.anomaly)
    return {feature: sorted(set(names)) for feature, names in found.items()}


def _blocking(reports: list[CheckReport]) -> list[Any]:
    return [result for report in reports for result in report.blocking]


@pytest.mark.parametrize("form", ["binary", "text", "tfrecord"])
def test_statistics_of_tfdv_become_a_profile(form: str) -> None:
    carried = from_statistics(as_file(form))

    profile = carried.profile
    fare, lists, n, name = sorted(profile.columns, key=lambda column: column.name)
    table = pl.DataFrame(
        {
            "fare": [n / 7 if n % 10 else None for n in range(500)],
            "n": [n % 50 for n in range(500)],
            "name": [("a", "b", "c", None)[n % 4] for n in range(500)],
        }
    )
    mine = profile_table(table)
    assert profile.row_count == 500
    assert carried.left_out == (
        "lists: its rows have several values, of which only the gaps are kept",
    )
    assert (lists.type, lists.null_count) == (DataType.OTHER, 0)
    for theirs in (fare, n, name):
        our = mine.column(theirs.name)
        assert our is not None
        assert (theirs.type, theirs.row_count) == (our.type, our.row_count)
        assert (theirs.null_count, theirs.minimum, theirs.maximum) == (
            our.null_count,
            our.minimum,
            our.maximum,
        )
        assert distribution_distance(theirs, our, "psi") < 0.06
    assert fare.moments is not None
    assert fare.moments.mean == pytest.approx(table["fare"].mean())
    assert fare.moments.deviation == pytest.approx(table["fare"].std(), rel=2e-3)
    assert name.frequent is not None
    assert name.frequent.counts == {"a": 125, "b": 125, "c": 125}
    assert check_table(
        schema_of_profile("d", profile), table.with_columns(lists=pl.lit([1.0]))
    ).passed


def as_file(form: str) -> bytes:
    binary = base64.b64decode(TOLD["binary"])
    match form:
        case "text":
            return str(TOLD["text"]).encode()
        case "tfrecord":
            return base64.b64decode(TOLD["tfrecord"])
        case _:
            return binary


@pytest.mark.slow
@pytest.mark.skipif(not THEIRS.exists(), reason="make setup-tfdv makes TFDV's environment")
def test_the_real_tfdv_still_says_so() -> None:
    done = subprocess.run(
        [str(THEIRS), str(HERE / "ask.py")], check=True, capture_output=True, text=True, timeout=300
    )

    told = json.loads(done.stdout.splitlines()[-1])

    assert told["anomalies"] == TOLD["anomalies"]
