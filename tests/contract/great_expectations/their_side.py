"""Run by Great Expectations' own environment: judges tables by suites and prints what it found, as JSON."""

import json
import logging
import os
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.disable(logging.CRITICAL)

import great_expectations as gx  # noqa: E402
import pandas as pd  # noqa: E402
from great_expectations.expectations.expectation_configuration import (  # noqa: E402
    ExpectationConfiguration,
)


def judge(frame, suite):
    context = gx.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("here").add_dataframe_asset("table")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    found, written = [], gx.ExpectationSuite(name="suite")
    for that, given in suite:
        kwargs = dict(given)
        if "row_condition" in kwargs:
            kwargs["condition_parser"] = "pandas"
        expectation = ExpectationConfiguration(type=f"expect_{that}", kwargs=kwargs).to_domain_obj()
        written.add_expectation(expectation)
        result = batch.validate(
            expectation, result_format={"result_format": "COMPLETE", "partial_unexpected_count": 0}
        ).to_json_dict()
        details = result["result"]
        found.append(
            {
                "success": result["success"],
                "observed": details.get("observed_value"),
                "unexpected": details.get("unexpected_count"),
                "rows": details.get("unexpected_index_list"),
                "missing": details.get("missing_count"),
                "elements": details.get("element_count"),
                "raised": str(result.get("exception_info"))[:300] if not details else "",
            }
        )
    return {"found": found, "suite": written.to_json_dict()}


if __name__ == "__main__":
    tables = json.loads(sys.stdin.read())
    answer = {
        name: judge(pd.read_parquet(table["path"]), table["suite"])
        for name, table in tables.items()
    }
    print(json.dumps(answer, default=lambda v: v.item() if hasattr(v, "item") else str(v)))
