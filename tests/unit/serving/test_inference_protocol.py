"""What callers may send, and what they hear when it can't be right: against one real process."""

import gzip
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mainspring.app import open_app
from mainspring.config import Settings
from mainspring.testing.apps import TESTER
from mainspring.testing.serving import (
    Predictor,
    a_declared_service,
    a_judged_version,
    a_predictor,
    promoted,
)

INPUTS = pl.DataFrame({"temp": [1.5, 2.5], "hour": [1, 2], "weather": ["clear", "rain"]})
INFER = "/v2/models/demand/infer"


class Adds:
    def predict(self, table: pl.DataFrame) -> Any:
        assert table.columns == ["temp", "hour", "weather"]
        return (table["temp"] + table["hour"]).to_numpy()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Predictor]:
    home: Path = tmp_path_factory.mktemp("home")
    app = open_app(Settings(home=home), actor=TESTER)
    a_declared_service(app)
    a_declared_service(app, "numbers")
    # Pickled by value: its class is not importable in a worker.
    import sys

    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    promoted(app, a_judged_version(app, Adds(), INPUTS))
    numbers = pl.DataFrame({"a": [1.0], "b": [2.0]})

    class Sums:
        def predict(self, table: pl.DataFrame) -> Any:
            return (table["a"] - table["b"]).to_numpy()

    promoted(app, a_judged_version(app, Sums(), numbers, model="numbers"), service="numbers")
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    with a_predictor(home) as predictor:
        predictor.wait_ready()
        yield predictor
    app.close()


def tensor(name: str, data: Any, datatype: str = "FP64", shape: Any = None) -> dict[str, Any]:
    return {
        "name": name,
        "datatype": datatype,
        "shape": shape or [len(data)],
        "data": data,
    }


def good() -> list[dict[str, Any]]:
    return [
        tensor("temp", [1.0, 2.0]),
        tensor("hour", [1, 2], "INT64"),
        tensor("weather", ["clear", "rain"], "BYTES"),
    ]


def test_one_tensor_per_column_in_any_order(predictor: Predictor) -> None:
    status, body = predictor.ask("POST", INFER, {"id": "mine", "inputs": good()[::-1]})

    assert status == 200
    assert body["id"] == "mine"
    assert body["outputs"][0]["data"] == [2.0, 4.0]
    assert len(body["parameters"]["prediction_id"]) == 2


def test_columns_may_have_a_second_axis_of_one(predictor: Predictor) -> None:
    inputs = [
        tensor("temp", [[1.0], [2.0]], shape=[2, 1]),
        tensor("hour", [[1], [2]], "INT32", [2, 1]),
        tensor("weather", [["a"], ["b"]], "BYTES", [2, 1]),
    ]

    status, body = predictor.ask("POST", INFER, {"inputs": inputs})

    assert (status, body["outputs"][0]["shape"]) == (200, [2])


@pytest.mark.parametrize("data", [[5.0, 3.0, 10.0, 4.0], [[5.0, 3.0], [10.0, 4.0]]])
def test_a_table_in_one_tensor(predictor: Predictor, data: Any) -> None:
    inputs = [tensor("input-0", data, "FP32", [2, 2])]

    status, body = predictor.ask("POST", "/v2/models/numbers/infer", {"inputs": inputs})

    assert (status, body["outputs"][0]["data"]) == (200, [2.0, 6.0])


