"""Fills an MLflow store with one of everything, as its users do; run by the real MLflow.

python takeover_script.py TRACKING_URI
"""

import math
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric
from sklearn.linear_model import LinearRegression


def main(uri: str) -> None:
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = MlflowClient()
    mlflow.set_experiment("rides")
    mlflow.set_experiment_tag("team", "demand")
    x = np.arange(12.0).reshape(6, 2)
    model = LinearRegression().fit(x, x.sum(axis=1))
    for number in range(3):
        with mlflow.start_run(run_name=f"train {number}", tags={"kind": "outer"}) as run:
            mlflow.log_params({"depth": number, "note": "ß ∑ " + "x" * 300})
            mlflow.log_metrics({"mae": 2.0 - number, "val/loss": math.nan})
            client.log_batch(
                run.info.run_id,
                metrics=[Metric("loss", 1 / (1 + i), 1_700_000_000_000 + i, i) for i in range(900)],
            )
            mlflow.log_input(
                mlflow.data.from_numpy(x, name="orders"), context="training", tags={"by": "hand"}
            )
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, "plots").mkdir()
                Path(folder, "plots", "ü b.txt").write_text(f"plot {number}")
                Path(folder, "empty.bin").write_bytes(b"")
                mlflow.log_artifacts(folder)
            with mlflow.start_run(nested=True, run_name="inner"):
                mlflow.log_metric("mae", 9.0)
            mlflow.sklearn.log_model(
                model,
                name="model",
                registered_model_name="demand",
                params={"alpha": "1"},
                pip_requirements=["scikit-learn"],
            )
    client.set_registered_model_tag("demand", "owner", "ann")
    client.update_registered_model("demand", description="How many rides.")
    client.set_registered_model_alias("demand", "candidate", "2")
    client.set_registered_model_alias("demand", "champion", "3")
    client.set_model_version_tag("demand", "1", "checked", "yes")
    client.update_model_version("demand", "1", description="The first one.")
    client.transition_model_version_stage("demand", "2", "Production")
    old = client.create_experiment("old", tags={"why": "gone"})
    run = client.create_run(old)
    client.log_metric(run.info.run_id, "a", 1.0)
    client.set_terminated(run.info.run_id, "FAILED")
    client.delete_experiment(old)
    lost = client.create_run("0", run_name="deleted run")
    client.delete_run(lost.info.run_id)
    client.create_run("0", run_name="still running")


if __name__ == "__main__":
    main(sys.argv[1])
