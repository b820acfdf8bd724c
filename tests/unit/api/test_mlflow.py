"""MLflow's protocol as it is on the wire: codes, words, and what hostile clients send."""

import json
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from mainspring.api.mlflow.errors import answer
from mainspring.api.mlflow.locations import location_of, location_of_uri
from mainspring.app import App
from mainspring.domain.actor import Role
from mainspring.governance.requests import IssueToken
from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.registry.requests import GetModelVersion, SearchModelVersions
from mainspring.server.control import create_app_on
from mainspring.testing.web import Browser
from mainspring.tracking.requests import CreateRun, GetRun, ListArtifacts

BASE = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
MLMODEL = b"""
flavors:
  python_function: {loader_module: mlflow.sklearn}
  sklearn: {serialization_format: skops, pickled_model: model.skops}
signature:
  inputs: '[{"name": "temp", "type": "double", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]'
"""


@pytest.fixture
def run(app: App) -> str:
    return app.call(CreateRun(experiment="0")).id


def post(browser: Browser, path: str, **body: Any) -> dict[str, Any]:
    given = browser.post(BASE + path, json=body)
    assert given.status_code == 200, given.text
    found: dict[str, Any] = given.json()
    return found


def refusal(browser: Browser, path: str, content: object) -> tuple[int, str, str]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    given = browser.post(BASE + path, content=body)
    told = given.json()
    return given.status_code, told["error_code"], told["message"]


def test_a_client_learns_which_protocol_is_spoken(browser: Browser) -> None:
    version = browser.get("/version")
    info = browser.get("/api/3.0/mlflow/server-info")

    assert version.headers["content-type"].startswith("text/plain")
    assert tuple(int(part) for part in version.text.split(".")) >= (3, 4)
    assert info.json()["multipart_uploads_enabled"] is False
    assert browser.get("/ajax-api/3.0/mlflow/server-info").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "code", "words"),
    [
        (
            "/runs/create",
            {},
            "INVALID_PARAMETER_VALUE",
            "Missing value for required parameter 'exp",
        ),
        (
            "/runs/create",
            {"experiment_id": 0},
            "INVALID_PARAMETER_VALUE",
            "Invalid value 0 for par",
        ),
        ("/runs/create", {"experiment_id": "0\0"}, "INVALID_PARAMETER_VALUE", "experiment_id"),
        ("/runs/create", b"{", "INVALID_PARAMETER_VALUE", "not valid JSON"),
        ("/runs/create", b"[]", "INVALID_PARAMETER_VALUE", "Expected `object`"),
        ("/runs/create", b"\xff\xfe", "INVALID_PARAMETER_VALUE", "JSON"),
        ("/runs/create", {"experiment_id": "9"}, "RESOURCE_DOES_NOT_EXIST", "id=9"),
        (
            "/runs/search",
            {"experiment_ids": ["0"], "max_results": 0},
            "INVALID_PARAMETER_VALUE",
            "0",
        ),
        ("/runs/search", {"experiment_ids": [7]}, "INVALID_PARAMETER_VALUE", "experiment_ids"),
        ("/runs/search", {"run_view_type": "SOME"}, "INVALID_PARAMETER_VALUE", "run_view_type"),
        ("/experiments/create", {"name": "x" * 501}, "INVALID_PARAMETER_VALUE", "name"),
        ("/no/such", {}, "ENDPOINT_NOT_FOUND", "not part of the protocol"),
    ],
)
def test_what_is_wrong_is_told_in_mlflows_words(
    browser: Browser, path: str, body: object, code: str, words: str
) -> None:
    status, told, message = refusal(browser, path, body)

    assert told == code
    assert status == (404 if code.endswith(("NOT_EXIST", "NOT_FOUND")) else 400)
    assert words in message


