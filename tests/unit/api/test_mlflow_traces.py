"""Traces in MLflow's protocol, as they are on the wire: both generations of calls, and what is refused."""

from typing import Any

import pytest

from mainspring.app import App
from mainspring.testing.spans import a_batch, a_span
from mainspring.testing.web import Browser
from mainspring.traces.requests import IngestSpans
from mainspring.tracking.requests import ListArtifacts

V2, V3 = "/api/2.0/mlflow/traces", "/api/3.0/mlflow/traces"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
ID = f"tr-{1:032x}"
LOCATION = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}


def info(**more: Any) -> dict[str, Any]:
    return {
        "trace_id": ID,
        "trace_location": LOCATION,
        "request_time": "2026-01-01T00:00:00.123Z",
        "execution_duration": "1.5s",
        "state": "OK",
        **more,
    }


def tell(browser: Browser, **more: Any) -> Any:
    return browser.post(V3, json={"trace": {"trace_info": info(**more)}})


def test_what_was_told_is_answered_in_the_same_words(browser: Browser) -> None:
    told = tell(browser, tags={"a": "b"}, trace_metadata={"c": "d"}, request_preview="q")
    got = browser.get(f"{V3}/{ID}").json()["trace"]["trace_info"]

    location = f"mlflow-artifacts:/0/traces/{ID}/artifacts"
    assert told.json()["trace"]["trace_info"]["tags"] == {
        "a": "b",
        "mlflow.artifactLocation": location,
        "mlflow.trace.spansLocation": "TRACKING_STORE",
    }
    assert got == info(
        tags={"a": "b", "mlflow.artifactLocation": location},
        trace_metadata={"c": "d"},
        request_preview="q",
        execution_duration="1.500s",
    )


