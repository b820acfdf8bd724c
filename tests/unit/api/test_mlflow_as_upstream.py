"""What MLflow's own server does in cases that its tests name, where we once did something else."""

import json
from datetime import timedelta
from typing import Any

import pytest

from mainspring.app import App
from mainspring.testing.apps import clock_of
from mainspring.testing.web import Browser
from mainspring.tracking.requests import CreateRun, GetRun

A = "/api/2.0/mlflow"
PAGES = "/ajax-api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
MLMODEL = b"flavors: {python_function: {loader_module: mlflow.sklearn}}"


@pytest.fixture
def run(app: App) -> str:
    return app.call(CreateRun(experiment="0")).id


def post(browser: Browser, path: str, **body: Any) -> Any:
    given = browser.post(A + path, json=body)
    assert given.status_code == 200, given.text
    return given.json()


def told(given: Any) -> tuple[int, str]:
    return given.status_code, given.json()["message"]


@pytest.mark.parametrize("path", ["../path", "/abs", "a/../..", "%2e%2e", "..%2f", "a\\b"])
def test_a_path_that_leaves_its_root_is_refused_before_anything_is_looked_up(
    browser: Browser, run: str, path: str
) -> None:
    asked = [
        browser.get(A + "/artifacts/list", params={"run_id": run, "path": path}),
        browser.get("/get-artifact", params={"run_id": run, "path": path}),
        browser.get(
            "/model-versions/get-artifact", params={"name": "none", "version": "1", "path": path}
        ),
        browser.post(
            PAGES + "/upload-artifact", params={"run_uuid": run, "path": path}, content="x"
        ),
    ]

    assert [told(each) for each in asked] == [(400, "Invalid path")] * 4


def test_a_page_may_send_a_small_file(browser: Browser, run: str) -> None:
    url, at = PAGES + "/upload-artifact", {"run_uuid": run, "path": "notes/a b.txt"}

    assert told(browser.post(url, content="x")) == (400, "Request must specify run_id or run_uuid.")
    assert told(browser.post(url, params={"run_id": run}, content="x"))[1].endswith("path.")
    assert told(browser.post(url, params=at))[1] == "Request must specify data."
    assert "Max size is 10MB" in told(browser.post(url, params=at, content=b"x" * (11 << 20)))[1]
    assert browser.post(url, params=at, content="hello").status_code == 200
    assert browser.get("/get-artifact", params=at).text == "hello"


def test_a_wrong_value_is_shown_as_it_came(browser: Browser, run: str) -> None:
    given = browser.post(A + "/runs/log-batch", json={"run_id": run, "metrics": "foo"})

    assert "Invalid value \"foo\" for parameter 'metrics' supplied" in told(given)[1]


def test_numbers_may_come_as_texts(app: App, browser: Browser, run: str) -> None:
    for number, value in enumerate(("1.5", "-2e3", "Infinity", "7")):
        post(browser, "/runs/log-metric", run_id=run, key=f"m{number}", value=value, timestamp="59")
    for value in ("", "1_0", "nan", "inf", "0x1", "1e", " 1"):
        body = {"run_id": run, "key": "m", "value": value, "timestamp": 1}
        assert browser.post(A + "/runs/log-metric", json=body).status_code == 400, value

    found = [metric.value for metric in app.call(GetRun(run=run)).metrics]
    assert found == [1.5, -2000.0, float("inf"), 7.0]


@pytest.mark.parametrize("step", ["1.5", "1e", "1e+99", "1.55e+01", "1_0", "", " 1", "0x1"])
def test_a_step_is_a_whole_number(browser: Browser, run: str, step: str) -> None:
    body = {"run_id": run, "key": "m", "value": 1, "timestamp": 1, "step": step}

    assert browser.post(A + "/runs/log-metric", json=body).status_code == 400


def test_a_body_may_be_encoded_twice(app: App, browser: Browser, run: str) -> None:
    body = json.dumps(json.dumps({"run_id": run, "tags": [{"key": "a", "value": "b"}]}))

    assert browser.post(A + "/runs/log-batch", content=body).status_code == 200
    assert app.call(GetRun(run=run)).tags["a"] == "b"
    assert browser.post(A + "/runs/log-batch", content='"[]"').status_code == 400


def test_a_value_that_is_left_out_is_an_empty_one(app: App, browser: Browser, run: str) -> None:
    post(browser, "/runs/log-parameter", run_id=run, key="p")
    post(browser, "/runs/set-tag", run_id=run, key="t")

    there = app.call(GetRun(run=run))
    assert (there.params["p"], there.tags["t"]) == ("", "")


def test_no_metric_is_older_than_1970(browser: Browser, run: str) -> None:
    point = {"key": "m", "value": 1, "timestamp": -1}
    for path, body in (
        ("/runs/log-metric", {"run_id": run, **point}),
        ("/runs/log-batch", {"run_id": run, "metrics": [point]}),
    ):
        given = browser.post(A + path, json=body)
        assert given.status_code == 400
        assert "Timestamp must be a nonnegative" in told(given)[1]