DEEP = (
    b'{"inputs":[{"name":"temp","datatype":"FP64","shape":[1],"data":'
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}]}"
)
BAD: list[tuple[str, Any, str]] = [
    ("no json", b"{", "not valid JSON"),
    ("empty", b"", "not valid JSON"),
    ("not an object", b"[]", "Expected `object`"),
    ("no inputs", {"inputs": []}, "no inputs"),
    ("inputs missing", {}, "inputs"),
    ("deep", DEEP, "JSON"),
    ("shape too long", {"inputs": [tensor("temp", [1.0], shape=[2])]}, "'temp'"),
    ("negative shape", {"inputs": [tensor("temp", [1.0], shape=[-1])]}, "'temp'"),
    (
        "no shape",
        {"inputs": [{"name": "temp", "datatype": "FP64", "shape": [], "data": [1]}]},
        "'temp'",
    ),
    ("zero rows", {"inputs": [tensor("temp", [], shape=[0])]}, "'temp'"),
    ("unknown datatype", {"inputs": [tensor("temp", [1.0], "FP63")]}, "FP63"),
    ("half", {"inputs": [tensor("temp", [1.0], "FP16")]}, "no JSON form"),
    ("text in numbers", {"inputs": [tensor("temp", ["warm", 1.0]), *good()[1:]]}, "'temp'"),
    ("wrong nesting", {"inputs": [tensor("temp", [[1.0, 2.0]], shape=[2, 1])]}, "nested"),
    (
        "int8 too large",
        {"inputs": [good()[0], tensor("hour", [1, 300], "INT8"), good()[2]]},
        "INT8",
    ),
    ("missing input", {"inputs": good()[1:]}, "'temp' is missing"),
    ("wrong name", {"inputs": [tensor("tmp", [1.0, 2.0]), *good()[1:]]}, "'temp' is missing"),
    ("one too many", {"inputs": [*good(), tensor("wind", [1.0, 2.0])]}, "no input 'wind'"),
    ("twice", {"inputs": [*good(), good()[0]]}, "given twice"),
    ("uneven", {"inputs": [tensor("temp", [1.0]), *good()[1:]]}, "rows"),
    ("null", {"inputs": [tensor("temp", [1.0, None]), *good()[1:]]}, "row 1 is missing"),
    ("no such output", {"inputs": good(), "outputs": [{"name": "odds"}]}, "no output 'odds'"),
    ("bad key", {"inputs": good(), "parameters": {"key": ["a"]}}, "'key'"),
    ("bad time", {"inputs": good(), "parameters": {"event_time": "soon"}}, "'event_time'"),
    ("no data", {"inputs": [{"name": "temp", "datatype": "FP64", "shape": [1]}]}, "no data"),
    ("too wide", {"inputs": [tensor("temp", [1.0, 2.0], shape=[1, 2])]}, "takes 3 inputs"),
]


@pytest.mark.parametrize(("what", "body", "text"), BAD, ids=[what for what, _, _ in BAD])
def test_bad_questions_get_a_400_that_says_why(
    predictor: Predictor, what: str, body: Any, text: str
) -> None:
    status, answer = predictor.ask("POST", INFER, body)

    assert (status, list(answer)) == (400, ["error"])
    assert text in answer["error"]


def test_what_is_not_there_is_a_404(predictor: Predictor) -> None:
    for method, path in (
        ("POST", "/v2/models/nothing/infer"),
        ("POST", "/v2/models/demand/versions/7/infer"),
        ("POST", "/v2/models/demand/versions/one/infer"),
        ("GET", "/v2/models/nothing"),
        ("GET", "/v2/models/nothing/ready"),
        ("GET", "/nowhere"),
        ("POST", "/v2/models/nothing/labels"),
        ("POST", "/services/nothing/invocations"),
    ):
        status, body = predictor.ask(method, path, {"inputs": good()} if method == "POST" else None)
        assert (status, next(iter(body))) == (404, "error"), path


def test_methods_types_and_foreign_pages_are_refused(predictor: Predictor) -> None:
    data = json.dumps({"inputs": good()}).encode()

    assert predictor.ask("GET", INFER)[0] == 405
    assert predictor.ask("DELETE", "/v2/models/demand")[0] == 405
    assert predictor.ask("POST", INFER, data, {"content-type": "text/plain"})[0] == 415
    assert predictor.ask("POST", INFER, data, {"content-encoding": "br"})[0] == 415
    assert predictor.ask("POST", INFER, data, {"origin": "https://evil.example"})[0] == 403
    assert predictor.ask("GET", "/v2", None, {"host": "evil.example"})[0] == 421
    assert predictor.ask("POST", INFER, data, {"content-type": "application/json"})[0] == 200