def test_a_trace_is_whole_when_as_many_spans_are_there_as_were_counted(
    app: App, browser: Browser
) -> None:
    tell(browser, trace_metadata={"mlflow.trace.sizeStats": '{"num_spans": 2, "max": 9}'})
    app.call(IngestSpans(experiment="0", batches=a_batch(a_span(1))))

    early = browser.get(f"{V3}/get?trace_id={ID}")
    partial = browser.get(f"{V3}/get?trace_id={ID}&allow_partial=true").json()["trace"]
    many = browser.get(f"{V3}/batchGet?trace_ids={ID}").json()
    app.call(IngestSpans(experiment="0", batches=a_batch(a_span(2, parent=1))))
    whole = browser.get(f"{V3}/batchGet?trace_ids={ID}&trace_ids=tr-none").json()

    assert early.status_code == 404
    assert "not fully exported" in early.json()["message"]
    assert len(partial["spans"]) == 1
    assert partial["trace_info"]["tags"]["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert many == {"traces": []}
    assert [span["name"] for span in whole["traces"][0]["spans"]] == ["span 1", "span 2"]
    assert browser.post(f"{V3}/batchGetInfos", json={"trace_ids": [ID, "x"]}).json()["trace_infos"]


def test_values_that_json_lacks_are_written_as_protobuf_does(app: App, browser: Browser) -> None:
    odd = {"nan": {"doubleValue": "NaN"}, "data": {"bytesValue": "AP8="}, "none": None, "list": [1]}
    app.call(IngestSpans(experiment="0", batches=a_batch(a_span(1, **odd))))

    span = browser.get(f"{V3}/get?trace_id={ID}").json()["trace"]["spans"][0]

    assert span["trace_id"] == "AAAAAAAAAAAAAAAAAAAAAQ=="
    assert span["span_id"] == "AAAAAAAAAAE="
    assert {each["key"]: each["value"] for each in span["attributes"]} == {
        "nan": {"double_value": "NaN"},
        "data": {"bytes_value": "AP8="},
        "none": {},
        "list": {"array_value": {"values": [{"int_value": 1}]}},
        "mlflow.traceRequestId": {"string_value": ID},
    }


def test_clients_before_3_begin_end_and_keep_their_spans_in_a_file(
    app: App, browser: Browser
) -> None:
    pairs = [{"key": "mlflow.traceName", "value": "old"}]
    begun = browser.post(
        V2, json={"experiment_id": "0", "timestamp_ms": 1000, "tags": pairs}
    ).json()["trace_info"]
    trace = begun["request_id"]
    root = {each["key"]: each["value"] for each in begun["tags"]}["mlflow.artifactLocation"]
    path = root.removeprefix("mlflow-artifacts:/")
    kept = browser.put(f"{FILES}/{path}/traces.json", content=b'{"spans": []}')
    ended = browser.request(
        "PATCH",
        f"{V2}/{trace}",
        json={
            "timestamp_ms": 3500,
            "status": "OK",
            "request_metadata": [{"key": "a", "value": "b"}],
        },
    ).json()["trace_info"]
    found = browser.get(f"{V2}?experiment_ids=0&filter=status+%3D+%27OK%27").json()

    assert begun["status"] == "IN_PROGRESS"
    assert kept.status_code == 200
    assert browser.get(f"{FILES}/{path}/traces.json").content == b'{"spans": []}'
    assert (ended["status"], ended["execution_time_ms"]) == ("OK", 2500)
    assert browser.get(f"{V2}/{trace}/info").json()["trace_info"] == ended
    assert found == {"traces": [ended]}
    deleted = browser.post(
        f"{V2}/delete-traces", json={"experiment_id": "0", "request_ids": [trace]}
    )
    assert deleted.json() == {"traces_deleted": 1}
    assert app.call(ListArtifacts(root=path)) == ()
    assert browser.put(f"{FILES}/{path}/traces.json", content=b"{}").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        (V3, {"trace": {}}, "Missing value for required parameter 'trace.trace_info'"),
        (V3, {"trace": {"trace_info": info(trace_id="a/b")}}, "trace"),
        (V3, {"trace": {"trace_info": info(trace_id="x" * 101)}}, "trace"),
        (V3, {"trace": {"trace_info": info(request_time="soon")}}, "request_time"),
        (V3, {"trace": {"trace_info": info(execution_duration="-1s")}}, "execution_duration"),
        (V3, {"trace": {"trace_info": info(execution_duration="9" * 12 + "s")}}, "no date"),
        (V3, {"trace": {"trace_info": info(state="GREAT")}}, "state"),
        (V3, {"trace": {"trace_info": info(tags={"a": 1})}}, "tags"),
        (V3, {"trace": {"trace_info": info(tags={"": "a"})}}, "tag name"),
        (V3, {"trace": {"trace_info": info(assessments=[{"assessment_name": "a"}])}}, "assessment"),
        (V2, {"experiment_id": "0"}, "timestamp_ms"),
        (f"{V3}/search", {"locations": [LOCATION], "max_results": 501}, "max_results"),
        (f"{V3}/search", {"locations": [LOCATION], "page_token": "e30"}, "page token"),
        (f"{V3}/search", {"locations": [LOCATION], "order_by": ["span.name"]}, "ordered by"),
        (f"{V3}/search", {"locations": [LOCATION], "filter": "nonsense"}, "nonsense"),
        (f"{V2}/delete-traces", {"experiment_id": "0"}, "must be specified"),
        (
            f"{V2}/delete-traces",
            {"experiment_id": "0", "max_timestamp_millis": 5, "max_traces": 0},
            "positive",
        ),
        (f"{V2}/link-to-run", {"trace_ids": ["a"] * 101, "run_id": "r"}, "more than 100"),
        (f"{V3}/{ID}/assessments", {"assessment": {"assessment_name": "a", "issue": {}}}, "type"),
        (
            f"{V3}/{ID}/assessments",
            {"assessment": {"assessment_name": "a", "expectation": {}}},
            "expectation",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_mlflows_words(
    browser: Browser, path: str, body: object, words: str
) -> None:
    refused = browser.post(path, json=body)

    assert refused.status_code == 400, refused.text
    assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert words in refused.json()["message"]


def test_what_is_not_there_is_404_and_tags_of_the_server_stay_as_they_are(browser: Browser) -> None:
    tell(browser)
    mine = {"key": "mlflow.artifactLocation", "value": "file:///etc"}

    for path in (f"{V3}/tr-none", f"{V3}/get?trace_id=tr-none", f"{V2}/tr-none/info"):
        assert browser.get(path).json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert browser.request("PATCH", f"{V2}/{ID}/tags", json=mine).status_code == 400
    told = tell(browser, tags={"mlflow.artifactLocation": "file:///etc"}).json()
    location = told["trace"]["trace_info"]["tags"]["mlflow.artifactLocation"]
    assert location == f"mlflow-artifacts:/0/traces/{ID}/artifacts"


def test_an_assessment_changes_what_its_mask_names(browser: Browser) -> None:
    tell(browser)
    said = {
        "assessment_name": "good",
        "source": {"source_type": "HUMAN", "source_id": "ada"},
        "feedback": {"value": 1},
        "rationale": "so",
    }
    made = browser.post(f"{V3}/{ID}/assessments", json={"assessment": said}).json()["assessment"]
    address = f"{V3}/{ID}/assessments/{made['assessment_id']}"

    changed = browser.request(
        "PATCH",
        address,
        json={
            "assessment": {"rationale": "not so", "assessment_name": "x"},
            "update_mask": "rationale",
        },
    ).json()["assessment"]
    wrong = browser.request(
        "PATCH",
        address,
        json={"assessment": {"expectation": {"value": 1}}, "update_mask": "expectation"},
    )

    assert (changed["assessment_name"], changed["rationale"]) == ("good", "not so")
    assert changed["feedback"] == {"value": 1}
    assert wrong.status_code == 400
    assert browser.get(address).json()["assessment"] == changed


ODD = [
    None,
    0,
    -1,
    2**63,
    2**70,
    1e308,
    "",
    "\0",
    "a" * 10_000,
    [],
    {},
    [[]],
    True,
    "NaN",
    {"a": 1},
]


def test_odd_values_in_any_field_are_kept_or_refused(browser: Browser) -> None:
    tell(browser)
    answers = [
        browser.post(V3, json={"trace": {"trace_info": info(**{field: odd})}})
        for field in (*info(), "tags", "trace_metadata", "assessments", "request_preview")
        for odd in ODD
    ]
    answers += [
        browser.post(
            f"{V3}/{ID}/assessments",
            json={"assessment": {"assessment_name": "a", "feedback": {"value": 1}, field: odd}},
        )
        for field in ("assessment_name", "source", "feedback", "metadata", "span_id", "overrides")
        for odd in ODD
    ]
    answers += [
        browser.post(f"{V3}/search", json={"locations": [LOCATION], field: odd})
        for field in ("filter", "order_by", "max_results", "page_token", "locations")
        for odd in ODD
    ]

    assert {answer.status_code for answer in answers} == {200, 400, 404}
