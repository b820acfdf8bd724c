"""What a user's script does with the real MLflow client; run in the client's own environment.

Prints one JSON object with what it saw, which the test beside it looks at.
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import xgboost
from mlflow.exceptions import MlflowException, RestException
from mlflow.tracking import MlflowClient
from sklearn.linear_model import LinearRegression

saw: dict[str, object] = {"client": mlflow.__version__}


def refused(work: object) -> str:
    """The error code of what must be refused."""
    try:
        work()  # type: ignore[operator]
    except (RestException, MlflowException) as error:
        return f"{error.error_code}: {error.message}"
    return "not refused"


def experiments(client: MlflowClient) -> str:
    experiment = mlflow.set_experiment("rides")
    client.set_experiment_tag(experiment.experiment_id, "team", "demand")
    other = client.create_experiment("other", tags={"a": "b"})
    client.rename_experiment(other, "renamed")
    client.delete_experiment(other)
    deleted = [e.name for e in client.search_experiments(view_type=2)]
    client.restore_experiment(other)
    saw["experiments"] = {
        "deleted": deleted,
        "all": sorted(e.name for e in client.search_experiments()),
        "by_tag": [e.name for e in client.search_experiments(filter_string="tags.team = 'demand'")],
        "taken": refused(lambda: client.create_experiment("rides"))[:23],
        "tags": client.get_experiment_by_name("rides").tags,
    }
    client.delete_experiment_tag(experiment.experiment_id, "team")
    return str(experiment.experiment_id)


def runs(client: MlflowClient, experiment: str) -> None:
    with mlflow.start_run(run_name="parent", tags={"kind": "parent"}) as parent:
        mlflow.log_params({"depth": 6, "rate": 0.1})
        mlflow.log_param("depth", 6)
        for step in range(20):
            mlflow.log_metrics({"loss": 1 / (step + 1), "acc": step / 20}, step=step)
        mlflow.log_metric("nan", math.nan)
        mlflow.log_metric("inf", math.inf)
        mlflow.log_metric("async", 1.0, synchronous=False)
        mlflow.flush_async_logging()
        mlflow.set_tag("mlflow.note.content", "a note")
        mlflow.set_tag("gone", "x")
        mlflow.delete_tag("gone")
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"a": 1}, "a.json")
        mlflow.log_table({"x": [1, 2]}, "table.json")
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "sub").mkdir()
            (Path(folder) / "sub" / "big.bin").write_bytes(b"0123456789" * 300_000)
            (Path(folder) / "top with blank.txt").write_text("top")
            mlflow.log_artifacts(folder, "folder")
        frame = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 2.0]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="rides"), context="training")
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("acc", 0.5)
    run = client.get_run(parent.info.run_id)
    history = client.get_metric_history(run.info.run_id, "loss")
    downloaded = mlflow.artifacts.download_artifacts(run_id=run.info.run_id)
    saw["run"] = {
        "status": run.info.status,
        "name": run.info.run_name,
        "params": run.data.params,
        "loss": run.data.metrics["loss"],
        "nan": math.isnan(run.data.metrics["nan"]),
        "inf": math.isinf(run.data.metrics["inf"]),
        "note": run.data.tags["mlflow.note.content"],
        "has_gone": "gone" in run.data.tags,
        "history": [m.step for m in history],
        "inputs": [(i.dataset.name, i.tags[0].value) for i in run.inputs.dataset_inputs],
        "listed": sorted(a.path for a in client.list_artifacts(run.info.run_id)),
        "listed_below": [
            (a.path, a.is_dir, a.file_size)
            for a in client.list_artifacts(run.info.run_id, "folder")
        ],
        "files": sorted(
            p.relative_to(downloaded).as_posix() for p in Path(downloaded).rglob("*") if p.is_file()
        ),
        "big_bytes": (Path(downloaded) / "folder/sub/big.bin").stat().st_size,
        "text": mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/hello.txt"),
        "child_of": client.get_run(child.info.run_id).data.tags["mlflow.parentRunId"]
        == run.info.run_id,
        "param_changed": refused(lambda: client.log_param(run.info.run_id, "depth", 7)),
        "bad_key": refused(lambda: client.log_metric(run.info.run_id, "../x", 1.0))[:23],
        "unknown": refused(lambda: client.get_run("run_unknown"))[:23],
    }
    searches(client, experiment, run.info.run_id)
    client.delete_run(child.info.run_id)
    saw["after_deletion"] = [r.info.run_name for r in client.search_runs([experiment])]
    client.restore_run(child.info.run_id)
    client.update_run(child.info.run_id, status="FAILED", name="renamed child")
    saw["renamed"] = client.get_run(child.info.run_id).info.run_name


def searches(client: MlflowClient, experiment: str, parent: str) -> None:
    def found(filter_string: str, order_by: list[str] | None = None) -> list[str]:
        page = client.search_runs([experiment], filter_string, order_by=order_by)
        return [run.info.run_name for run in page]

    first = client.search_runs([experiment], max_results=1, order_by=["metrics.acc DESC"])
    second = client.search_runs(
        [experiment], max_results=1, order_by=["metrics.acc DESC"], page_token=first.token
    )
    frame = mlflow.search_runs([experiment], "params.depth = '6'")
    saw["search"] = {
        "metric": found("metrics.acc > 0.9"),
        "child": found(f"tags.mlflow.parentRunId = '{parent}'"),
        "order": found("", ["metrics.acc ASC"]),
        "pages": [first[0].info.run_name, second[0].info.run_name],
        "name": found("attributes.run_name LIKE 'par%'"),
        "dataset": found("datasets.name = 'rides'"),
        "frame": list(frame["params.depth"]),
        "or": refused(lambda: found("metrics.a > 1 OR metrics.b > 2"))[:23],
    }


def models(client: MlflowClient, experiment: str) -> None:
    x = pd.DataFrame({"temp": np.arange(30.0), "wind": np.arange(30.0)[::-1]})
    y = x["temp"] * 2 + 1
    mlflow.sklearn.autolog(log_datasets=True)
    with mlflow.start_run(run_name="autologged") as run:
        LinearRegression().fit(x, y)
    mlflow.sklearn.autolog(disable=True)
    autologged = client.get_run(run.info.run_id)
    from_run = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    with mlflow.start_run(run_name="registered") as run:
        mlflow.log_metric("rmse", 0.25)
        info = mlflow.sklearn.log_model(
            LinearRegression().fit(x, y),
            name="model",
            input_example=x.head(2),
            registered_model_name="demand",
            params={"depth": 3},
            tags={"made": "here"},
        )
    second = mlflow.register_model(
        f"runs:/{autologged.info.run_id}/model", "demand", tags={"v": "2"}
    )
    client.set_registered_model_alias("demand", "blue", 1)
    client.set_registered_model_tag("demand", "team", "a")
    client.set_model_version_tag("demand", "1", "checked", "yes")
    client.update_registered_model("demand", description="rides by the hour")
    client.update_model_version("demand", "1", description="the first")
    loaded = mlflow.pyfunc.load_model("models:/demand@blue")
    latest = mlflow.pyfunc.load_model("models:/demand/latest")
    native = mlflow.sklearn.load_model("models:/demand/1")
    by_id = mlflow.pyfunc.load_model(info.model_uri)
    version = client.get_model_version_by_alias("demand", "blue")
    logged = client.get_logged_model(info.model_id)
    searched = mlflow.search_logged_models(
        [experiment], filter_string="name = 'model'", output_format="list"
    )
    saw["models"] = {
        "autolog_metrics": sorted(autologged.data.metrics),
        "autolog_params": "fit_intercept" in autologged.data.params,
        "autolog_outputs": len(autologged.outputs.model_outputs),
        "predictions": [
            float(model.predict(x.head(1))[0])
            for model in (from_run, loaded, latest, native, by_id)
        ],
        "signature": str(loaded.metadata.signature.inputs),
        "version": (
            version.version,
            version.run_id == run.info.run_id,
            version.source == info.model_uri,
        ),
        "aliases": client.get_registered_model("demand").aliases,
        "tags": client.get_registered_model("demand").tags,
        "version_tags": client.get_model_version("demand", 1).tags,
        "description": client.get_model_version("demand", 1).description,
        "second": second.version,
        "logged_status": str(logged.status),
        "logged_params": logged.params,
        "logged_metrics": [(m.key, m.value) for m in (logged.metrics or [])],
        "logged_found": len(searched),
        "found": [v.version for v in client.search_model_versions("name = 'demand'")],
        "found_by_run": [
            v.version for v in client.search_model_versions(f"run_id = '{run.info.run_id}'")
        ],
        "registered": [m.name for m in client.search_registered_models("name LIKE 'dem%'")],
        "champion": refused(lambda: client.set_registered_model_alias("demand", "champion", 1)),
        "no_alias": refused(lambda: client.get_model_version_by_alias("demand", "nothing"))[:23],
        "outside": refused(lambda: client.create_model_version("demand", "s3://bucket/model")),
        "traversal": refused(
            lambda: client.create_model_version("demand", "mlflow-artifacts:/0/../../etc/artifacts")
        )[:23],
    }
    stages(client)
    client.rename_registered_model("demand", "rides")
    client.delete_registered_model_alias("rides", "blue")
    client.delete_model_version("rides", "2")
    copied = client.copy_model_version("models:/rides/1", "copy")
    saw["afterwards"] = {
        "copied": (copied.name, copied.version),
        "left": [v.version for v in client.search_model_versions("name = 'rides'")],
        "copy_loads": float(mlflow.pyfunc.load_model("models:/copy/1").predict(x.head(1))[0]),
    }
    client.delete_registered_model("copy")
    client.delete_logged_model(info.model_id)


def boosters() -> None:
    mlflow.lightgbm.autolog()
    mlflow.xgboost.autolog()
    table = pd.DataFrame({"a": np.arange(200.0), "b": np.arange(200.0) ** 2})
    target = table["a"] * 2
    with mlflow.start_run() as light:
        rows = lightgbm.Dataset(table, target)
        lightgbm.train({"verbose": -1, "num_threads": 1}, rows, 5, valid_sets=[rows])
    with mlflow.start_run() as extreme:
        matrix = xgboost.DMatrix(table, label=target)
        xgboost.train({"nthread": 1}, matrix, 5, evals=[(matrix, "train")], verbose_eval=False)
    mlflow.lightgbm.autolog(disable=True)
    mlflow.xgboost.autolog(disable=True)
    found = [mlflow.get_run(run.info.run_id) for run in (light, extreme)]
    saw["boosters"] = {
        "metrics": [sorted(run.data.metrics) for run in found],
        "params": [len(run.data.params) > 3 for run in found],
        "models": [len(run.outputs.model_outputs) for run in found],
    }


def stages(client: MlflowClient) -> None:
    client.transition_model_version_stage("demand", "1", "Production")
    client.transition_model_version_stage(
        "demand", "2", "Production", archive_existing_versions=True
    )
    saw["stages"] = [
        (v.version, v.current_stage) for v in client.search_model_versions("name = 'demand'")
    ]
    saw["production"] = [v.version for v in client.get_latest_versions("demand", ["Production"])]


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    the_client = MlflowClient()
    the_experiment = experiments(the_client)
    runs(the_client, the_experiment)
    models(the_client, the_experiment)
    boosters()
    print("SAW " + json.dumps(saw))