def test_bodies_may_be_packed_within_limits(predictor: Predictor) -> None:
    data = json.dumps({"inputs": good()}).encode()
    packed = {"content-encoding": "gzip"}

    assert predictor.ask("POST", INFER, gzip.compress(data), packed)[0] == 200
    assert predictor.ask("POST", INFER, data, packed)[0] == 400
    assert predictor.ask("POST", INFER, gzip.compress(data)[:-9], packed)[0] == 400
    bomb = gzip.compress(b" " * (40 << 20))
    assert predictor.ask("POST", INFER, bomb, packed)[0] == 413
    status, body = predictor.ask("POST", INFER, b" " * 10, {"content-length": str(64 << 20)})
    assert (status, "larger than" in body["error"]) == (413, True)


def test_metadata_comes_from_the_signature(predictor: Predictor) -> None:
    _, server = predictor.ask("GET", "/v2")
    _, model = predictor.ask("GET", "/v2/models/demand")
    _, version = predictor.ask("GET", "/v2/models/demand/versions/1")

    assert server["name"] == "mainspring"
    assert model == version
    assert (model["name"], model["versions"]) == ("demand", ["1"])
    assert [(i["name"], i["datatype"], i["shape"]) for i in model["inputs"]] == [
        ("temp", "FP64", [-1]),
        ("hour", "INT64", [-1]),
        ("weather", "BYTES", [-1]),
    ]
    assert predictor.ask("GET", "/v2/models")[1] == {"models": ["demand", "numbers"]}


def test_health_is_told_in_every_dialect(predictor: Predictor) -> None:
    assert predictor.ask("GET", "/v2/health/live") == (200, {"live": True})
    assert predictor.ask("GET", "/v2/health/ready")[0] == 200
    assert predictor.ask("GET", "/v2/models/demand/ready") == (
        200,
        {"name": "demand", "ready": True},
    )
    assert predictor.ask("GET", "/ping")[0] == 200
    assert predictor.ask("GET", "/health")[0] == 200


INVOCATIONS: list[tuple[str, Any]] = [
    (
        "split",
        {
            "dataframe_split": {
                "columns": ["hour", "temp", "weather", "extra"],
                "index": [0, 1],
                "data": [[1, 1.0, "a", 0], [2, 2.0, "b", 0]],
            }
        },
    ),
    (
        "records",
        {
            "dataframe_records": [
                {"hour": 1, "temp": 1.0, "weather": "a", "key": "k1"},
                {"hour": 2, "temp": 2.0, "weather": "b", "key": "k2"},
            ]
        },
    ),
    ("instances", {"instances": [[1.0, 1, "a"], [2.0, 2, "b"]]}),
    ("inputs by name", {"inputs": {"temp": [1.0, 2.0], "hour": [1, 2], "weather": ["a", "b"]}}),
    ("inputs as rows", {"inputs": [[1.0, 1, "a"], [2.0, 2, "b"]], "params": {"key": ["a", "b"]}}),
]