def test_a_run_has_one_name(browser: Browser) -> None:
    tags = [{"key": "mlflow.runName", "value": "that"}]
    given = browser.post(
        A + "/runs/create", json={"experiment_id": "0", "run_name": "this", "tags": tags}
    )

    assert given.status_code == 400
    assert "with different values" in told(given)[1]


@pytest.mark.parametrize("order", ["metrics.m foo", "metrics.m ASC DESC", "start_time then run_id"])
def test_an_order_of_several_words_is_refused(browser: Browser, order: str) -> None:
    body = {"experiment_ids": ["0"], "order_by": [order]}

    assert browser.post(A + "/runs/search", json=body).status_code == 400


def test_an_order_by_the_run_name_needs_no_quotes(browser: Browser) -> None:
    for order in ("run name DESC", "attributes.Run Name", "`run name` ASC"):
        post(browser, "/runs/search", experiment_ids=["0"], order_by=[order])


def test_a_key_may_be_quoted_in_any_way_and_a_parameter_looked_for_in_a_list(
    browser: Browser, run: str
) -> None:
    post(browser, "/runs/log-parameter", run_id=run, key="p", value="2")
    post(browser, "/logged-models", experiment_id="0", params=[{"key": "p", "value": "2"}])

    def count(path: str, name: str, filter_: str) -> int:
        asked = {"experiment_ids": ["0"], "filter": filter_}
        return len(post(browser, path, **asked)[name])

    for filter_, expected in (
        ("params.p IN ('1', '2')", 1),
        ("params.'p' = '2'", 1),
        ("params.\"p\" NOT IN ('2')", 0),
        ("params.none NOT IN ('2')", 0),
    ):
        assert count("/runs/search", "runs", filter_) == expected, filter_
        assert count("/logged-models/search", "models", filter_) == expected, filter_
    assert count("/logged-models/search", "models", "experiment_id = '0'") == 1


def test_datasets_of_runs_are_listed_once(browser: Browser, run: str) -> None:
    dataset = {"name": "rides", "digest": "d1", "source_type": "local", "source": "x"}
    tags = [{"key": "mlflow.data.context", "value": "training"}]
    second = browser.post(A + "/runs/create", json={"experiment_id": "0"}).json()["run"]["info"]
    for each in (run, second["run_id"]):
        given = [{"dataset": dataset, "tags": tags}, {"dataset": {**dataset, "digest": "d2"}}]
        post(browser, "/runs/log-inputs", run_id=each, datasets=given)

    def listed(*experiments: str) -> Any:
        return browser.post(
            PAGES + "/experiments/search-datasets", json={"experiment_ids": experiments}
        )

    assert listed("0").json()["dataset_summaries"] == [
        {"experiment_id": "0", "name": "rides", "digest": "d1", "context": "training"},
        {"experiment_id": "0", "name": "rides", "digest": "d2"},
    ]
    assert listed("unknown").json() == {}
    assert "at least one experiment_id" in told(listed())[1]
    assert "more than 20" in told(listed(*map(str, range(21))))[1]


def model_info(path: str, **more: object) -> str:
    info = {"run_id": "r", "artifact_path": path, "utc_time_created": "2024", "flavors": {}}
    return json.dumps(info | more)


def test_saved_models_of_older_clients_become_a_list(app: App, browser: Browser, run: str) -> None:
    for path in ("first", "second"):
        post(browser, "/runs/log-model", run_id=run, model_json=model_info(path))

    history = json.loads(app.call(GetRun(run=run)).tags["mlflow.log-model.history"])
    assert [each["artifact_path"] for each in history] == ["first", "second"]


def test_a_list_of_saved_models_stays_a_list_when_it_grows_too_long(
    app: App, browser: Browser, run: str
) -> None:
    for number in range(5):
        info = model_info(f"m{number}", signature="s" * 3000)
        post(browser, "/runs/log-model", run_id=run, model_json=info)
    several = json.loads(app.call(GetRun(run=run)).tags["mlflow.log-model.history"])
    post(
        browser, "/runs/log-model", run_id=run, model_json=model_info("huge", signature="s" * 9000)
    )
    one = json.loads(app.call(GetRun(run=run)).tags["mlflow.log-model.history"])

    assert [each["artifact_path"] for each in several] == ["m3", "m4"]
    assert [each["artifact_path"] for each in one] == ["huge"]


@pytest.mark.parametrize("info", ["{", "5", "[]", "{}", '{"artifact_path": "x"}', "[" * 100_000])
def test_what_is_no_saved_model_is_refused(browser: Browser, run: str, info: str) -> None:
    given = browser.post(A + "/runs/log-model", json={"run_id": run, "model_json": info})

    assert given.status_code == 400


def test_many_histories_are_asked_for_in_mlflows_words(browser: Browser) -> None:
    url = PAGES + "/metrics/get-history-bulk"

    def refused(**asked: object) -> str:
        return told(browser.get(url, params=asked))[1]

    assert "must specify at least one run_id" in refused(metric_key="k")
    assert "cannot specify more than 100" in refused(run_id=["r"] * 101, metric_key="k")
    assert "must specify a metric_key" in refused(run_id=["r"])


