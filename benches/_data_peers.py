"""What Great Expectations, Pandera, whylogs and TFDV take for the same work, each in an environment of its own.

`python benches/_data_peers.py NAME PATH SUITE` is run by the peer's Python, so nothing of ours is imported. CPU seconds count all
threads and leave out the imports.
"""

import importlib
import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

Suite = list[tuple[str, dict[str, Any]]]


def great_expectations(path: str, suite: Suite) -> None:
    """The suite on a pandas frame."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.expectations.expectation_configuration import (
        ExpectationConfiguration,
    )

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("here").add_dataframe_asset("table")
    frame = pd.read_parquet(path)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    made = gx.ExpectationSuite(name="suite")
    for that, kwargs in suite:
        asked = ExpectationConfiguration(type=f"expect_{that}", kwargs=kwargs)
        made.add_expectation(asked.to_domain_obj())
    assert batch.validate(made).success


def pandera(path: str, suite: Suite) -> None:
    """The suite as a schema of Polars columns, all failures gathered."""
    import pandera.polars as pa
    import polars as pl

    checks: dict[str, list[Any]] = {}
    for that, asked in suite:
        if "column" in asked:
            checks.setdefault(asked["column"], []).append(_pandera_check(pa, pl, that, asked))
    columns = {name: pa.Column(checks=made, nullable=True) for name, made in checks.items()}
    frame = pl.read_parquet(path)
    assert frame.height == suite[0][1]["value"]
    pa.DataFrameSchema(columns).validate(frame, lazy=True)


def _pandera_check(pa: Any, pl: Any, that: str, asked: dict[str, Any]) -> Any:
    match that:
        case "column_values_to_not_be_null":
            most = 1 - asked["mostly"]
            return pa.Check(
                lambda data: data.lazyframe.select(pl.col(data.key).is_null().mean() <= most),
                ignore_na=False,
            )
        case "column_values_to_be_between":
            return pa.Check.in_range(asked["min_value"], asked["max_value"])
        case "column_values_to_match_regex":
            return pa.Check.str_matches(asked["regex"])
        case "column_values_to_be_in_set":
            return pa.Check.isin(asked["value_set"])
        case "column_value_lengths_to_equal":
            return pa.Check.str_length(asked["value"], asked["value"])
        case _:
            return pa.Check.str_length(asked["min_value"], asked["max_value"])


def whylogs(path: str, suite: Suite) -> None:
    """A profile of a pandas frame."""
    import pandas as pd
    import whylogs as why

    why.log(pd.read_parquet(path)).profile().view().serialize()


def tfdv(path: str, suite: Suite) -> None:
    """Statistics of a pandas frame."""
    import pandas as pd
    import tensorflow_data_validation as tfdv

    tfdv.generate_statistics_from_dataframe(pd.read_parquet(path)).SerializeToString()


WORK: dict[str, tuple[str, Callable[[str, Suite], None]]] = {
    "great_expectations": ("great_expectations", great_expectations),
    "pandera": ("pandera.polars", pandera),
    "whylogs": ("whylogs", whylogs),
    "tfdv": ("tensorflow_data_validation", tfdv),
}


def main(name: str, path: str, suite: str) -> None:
    """Do one peer's work and print what it took."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.CRITICAL)
    os.environ["GX_ANALYTICS_ENABLED"] = os.environ["WHYLOGS_NO_ANALYTICS"] = "false"
    module, work = WORK[name]
    importlib.import_module(module)
    cpu, wall = time.process_time(), time.perf_counter()
    work(path, json.loads(suite))
    with Path("/proc/self/status").open() as status:
        peak = next(line for line in status if line.startswith("VmHWM"))
    took = {
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "rss": int(peak.split()[1]) / 1024,
    }
    print("\n" + json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