@pytest.mark.parametrize(
    "metric",
    [
        {"key": "a", "value": "x", "timestamp": 1},
        {"key": "a", "value": True, "timestamp": 1},
        {"key": "a", "timestamp": 1},
        {"key": "a", "value": 1},
        {"key": "a", "value": 1, "timestamp": "1.5"},
        {"key": "a", "value": 1, "timestamp": 2**63},
        {"key": "a", "value": 1, "timestamp": 1, "step": "x"},
        {"key": 5, "value": 1, "timestamp": 1},
        {"value": 1, "timestamp": 1},
        {"key": "a", "value": 1, "timestamp": 1, "model_id": "m-unknown"},
    ],
)
def test_a_metric_that_cannot_be_right_is_refused_with_its_whole_batch(
    app: App, browser: Browser, run: str, metric: dict[str, object]
) -> None:
    good = {"key": "good", "value": 1.0, "timestamp": 1}

    status, _, _ = refusal(browser, "/runs/log-batch", {"run_id": run, "metrics": [good, metric]})

    assert status in (400, 404)
    assert app.call(GetRun(run=run)).metrics == ()


def test_whole_numbers_may_come_as_strings_and_special_values_by_name(
    browser: Browser, run: str
) -> None:
    metrics = [
        {"key": "a", "value": "NaN", "timestamp": "5", "step": "-3"},
        {"key": "b", "value": "-Infinity", "timestamp": 5.0},
    ]
    post(browser, "/runs/log-batch", run_id=run, metrics=metrics)

    data = browser.get(f"{BASE}/runs/get", params={"run_id": run}).json()["run"]["data"]

    assert data["metrics"] == [
        {"key": "a", "value": "NaN", "timestamp": 5, "step": -3},
        {"key": "b", "value": "-Infinity", "timestamp": 5, "step": 0},
    ]


@pytest.mark.parametrize(("what", "count"), [("metrics", 1001), ("params", 101), ("tags", 101)])
def test_a_batch_beyond_mlflows_limits_is_refused(
    browser: Browser, run: str, what: str, count: int
) -> None:
    items = [{"key": f"k{i}", "value": "1", "timestamp": 1} for i in range(count)]

    status, _, message = refusal(browser, "/runs/log-batch", {"run_id": run, what: items})

    assert status == 400
    assert "A batch logging request can contain at most" in message


def test_a_param_twice_in_a_batch_is_refused_unless_it_says_the_same(
    browser: Browser, run: str
) -> None:
    same = [{"key": "a", "value": "1"}, {"key": "a", "value": "1"}]
    other = [{"key": "b", "value": "1"}, {"key": "b", "value": "2"}]

    post(browser, "/runs/log-batch", run_id=run, params=same)
    status, _, message = refusal(browser, "/runs/log-batch", {"run_id": run, "params": other})

    assert (status, "Duplicate parameter keys" in message) == (400, True)


def test_overload_asks_the_client_to_come_back_and_says_nothing_of_paths(app: App) -> None:
    home = app.settings.home
    told = answer(Unavailable(f"{home} is busy", code="store_busy"), home)

    assert told.status_code == 503
    assert told.headers["retry-after"]
    assert json.loads(bytes(told.body)) == {
        "error_code": "TEMPORARILY_UNAVAILABLE",
        "message": "<home> is busy",
    }


def test_a_history_comes_whole_unless_a_page_is_asked_for(browser: Browser, run: str) -> None:
    points = [{"key": "m", "value": i, "timestamp": i, "step": i} for i in range(30)]
    post(browser, "/runs/log-batch", run_id=run, metrics=points)
    asked = {"run_id": run, "metric_key": "m"}

    whole = browser.get(f"{BASE}/metrics/get-history", params=asked).json()
    first = browser.get(f"{BASE}/metrics/get-history", params={**asked, "max_results": 20}).json()
    rest = {**asked, "max_results": 20, "page_token": first["next_page_token"]}
    second = browser.get(f"{BASE}/metrics/get-history", params=rest).json()

    assert len(whole["metrics"]) == 30
    assert "next_page_token" not in whole
    assert [m["step"] for m in first["metrics"] + second["metrics"]] == list(range(30))


# --- files