@pytest.mark.parametrize("sign", ["/", ":", ".", "%", '"', "'"])
def test_a_logged_models_name_has_no_signs_that_its_uri_needs(browser: Browser, sign: str) -> None:
    body = {"experiment_id": "0", "name": f"a{sign}b"}

    assert browser.post(A + "/logged-models", json=body).status_code == 400


def test_a_logged_model_remembers_a_run_from_elsewhere(browser: Browser) -> None:
    made = post(browser, "/logged-models", experiment_id="0", source_run_id="elsewhere")["model"]
    root = made["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    browser.put(f"{FILES}/{root}/MLmodel", content=MLMODEL)
    post(browser, "/registered-models/create", name="demand")
    source = f"models:/{made['info']['model_id']}"
    version = post(browser, "/model-versions/create", name="demand", source=source)

    assert made["info"]["source_run_id"] == "elsewhere"
    assert "run_id" not in version["model_version"]


def test_logged_models_are_found_by_state_and_by_what_they_were_measured_on(
    browser: Browser, run: str
) -> None:
    ids = [
        post(browser, "/logged-models", experiment_id="0", name=name)["model"]["info"]["model_id"]
        for name in ("one", "two")
    ]
    browser.request("PATCH", f"{A}/logged-models/{ids[0]}", json={"status": "LOGGED_MODEL_READY"})
    post(
        browser,
        "/runs/log-metric",
        run_id=run,
        key="acc",
        value=1,
        timestamp=1,
        model_id=ids[1],
        dataset_name="rides",
        dataset_digest="d1",
    )

    def found(**asked: object) -> list[str]:
        models = post(browser, "/logged-models/search", experiment_ids=["0"], **asked)["models"]
        return [each["info"]["name"] for each in models]

    assert found(filter="status = 'READY'") == ["one"]
    assert found(filter="attributes.status != 'READY'") == ["two"]
    assert found(filter="status IN ('PENDING', 'UPLOAD_FAILED')") == ["two"]
    assert found(datasets=[{"dataset_name": "rides", "dataset_digest": "d1"}]) == ["two"]
    assert found(datasets=[{"dataset_name": "rides"}]) == ["two"]
    assert found(datasets=[{"dataset_name": "rides", "dataset_digest": "d2"}]) == []
    assert len(found(max_results=100_000)) == 2
    bogus = {"experiment_ids": ["0"], "filter": "status = 'bogus'"}
    assert browser.post(A + "/logged-models/search", json=bogus).status_code == 400


def a_version(browser: Browser, run: str) -> Any:
    browser.put(f"{FILES}/0/{run}/artifacts/model/MLmodel", content=MLMODEL)
    return browser.post(
        A + "/model-versions/create", json={"name": "demand", "source": f"runs:/{run}/model"}
    )


def test_a_version_needs_its_model_first(browser: Browser, run: str) -> None:
    given = a_version(browser, run)

    assert given.status_code == 404
    assert "Registered Model with name=demand not found" in told(given)[1]


def test_a_logged_model_is_told_of_its_versions(browser: Browser) -> None:
    made = post(browser, "/logged-models", experiment_id="0")["model"]["info"]
    root = made["artifact_uri"].removeprefix("mlflow-artifacts:/")
    browser.put(f"{FILES}/{root}/MLmodel", content=MLMODEL)
    post(browser, "/registered-models/create", name="demand")
    id_ = made["model_id"]
    for _ in range(2):
        body = {"name": "demand", "source": f"models:/{id_}", "model_id": id_}
        post(browser, "/model-versions/create", **body)

    tags = browser.get(f"{A}/logged-models/{id_}").json()["model"]["info"]["tags"]
    versions = '[{"name": "demand", "version": 1}, {"name": "demand", "version": 2}]'
    assert {"key": "mlflow.modelVersions", "value": versions} in tags


def test_a_stage_that_is_none_is_refused_and_a_move_touches_the_model(
    app: App, browser: Browser, run: str
) -> None:
    post(browser, "/registered-models/create", name="demand")
    a_version(browser, run)
    asked = {"name": "demand", "stages": ["bogus"]}
    assert browser.post(A + "/registered-models/get-latest-versions", json=asked).status_code == 400

    def touched() -> int:
        got = browser.get(A + "/registered-models/get", params={"name": "demand"}).json()
        return int(got["registered_model"]["last_updated_timestamp"])

    before = touched()
    clock_of(app).advance(timedelta(seconds=5))
    post(browser, "/model-versions/transition-stage", name="demand", version="1", stage="Staging")

    assert touched() == before + 5000


def test_traces_are_deleted_up_to_a_time_beyond_the_calendar(browser: Browser) -> None:
    given = browser.post(
        A + "/traces/delete-traces",
        json={"experiment_id": "0", "max_timestamp_millis": 10**15},
    )

    assert (given.status_code, given.json()) == (200, {"traces_deleted": 0})
