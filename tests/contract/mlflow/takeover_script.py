"""Fills an MLflow store with one of everything, as its users do; run by the real MLflow.

python takeover_script.py TRACKING_URI
"""

import json
import math
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import requests
from mlflow import MlflowClient
from mlflow.entities import Metric, SpanEvent
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
    if uri.startswith("http"):
        traces(client, uri)


def traces(client: MlflowClient, uri: str) -> None:
    """A tree of spans with feedback, one that failed, one of a deleted experiment, and an old one with a file."""
    mlflow.set_experiment("rides")
    with mlflow.start_run(run_name="traced"), mlflow.start_span("answer", "CHAIN") as root:
        root.set_inputs({"question": "what is ß?", "of": [1, 2.5, None, True]})
        with mlflow.start_span("look up", "RETRIEVER") as inner:
            inner.set_attributes({"k": 3, "store": "wiki", "odd": math.nan})
            inner.add_event(SpanEvent("found", timestamp=99_999, attributes={"documents": 2}))
        root.set_outputs("a letter")
        root.set_attribute(
            "mlflow.chat.tokenUsage", {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}
        )
        mlflow.update_current_trace(
            tags={"kind": "test"}, metadata={"place": "here", "mlflow.trace.session": "s1"}
        )
    feedback = mlflow.log_feedback(
        trace_id=root.trace_id, name="good", value={"stars": 4}, rationale="clear"
    )
    mlflow.override_feedback(
        trace_id=root.trace_id, assessment_id=feedback.assessment_id, value=False
    )
    mlflow.log_expectation(trace_id=root.trace_id, name="answer", value=["a", "letter"])
    try:
        with mlflow.start_span("fails") as failed:
            raise ValueError("no")
    except ValueError:
        pass
    linked = client.search_runs([client.get_experiment_by_name("rides").experiment_id])[0]
    client.link_traces_to_run([failed.trace_id], linked.info.run_id)
    gone = client.create_experiment("traced and deleted")
    span = client.start_trace("early", experiment_id=gone)
    client.end_trace(span.trace_id)
    client.delete_experiment(gone)
    old = client._tracing_client.store.deprecated_start_trace_v2(
        experiment_id="0", timestamp_ms=1000, request_metadata={"m": "1"}, tags={"t": "2"}
    )
    location = old.tags["mlflow.artifactLocation"].removeprefix("mlflow-artifacts:/")
    requests.put(
        f"{uri}/api/2.0/mlflow-artifacts/artifacts/{location}/traces.json",
        data=json.dumps({"spans": [], "request": "q", "response": "a"}),
        timeout=60,
    ).raise_for_status()


if __name__ == "__main__":
    main(sys.argv[1])