def test_a_file_comes_back_as_it_went_and_never_as_a_page(
    app: App, browser: Browser, run: str
) -> None:
    page = b"<script>alert(1)</script>"
    location = f"{FILES}/0/{run}/artifacts/sub/page.html"
    put = browser.put(location, content=page, headers={"content-type": "text/html"})

    got = browser.get(location)

    assert put.status_code == 200
    assert got.content == page
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in got.headers["content-security-policy"]
    by_run = browser.get("/get-artifact", params={"run_id": run, "path": "sub/page.html"})
    assert by_run.content == page
    assert [a.path for a in app.call(ListArtifacts(root=f"0/{run}/artifacts"))] == ["sub/page.html"]


def test_a_bit_that_flipped_on_the_disk_is_told_and_nothing_damaged_sent(
    app: App, browser: Browser, run: str
) -> None:
    browser.put(f"{FILES}/0/{run}/artifacts/model.bin", content=b"weights" * 1000)
    [stored] = app.call(ListArtifacts(root=f"0/{run}/artifacts"))
    path = app.blobs.path_of(stored.digest)
    damaged = bytearray(path.read_bytes())
    damaged[3500] ^= 1
    path.chmod(0o644)
    path.write_bytes(damaged)

    for url in (
        f"{FILES}/0/{run}/artifacts/model.bin",
        f"/get-artifact?run_id={run}&path=model.bin",
    ):
        for headers in ({}, {"Range": "bytes=0-9"}):
            given = browser.get(url, headers=headers)

            assert (given.status_code, given.json()["error_code"]) == (500, "DATA_LOSS")
            assert "no longer those bytes" in given.json()["message"]
            assert str(app.settings.home) not in given.text


def test_an_empty_file_is_a_file(browser: Browser, run: str) -> None:
    location = f"{FILES}/0/{run}/artifacts/empty"
    browser.put(location, content=b"")

    listed = browser.get(FILES, params={"path": f"0/{run}/artifacts"}).json()

    assert browser.get(location).content == b""
    assert listed == {"files": [{"path": "empty", "is_dir": False, "file_size": 0}]}


def test_a_listing_shows_one_level(browser: Browser, run: str) -> None:
    for path in ("a/b/c.txt", "a/d.txt", "e.txt"):
        browser.put(f"{FILES}/0/{run}/artifacts/{path}", content=b"xy")

    def listed(path: str) -> list[tuple[str, bool]]:
        got = browser.get(FILES, params={"path": f"0/{run}/artifacts{path}"}).json()
        return [(each["path"], each["is_dir"]) for each in got["files"]]

    assert listed("") == [("a", True), ("e.txt", False)]
    assert listed("/a") == [("b", True), ("d.txt", False)]
    assert listed("/a/d.txt") == []
    assert listed("/nothing") == []
    by_run = browser.get(f"{BASE}/artifacts/list", params={"run_id": run, "path": "a"}).json()
    assert [each["path"] for each in by_run["files"]] == ["a/b", "a/d.txt"]


def test_deleting_a_folder_takes_just_that_folder(browser: Browser, run: str) -> None:
    for path in ("a_/x", "a/x", "ab/x", "a"):
        browser.put(f"{FILES}/0/{run}/artifacts/{path}", content=b"xy")

    browser.delete(f"{FILES}/0/{run}/artifacts/a")

    listed = browser.get(FILES, params={"path": f"0/{run}/artifacts"}).json()["files"]
    assert [each["path"] for each in listed] == ["a_", "ab"]


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "a/../../b",
        "a/./b",
        "a//b",
        "a\\..\\b",
        "%2e%2e/x",
        "%252e%252e/x",
        "a%00b",
        "a%2F..%2Fb",
    ],
)
def test_a_path_never_leaves_its_root(app: App, browser: Browser, run: str, path: str) -> None:
    got = browser.put(f"{FILES}/0/{run}/artifacts/{path}", content=b"x")

    named = [a.path for a in app.call(ListArtifacts(root=f"0/{run}/artifacts"))]
    # Either refused, or kept below the root under a plain name, to which the client resolved it.
    assert got.status_code in (400, 404) or named in (["%2e%2e/x"], ["a/b"])
    assert browser.get(f"{FILES}/0/{run}/artifacts/{path}").status_code in (200, 400, 404)


