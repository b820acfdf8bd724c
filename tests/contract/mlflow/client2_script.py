"""What a script does with the last client of MLflow 2; run in that client's own environment.

Prints one JSON object with what it saw, which the test beside it looks at.
"""

import json
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LinearRegression

saw: dict[str, object] = {"client": mlflow.__version__}
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()


def runs() -> str:
    mlflow.set_experiment("old rides")
    with mlflow.start_run(run_name="old", tags={"kind": "old"}) as run:
        mlflow.log_params({"depth": 6})
        for step in range(3):
            mlflow.log_metrics({"loss": 1 / (step + 1)}, step=step)
        mlflow.log_text("hello", "notes/hello.txt")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "a.txt").write_text("a")
            mlflow.log_artifacts(folder, "folder")
        mlflow.log_input(
            mlflow.data.from_pandas(pd.DataFrame({"x": [1.0]}), name="rides"), context="training"
        )
    found = client.get_run(run.info.run_id)
    saw["run"] = {
        "status": found.info.status,
        "metrics": found.data.metrics,
        "params": found.data.params,
        "kind": found.data.tags["kind"],
        "history": [m.value for m in client.get_metric_history(found.info.run_id, "loss")],
        "artifacts": sorted(a.path for a in client.list_artifacts(found.info.run_id)),
        "text": mlflow.artifacts.load_text(f"{found.info.artifact_uri}/notes/hello.txt"),
        "inputs": [i.dataset.name for i in found.inputs.dataset_inputs],
        "found": len(
            mlflow.search_runs(experiment_names=["old rides"], filter_string="params.depth = '6'")
        ),
    }
    return str(found.info.run_id)


def models() -> None:
    mlflow.sklearn.autolog()
    table = pd.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) ** 2})
    with mlflow.start_run() as run:
        model = LinearRegression().fit(table, table["a"] * 2)
    autologged = client.get_run(run.info.run_id)
    mlflow.sklearn.autolog(disable=True)
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(
            model, "model", registered_model_name="old", input_example=table.head(2)
        )
    client.transition_model_version_stage("old", "1", "Production")
    client.set_registered_model_alias("old", "best", "1")
    client.set_model_version_tag("old", "1", "checked", "yes")
    by = {
        "uri": info.model_uri,
        "stage": "models:/old/Production",
        "alias": "models:/old@best",
        "number": "models:/old/1",
        "latest": "models:/old/latest",
    }
    version = client.get_model_version("old", 1)
    saw["model"] = {
        "autologged": sorted(autologged.data.metrics)[:2],
        "autologged_params": "fit_intercept" in autologged.data.params,
        "predictions": {
            name: mlflow.pyfunc.load_model(uri).predict(table.head(3)).round(6).tolist()
            for name, uri in by.items()
        },
        "stage": version.current_stage,
        "tags": version.tags,
        "latest": [v.version for v in client.get_latest_versions("old", stages=["Production"])],
        "searched": [v.version for v in client.search_model_versions("name = 'old'")],
    }
    archived = client.transition_model_version_stage("old", "1", "Archived")
    saw["archived"] = archived.current_stage


runs()
models()
print("SAW " + json.dumps(saw))
