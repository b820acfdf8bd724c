"""The requests of MLflow's Java and R clients, as their sources make them.

Each replays one method: its path, its body as its JSON library writes it, its headers. Java prints protobuf's
JSON (64-bit integers as texts, a run under both its names); R sends every value as a text, round numbers as
`1e+05`, logical ones as `TRUE`, and nothing for what is NULL.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mainspring.app import App
from mainspring.server.control import create_app_on
from mainspring.testing.web import Browser

FILES = "/api/2.0/mlflow-artifacts/artifacts"
MLMODEL = b"flavors: {python_function: {loader_module: mlflow.sklearn}}"


class Client:
    """Sends what a client sends, and gives what it would read."""

    def __init__(self, browser: Browser, **headers: str) -> None:
        self._browser = browser
        self._headers = headers

    def __call__(self, method: str, path: str, body: object = None, /, **query: object) -> Any:
        status, told = self.ask(method, path, body, **query)
        assert status == 200, told
        return told

    def ask(
        self, method: str, path: str, body: object = None, /, **query: object
    ) -> tuple[int, Any]:
        given = self._browser.request(
            method,
            f"/api/2.0/mlflow/{path}",
            params=query or None,
            content=None if body is None else json.dumps(body),
            headers=self._headers,
        )
        return given.status_code, given.json()

    def put(self, uri: str, content: bytes) -> None:
        location = uri.removeprefix("mlflow-artifacts:/")
        assert self._browser.put(f"{FILES}/{location}", content=content).status_code == 200


@pytest.fixture
def browser(app: App) -> Iterator[Browser]:
    with Browser(create_app_on(app)) as browser:
        yield browser


@pytest.fixture
def java(browser: Browser) -> Client:
    """org/mlflow/tracking/MlflowHttpCaller.java"""
    return Client(
        browser, **{"User-Agent": "mlflow-java-client/3.1.0", "Content-Type": "application/json"}
    )


@pytest.fixture
def r(browser: Browser) -> Client:
    """mlflow/R/tracking-rest.R"""
    return Client(
        browser,
        **{
            "User-Agent": "mlflow-r-client/3.1.0",
            "Content-Type": "application/json",
            "Accept": "application/json, text/xml, application/xml, */*",
        },
    )


def test_java_keeps_experiments(java: Client) -> None:
    """org/mlflow/tracking/MlflowClient.java, MlflowProtobufMapper.java"""
    tags = [{"key": "team", "value": "a"}]
    made = java("POST", "experiments/create", {"name": "from java", "tags": tags})
    id_ = made["experiment_id"]
    java("POST", "experiments/update", {"experiment_id": id_, "new_name": "renamed"})
    body = {"experiment_id": id_, "key": "k", "value": ""}
    java("POST", "experiments/set-experiment-tag", body)
    search = {"filter": "", "max_results": "1000", "view_type": "ACTIVE_ONLY"}
    found = java("POST", "experiments/search", search)["experiments"]
    by_name = java("GET", "experiments/get-by-name", experiment_name="renamed")["experiment"]
    missing = java.ask("GET", "experiments/get-by-name", experiment_name="none")
    java("POST", "experiments/delete", {"experiment_id": id_})
    java("POST", "experiments/restore", {"experiment_id": id_})

    assert {each["name"] for each in found} == {"Default", "renamed"}
    assert by_name["experiment_id"] == id_
    assert sorted(each["key"] for each in by_name["tags"]) == ["k", "team"]
    assert missing[0] == 404
    assert java("GET", "experiments/get", experiment_id=id_)["experiment"]["name"] == "renamed"


def test_java_logs_a_run(java: Client) -> None:
    """org/mlflow/tracking/MlflowClient.java, MlflowProtobufMapper.java"""
    body = {"experiment_id": "0", "user_id": "me", "start_time": "1700000000000"}
    info = java("POST", "runs/create", body)["run"]["info"]
    run = info["run_id"]
    both = {"run_uuid": run, "run_id": run}
    java("POST", "runs/log-parameter", {**both, "key": "depth", "value": "6"})
    point = {"value": 0.5, "timestamp": "1700000000001", "step": "7"}
    java("POST", "runs/log-metric", {**both, "key": "loss", **point})
    java("POST", "runs/log-metric", {**both, "key": "nan", **point, "value": "NaN"})
    java("POST", "runs/set-tag", {**both, "key": "t", "value": "x"})
    java("POST", "runs/delete-tag", {"run_id": run, "key": "t"})
    batch = {
        "run_id": run,
        "metrics": [{"key": "loss", "value": 1.0e-3, "timestamp": "1700000000002", "step": "8"}],
        "params": [{"key": "rate", "value": "0.1"}],
        "tags": [{"key": "kept", "value": ""}],
    }
    java("POST", "runs/log-batch", batch)
    ended = {**both, "status": "FINISHED", "end_time": "1700000000009"}
    java("POST", "runs/update", ended)
    java("POST", "runs/delete", {"run_id": run})
    java("POST", "runs/restore", {"run_id": run})

    there = java("GET", "runs/get", run_uuid=run, run_id=run)["run"]
    history = java("GET", "metrics/get-history", run_uuid=run, run_id=run, metric_key="loss")
    assert there["info"]["user_id"] == "me"
    assert (there["info"]["status"], there["info"]["end_time"]) == ("FINISHED", 1700000000009)
    assert {p["key"]: p["value"] for p in there["data"]["params"]} == {"depth": "6", "rate": "0.1"}
    latest = {each["key"]: each["value"] for each in there["data"]["metrics"]}
    assert latest == {"loss": 0.001, "nan": "NaN"}
    assert [(each["step"], each["value"]) for each in history["metrics"]] == [(7, 0.5), (8, 0.001)]
    assert "t" not in {each["key"] for each in there["data"]["tags"]}


def test_java_pages_through_runs(java: Client) -> None:
    """org/mlflow/tracking/MlflowClient.java, RunsPage.java"""
    for _ in range(3):
        java("POST", "runs/create", {"experiment_id": "0"})
    asked = {"experiment_ids": ["0"], "run_view_type": "ACTIVE_ONLY", "max_results": 2}

    first = java("POST", "runs/search", asked)
    second = java("POST", "runs/search", {**asked, "page_token": first["next_page_token"]})

    assert (len(first["runs"]), len(second["runs"])) == (2, 1)
    assert "next_page_token" not in second


def test_java_registers_models(java: Client) -> None:
    """org/mlflow/tracking/ModelRegistryClient parts of MlflowClient.java and MlflowProtobufMapper.java"""
    info = java("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]
    java.put(info["artifact_uri"] + "/model/MLmodel", MLMODEL)
    java("POST", "registered-models/create", {"name": "demand"})
    body = {"name": "demand", "run_id": info["run_id"], "source": f"{info['artifact_uri']}/model"}
    java("POST", "model-versions/create", body)
    java("PATCH", "model-versions/update", {"name": "demand", "version": "1"})
    stage = {"name": "demand", "version": "1", "stage": "Staging"}
    java("POST", "model-versions/transition-stage", stage)

    latest = java("GET", "registered-models/get-latest-versions", name="demand", stages="Staging")
    found = java("GET", "model-versions/search", filter="name='demand'")
    uri = java("GET", "model-versions/get-download-uri", name="demand", version="1")
    assert latest["model_versions"][0]["current_stage"] == "Staging"
    assert [each["version"] for each in found["model_versions"]] == ["1"]
    assert uri["artifact_uri"].startswith("mlflow-artifacts:/")
    assert java("GET", "registered-models/get", name="demand")["registered_model"]["name"]
    assert java("GET", "model-versions/get", name="demand", version="1")["model_version"]


def test_r_keeps_experiments(r: Client) -> None:
    """mlflow/R/tracking-experiments.R"""
    tags = [{"key": "team", "value": "a"}]
    id_ = r("POST", "experiments/create", {"name": "from R", "tags": tags})["experiment_id"]
    search = {"view_type": "ACTIVE_ONLY", "max_results": "1000", "order_by": []}
    found = r("POST", "experiments/search", search)["experiments"]
    missing = r.ask("GET", "experiments/get-by-name", experiment_name="none")
    r("POST", "experiments/update", {"experiment_id": id_, "new_name": "renamed"})
    r("POST", "experiments/set-experiment-tag", {"experiment_id": id_, "key": "k", "value": "v"})

    assert {each["name"] for each in found} == {"Default", "from R"}
    # By this word the client decides to make the experiment.
    assert missing[1]["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert r("GET", "experiments/get", experiment_id=id_)["experiment"]["name"] == "renamed"


def test_r_logs_a_run(r: Client) -> None:
    """mlflow/R/tracking-runs.R"""
    tags = [{"key": "mlflow.user", "value": "me"}, {"key": "mlflow.source.name", "value": "a.R"}]
    body = {"experiment_id": "0", "user_id": "me", "start_time": "1.7e+12", "tags": tags}
    run = r("POST", "runs/create", body)["run"]["info"]["run_uuid"]
    both = {"run_uuid": run, "run_id": run}
    for value, step in (("0.5", "0"), ("NaN", "99999"), ("-Infinity", "1e+05")):
        point = {"key": "loss", "value": value, "timestamp": "1700000000123", "step": step}
        r("POST", "runs/log-metric", {**both, **point})
    r("POST", "runs/log-parameter", {**both, "key": "depth", "value": "6"})
    r("POST", "runs/set-tag", {**both, "key": "t", "value": "x"})
    r("POST", "runs/delete-tag", {"run_id": run, "key": "t"})
    rows = [{"key": "acc", "value": "1e-05", "step": "1", "timestamp": "1.7e+12"}]
    r("POST", "runs/log-batch", {"run_id": run, "metrics": rows, "params": [], "tags": []})
    model = {"run_id": run, "artifact_path": "m", "utc_time_created": "2024", "flavors": {}}
    r("POST", "runs/log-model", {"run_id": run, "model_json": json.dumps(model)})
    end = {**both, "status": "FINISHED", "end_time": "1700000000999"}
    ended = r("POST", "runs/update", end)["run_info"]["run_uuid"]

    there = r("GET", "runs/get", run_uuid=run, run_id=run)["run"]
    history = r("GET", "metrics/get-history", run_uuid=run, run_id=run, metric_key="loss")
    steps = [each["step"] for each in history["metrics"]]
    assert (ended, there["info"]["start_time"]) == (run, 1_700_000_000_000)
    assert steps == [0, 99_999, 100_000]
    assert [each["value"] for each in history["metrics"]] == [0.5, "NaN", "-Infinity"]
    assert {each["key"]: each["value"] for each in there["data"]["metrics"]}["acc"] == 1e-05


def test_r_finds_and_lists(r: Client) -> None:
    """mlflow/R/tracking-runs.R"""
    info = r("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]
    r.put(info["artifact_uri"] + "/a/b.txt", b"x")
    asked = {"experiment_ids": ["0"], "run_view_type": "ALL", "order_by": []}

    found = r("POST", "runs/search", {**asked, "filter": "attributes.status = 'RUNNING'"})
    by_run = {"run_uuid": info["run_id"], "run_id": info["run_id"]}

    assert len(found["runs"]) == 1
    assert r("GET", "artifacts/list", **by_run)["files"] == [{"path": "a", "is_dir": True}]
    assert r("GET", "artifacts/list", **by_run, path="a")["files"][0]["path"] == "a/b.txt"


def test_r_registers_models(r: Client) -> None:
    """mlflow/R/model-registry.R"""
    info = r("POST", "runs/create", {"experiment_id": "0"})["run"]["info"]
    r.put(info["artifact_uri"] + "/model/MLmodel", MLMODEL)
    made = {"name": "demand", "tags": [{"key": "a", "value": "b"}], "description": "d"}
    r("POST", "registered-models/create", made)
    source = f"runs:/{info['run_id']}/model"
    version = {"name": "demand", "source": source, "run_id": info["run_id"], "run_link": "link"}
    number = r("POST", "model-versions/create", version)["model_version"]["version"]
    search = {"max_results": "100", "order_by": ["name DESC"], "filter": "name LIKE 'dem%'"}
    found = r("POST", "registered-models/search", search)["registered_models"]
    alias = {"name": "demand", "alias": "blue", "version": number}
    r("POST", "registered-models/alias", alias)
    by_alias = r("GET", "registered-models/alias", name="demand", alias="blue")["model_version"]
    change = {"name": "demand", "version": number, "description": "better"}
    r("PATCH", "model-versions/update", change)
    stage = {"name": "demand", "version": number, "stage": "Production"}
    r("POST", "model-versions/transition-stage", {**stage, "archive_existing_versions": "TRUE"})
    latest = r("GET", "registered-models/get-latest-versions", name="demand", stages="Production")
    r("PATCH", "registered-models/update", {"name": "demand", "description": "x"})
    r("POST", "registered-models/rename", {"name": "demand", "new_name": "rides"})
    r("DELETE", "model-versions/delete", {"name": "rides", "version": number})
    r("DELETE", "registered-models/delete", {"name": "rides"})

    assert [each["name"] for each in found] == ["demand"]
    assert (number, by_alias["version"]) == ("1", "1")
    assert latest["model_versions"][0]["current_stage"] == "Production"
    assert r.ask("GET", "registered-models/get", name="rides")[0] == 404
