"""What the real MLflow client sees of a store: everything the takeover should carry over, as one JSON object.

python takeover_look_script.py TRACKING_URI
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import ViewType


def digests(folder: str) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }


def run_seen(client: MlflowClient, run: mlflow.entities.Run) -> dict[str, object]:
    info = run.info
    with tempfile.TemporaryDirectory() as folder:
        if client.list_artifacts(info.run_id):
            client.download_artifacts(info.run_id, "", folder)
        files = digests(folder)
    return {
        "name": info.run_name,
        "status": info.status,
        "times": [info.start_time, info.end_time],
        "user": info.user_id,
        "lifecycle": info.lifecycle_stage,
        "params": run.data.params,
        "tags": run.data.tags,
        "metrics": {
            key: sorted(
                {
                    (point.step, point.timestamp, repr(point.value))
                    for point in client.get_metric_history(info.run_id, key)
                }
            )
            for key in run.data.metrics
        },
        "inputs": [
            [
                *(each.dataset.name, each.dataset.digest, each.dataset.source),
                *(each.dataset.schema, each.dataset.profile),
                sorted([tag.key, tag.value] for tag in each.tags),
            ]
            for each in run.inputs.dataset_inputs
        ],
        "outputs": [[each.model_id, each.step] for each in run.outputs.model_outputs or ()],
        "files": files,
    }


def traces_seen(client: MlflowClient, experiment: str) -> dict[str, object]:
    return {
        trace.info.trace_id: {
            "state": str(trace.info.state),
            "times": [trace.info.request_time, trace.info.execution_duration],
            "tags": {
                key: value
                for key, value in trace.info.tags.items()
                if key not in ("mlflow.artifactLocation", "mlflow.trace.spansLocation")
            },
            "metadata": trace.info.trace_metadata,
            "assessments": sorted(
                json.dumps(each.to_dictionary(), sort_keys=True) for each in trace.info.assessments
            ),
            "spans": [
                [
                    *(span.name, span.span_type, span.span_id, span.parent_id, str(span.status)),
                    *(span.start_time_ns, span.end_time_ns, json.dumps(span.attributes)),
                    [[each.name, each.timestamp, each.attributes] for each in span.events],
                ]
                for span in trace.data.spans
            ],
        }
        for trace in client.search_traces(locations=[experiment])
    }


def traces_of_runs(
    client: MlflowClient, experiment: str, runs: list[mlflow.entities.Run], uri: str
) -> dict[str, list[str]]:
    found = {}
    # A folder can't be searched so.
    for run in runs if uri.startswith("http") else []:
        of_run = f"attribute.run_id = '{run.info.run_id}'"
        if traces := client.search_traces(locations=[experiment], filter_string=of_run):
            found[run.info.run_id] = sorted(trace.info.trace_id for trace in traces)
    return found


def main(uri: str) -> None:
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    client = MlflowClient()
    seen: dict[str, object] = {}
    for experiment in client.search_experiments(view_type=ViewType.ALL):
        runs = client.search_runs([experiment.experiment_id], run_view_type=ViewType.ALL)
        seen[f"experiment {experiment.name}"] = {
            "lifecycle": experiment.lifecycle_stage,
            "tags": experiment.tags,
            "runs": {run.info.run_id: run_seen(client, run) for run in runs},
            "traces": traces_seen(client, experiment.experiment_id),
            "traces of runs": traces_of_runs(client, experiment.experiment_id, runs, uri),
        }
        if experiment.lifecycle_stage == "active":
            models = mlflow.search_logged_models(
                [experiment.experiment_id], output_format="list", max_results=100
            )
            seen[f"models of {experiment.name}"] = {
                each.model_id: [
                    each.name,
                    each.source_run_id,
                    str(each.status),
                    each.params,
                    each.tags,
                    sorted([m.key, m.step, repr(m.value)] for m in each.metrics),
                ]
                for each in models
            }
    x = np.arange(4.0).reshape(2, 2)
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name='{model.name}'")
        seen[f"model {model.name}"] = {
            "description": model.description,
            "tags": model.tags,
            "aliases": {
                name.replace("mlflow-champion", "champion"): int(number)
                for name, number in model.aliases.items()
            },
            "versions": {
                int(each.version): [
                    each.description or "",
                    each.current_stage,
                    each.run_id,
                    each.source,
                    each.tags,
                    each.creation_timestamp,
                ]
                for each in versions
            },
            "answers": {
                int(each.version): mlflow.sklearn.load_model(f"models:/{model.name}/{each.version}")
                .predict(x)
                .tolist()
                for each in versions
            },
        }
    print("SAW " + json.dumps(seen, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1])