@pytest.mark.parametrize(("form", "body"), INVOCATIONS, ids=[form for form, _ in INVOCATIONS])
def test_mlflows_scoring_calls_are_answered(predictor: Predictor, form: str, body: Any) -> None:
    status, answer = predictor.ask("POST", "/services/demand/invocations", body)

    assert (status, answer["predictions"]) == (200, [2.0, 4.0])
    assert answer["parameters"]["model_version"] == "1"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "exactly one"),
        ({"instances": [[1.0, 1, "a"]], "inputs": [[1.0, 1, "a"]]}, "exactly one"),
        ({"dataframe_split": {"columns": ["temp"], "data": [[1.0, 2.0]]}}, "row 0 has 2 values"),
        ({"dataframe_split": {"columns": ["temp"], "data": [[1.0]]}}, "'hour' is missing"),
        ({"dataframe_records": []}, "no rows"),
        ({"inputs": {"temp": [1.0], "hour": [1, 2], "weather": ["a"]}}, "not one per row"),
        ({"inputs": 3}, "neither"),
        ({"instances": [[1.0, 1]]}, "for 3 columns"),
    ],
)
def test_bad_scoring_calls_speak_mlflows_errors(predictor: Predictor, body: Any, text: str) -> None:
    status, answer = predictor.ask("POST", "/services/demand/invocations", body)

    assert (status, answer["error_code"]) == (400, "BAD_REQUEST")
    assert text in answer["message"]


def test_with_several_services_a_scoring_call_must_name_one(predictor: Predictor) -> None:
    status, answer = predictor.ask("POST", "/invocations", {"instances": [[1]]})

    assert status == 404
    assert "demand, numbers" in answer["error"]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([{"value": 1.0}], "either prediction_id or key"),
        ([{"value": 1.0, "key": "a", "prediction_id": "b"}], "either prediction_id or key"),
        ([{"key": "a"}], "value"),
        ([{"key": "a", "value": None}], "value"),
        ([{"key": "a", "value": [1]}], "value"),
        ([{"key": "a", "value": 1.0, "weight": 2}], "weight"),
        ({"key": "a", "value": 1.0}, "Expected `array`"),
    ],
)
def test_bad_labels_are_named(predictor: Predictor, labels: Any, text: str) -> None:
    status, answer = predictor.ask("POST", "/v2/models/demand/labels", labels)

    assert status == 400
    assert text in answer["error"]


def test_tensors_may_come_and_go_in_binary(predictor: Predictor) -> None:
    temp, hour = struct.pack("<2f", 1.0, 2.0), struct.pack("<2h", 1, 2)
    weather = b"".join(struct.pack("<I", len(t)) + t for t in (b"clear", b"rain"))

    def binary(name: str, datatype: str, data: bytes) -> dict[str, Any]:
        size = {"binary_data_size": len(data)}
        return {"name": name, "datatype": datatype, "shape": [2], "parameters": size}

    head = json.dumps(
        {
            "inputs": [
                binary("temp", "FP32", temp),
                binary("hour", "INT16", hour),
                binary("weather", "BYTES", weather),
            ],
            "outputs": [{"name": "prediction", "parameters": {"binary_data": True}}],
        }
    ).encode()
    headers = {"inference-header-content-length": str(len(head))}

    status, content = predictor.ask("POST", INFER, head + temp + hour + weather, headers)

    assert status == 200
    assert struct.unpack("<2d", content[-16:]) == (2.0, 4.0)
    reply = json.loads(content[:-16])
    assert reply["outputs"][0]["parameters"] == {"binary_data_size": 16}
    for broken in (head + temp + hour, head + temp + hour + weather + b"x", head + weather * 3):
        assert predictor.ask("POST", INFER, broken, headers)[0] == 400


def test_metrics_count_what_happened(predictor: Predictor) -> None:
    predictor.ask("POST", INFER, {"inputs": good()})

    status, text = predictor.ask("GET", "/metrics")

    assert status == 200
    lines = text.decode().splitlines()
    for start in (
        'model_infer_request_success_total{model="demand",version="1"}',
        'model_infer_request_duration_bucket{le="0.001",model="demand",version="1"}',
        'rest_server_requests_total{method="POST",path="/v2/models/{service}/infer"',
        'mainspring_predictions_total{arm="champion",service="demand",version="1"}',
        'mainspring_model_workers{model="demand",version="1"} 1.0',
        "mainspring_routing_version",
    ):
        assert any(line.startswith(start) for line in lines), start