@pytest.mark.parametrize(
    "root", ["0/run_unknown/artifacts", "9/models/m-x/artifacts", "etc", "versions/mv_x/artifacts"]
)
def test_bytes_for_no_run_are_refused_before_they_are_read(
    app: App, browser: Browser, root: str
) -> None:
    got = browser.put(f"{FILES}/{root}/x", content=b"never stored")

    assert got.status_code in (400, 404)
    assert list(app.blobs.digests()) == []


def test_a_viewer_may_read_files_and_not_write_them(app: App, run: str) -> None:
    secret = app.call(IssueToken(name="v", role=Role.VIEWER)).secret
    with Browser(create_app_on(app), Authorization=f"Bearer {secret}") as viewer:
        put = viewer.put(f"{FILES}/0/{run}/artifacts/x", content=b"x")
        log = viewer.post(f"{BASE}/runs/log-batch", json={"run_id": run})
        get = viewer.get(f"{BASE}/runs/get", params={"run_id": run})

    assert put.json()["error_code"] == "PERMISSION_DENIED"
    assert (put.status_code, log.status_code, get.status_code) == (403, 403, 200)


def test_an_upload_needs_no_memory_of_its_size(app: App, browser: Browser, run: str) -> None:
    size = 64 << 20

    async def chunks() -> AsyncIterator[bytes]:
        chunk = b"x" * (1 << 20)
        for _ in range(size >> 20):
            yield chunk

    tracemalloc.start()
    got = browser.put(f"{FILES}/0/{run}/artifacts/big", content=chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert got.status_code == 200
    assert app.call(ListArtifacts(root=f"0/{run}/artifacts"))[0].size_bytes == size
    assert peak < size / 4


# --- models


@pytest.fixture
def logged_model(browser: Browser, run: str) -> Iterator[dict[str, Any]]:
    made = post(browser, "/logged-models", experiment_id="0", name="m", source_run_id=run)
    info: dict[str, Any] = made["model"]["info"]
    root = info["artifact_uri"].removeprefix("mlflow-artifacts:/")
    browser.put(f"{FILES}/{root}/MLmodel", content=MLMODEL)
    browser.put(f"{FILES}/{root}/model.skops", content=b"weights")
    yield info


def test_a_version_keeps_its_bytes_whatever_becomes_of_the_logged_model(
    app: App, browser: Browser, run: str, logged_model: dict[str, Any]
) -> None:
    post(browser, "/registered-models/create", name="demand")
    post(browser, "/runs/log-metric", run_id=run, key="rmse", value=1.5, timestamp=1)
    made = post(
        browser,
        "/model-versions/create",
        name="demand",
        source=f"models:/{logged_model['model_id']}",
    )
    root = logged_model["artifact_uri"].removeprefix("mlflow-artifacts:/")
    browser.put(f"{FILES}/{root}/model.skops", content=b"other weights")

    asked = {"name": "demand", "version": "1"}
    uri = browser.get(f"{BASE}/model-versions/get-download-uri", params=asked).json()[
        "artifact_uri"
    ]
    at = FILES + "/" + uri.removeprefix("mlflow-artifacts:/")

    assert browser.get(f"{at}/model.skops").content == b"weights"
    assert browser.put(f"{at}/model.skops", content=b"x").status_code == 400
    assert browser.delete(f"{at}/model.skops").status_code == 400
    version = app.call(GetModelVersion(model="demand", number=1))
    assert (version.run, version.flavor, version.metrics) == (run, "sklearn", {"rmse": 1.5})
    assert version.signature is not None
    assert version.signature.inputs[0].name == "temp"
    assert made["model_version"]["version"] == "1"
    by_name = browser.get("/model-versions/get-artifact", params={**asked, "path": "model.skops"})
    assert by_name.content == b"weights"


def test_a_deleted_logged_model_leaves_only_the_bytes_that_a_version_needs(
    app: App, browser: Browser, logged_model: dict[str, Any]
) -> None:
    post(browser, "/registered-models/create", name="demand")
    id_ = logged_model["model_id"]
    root = logged_model["artifact_uri"].removeprefix("mlflow-artifacts:/")
    post(browser, "/model-versions/create", name="demand", source=f"models:/{id_}")

    assert browser.request("DELETE", f"{BASE}/logged-models/{id_}").status_code == 200

    assert browser.get(f"{FILES}/{root}/model.skops").status_code == 404
    assert app.call(ListArtifacts(root=root)) == ()
    asked = {"name": "demand", "version": "1", "path": "model.skops"}
    assert browser.get("/model-versions/get-artifact", params=asked).content == b"weights"


def test_each_registration_is_a_version_as_with_mlflows_own_server(
    browser: Browser, logged_model: dict[str, Any]
) -> None:
    post(browser, "/registered-models/create", name="demand")
    source = f"models:/{logged_model['model_id']}"

    numbers = [
        post(browser, "/model-versions/create", name="demand", source=source)["model_version"][
            "version"
        ]
        for _ in range(2)
    ]

    assert numbers == ["1", "2"]


@pytest.mark.parametrize(
    "source",
    [
        "s3://bucket/model",
        "file:///etc",
        "/etc",
        "http://169.254.169.254/latest",
        "models:/m-unknown",
        "models:/demand/7",
        "runs:/run_unknown/model",
        "mlflow-artifacts:/../../etc/artifacts",
        "mlflow-artifacts://elsewhere/0/run_x/artifacts",
        "mlflow-artifacts:/0/run_x/artifacts#/../..",
        "mlflow-artifacts:/0/run_x/artifacts/%2e%2e",
        "dbfs:/x",
        "",
    ],
)
def test_a_source_elsewhere_is_never_followed(app: App, browser: Browser, source: str) -> None:
    post(browser, "/registered-models/create", name="demand")
    status, _, _ = refusal(browser, "/model-versions/create", {"name": "demand", "source": source})

    assert status in (400, 404)
    assert app.call(SearchModelVersions()).items == []


def test_a_folder_without_an_mlmodel_is_no_model(app: App, browser: Browser, run: str) -> None:
    post(browser, "/registered-models/create", name="demand")
    browser.put(f"{FILES}/0/{run}/artifacts/model/weights", content=b"x")

    status, _, message = refusal(
        browser, "/model-versions/create", {"name": "demand", "source": f"runs:/{run}/model"}
    )

    assert (status, "MLmodel" in message) == (400, True)
    assert app.call(SearchModelVersions()).items == []


@pytest.mark.parametrize(
    "text", ["", "a", "a/b", "a/b/c", "a/b/artifacts/../x", "a/models/artifacts/x"]
)
def test_what_is_no_location_is_refused(text: str) -> None:
    if text == "a/models/artifacts/x":
        assert location_of(text).root == "a/models/artifacts"
        return
    with pytest.raises(Invalid):
        location_of(text)


def test_a_host_in_a_location_is_not_followed() -> None:
    assert (
        location_of_uri("mlflow-artifacts://elsewhere:80/0/r/artifacts/x").root == "0/r/artifacts"
    )


def test_a_workspace_is_refused_rather_than_passed_over(browser: Browser) -> None:
    header = {"X-MLFLOW-WORKSPACE": "team-a"}

    refused = browser.post(f"{BASE}/experiments/create", json={"name": "a"}, headers=header)
    info = browser.get("/api/3.0/mlflow/server-info", headers=header)
    spans = browser.post("/v1/traces", content=b"", headers=header)

    assert refused.status_code == 400
    assert refused.json()["error_code"] == "FEATURE_DISABLED"
    assert info.json()["workspaces_enabled"] is False
    assert spans.status_code == 400
