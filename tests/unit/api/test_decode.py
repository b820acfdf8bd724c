import math
from typing import Any

import msgspec
import pytest

from mainspring.api.rest.decode import JSON, MSGPACK, request_of
from mainspring.domain.actor import Role
from mainspring.domain.request import Request
from mainspring.governance.requests import IssueToken, ListEvents
from mainspring.kernel.errors import Invalid
from mainspring.operations.table import BY_NAME
from mainspring.tracking.requests import ListArtifacts, LogBatch


def decoded(
    name: str, *, path: dict[str, str] | None = None, query: str = "", body: Any = b""
) -> Request[Any]:
    if not isinstance(body, bytes):
        body = msgspec.json.encode(body)
    return request_of(
        BY_NAME[name],
        path_fields=path or {},
        query=query.encode(),
        body=body,
        content_type=JSON,
    )


def test_a_query_string_is_read_by_the_types_of_the_fields() -> None:
    request = decoded("event.list", query="service=demand&after=12&limit=5")

    assert request == ListEvents(service="demand", after=12, limit=5)


def test_text_that_looks_like_a_number_or_null_stays_text() -> None:
    assert decoded("artifact.list", query="root=12&prefix=null") == ListArtifacts(
        root="12", prefix="null"
    )


def test_a_body_joins_the_fields_of_the_path() -> None:
    request = decoded("tracked_run.log", path={"run": "r"}, body={"params": {"depth": "6"}})

    assert request == LogBatch(run="r", params={"depth": "6"})


def test_a_field_said_twice_differently_is_refused() -> None:
    with pytest.raises(Invalid, match="something else beside it"):
        decoded("tracked_run.log", path={"run": "r"}, body={"run": "other"})


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("event.list", {"query": "servce=demand"}, "no field 'servce'"),
        ("event.list", {"query": "limit=1&limit=2"}, "given twice"),
        ("event.list", {"query": "limit=many"}, "limit is 'many'"),
        ("event.list", {"query": "limit=0"}, "limit"),
        ("event.list", {"query": "service=%00"}, "NUL"),
        ("event.list", {"query": "service=%ff"}, "can't be read"),
        ("token.issue", {"body": {"name": "a"}}, "missing required field `role`"),
        ("token.issue", {"body": {"name": "a", "role": "boss"}}, "role"),
        ("token.issue", {"body": {"name": "a", "role": "admin", "rle": 1}}, "no field `rle`"),
        ("token.issue", {"body": {"name": 1, "role": "admin"}}, "name"),
        ("token.issue", {"body": {"name": "a\0", "role": "admin"}}, "NUL"),
        ("token.issue", {"body": b"{"}, "not valid JSON"),
        ("token.issue", {"body": b"[1]"}, "must be an object"),
        ("token.issue", {"body": b'"\\ud800"'}, "not valid JSON"),
        ("token.issue", {"body": b"{}", "query": "name=a"}, "takes no query string"),
        (
            "token.issue",
            {"body": {"name": "a", "role": "admin", "expires_at": "2026-01-01T00:00:00"}},
            "not an instant",
        ),
        (
            "tracked_run.log",
            {"path": {"run": "r"}, "body": {"metrics": [{"key": "a", "value": 1, "step": 2**63}]}},
            "64 bits",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    name: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        decoded(name, **given)


def test_an_unknown_key_deep_inside_is_refused_with_its_place() -> None:
    spec = {"name": "d", "pipeline": "flow:d", "model": "d", "data": {}, "gates": [{"metrc": "a"}]}

    with pytest.raises(Invalid, match=r"spec\.gates\[0\]\.metrc") as caught:
        decoded("service.apply", body={"spec": spec, "project": "x", "environment": "x"})

    assert caught.value.hint == "Did you mean 'metric'?"


def test_deep_nesting_is_refused_and_not_followed() -> None:
    for depth in (100, 5_000, 100_000):
        body = b'{"name":' + b"[" * depth + b"]" * depth + b',"role":"admin"}'

        with pytest.raises(Invalid, match=r"nested deeper|not valid JSON"):
            decoded("token.issue", body=body)


def test_messagepack_keeps_what_json_can_not_say() -> None:
    body = msgspec.msgpack.encode({"metrics": [{"key": "loss", "value": math.nan}]})

    request = request_of(
        BY_NAME["tracked_run.log"],
        path_fields={"run": "r"},
        query=b"",
        body=body,
        content_type=MSGPACK,
    )

    assert isinstance(request, LogBatch)
    assert math.isnan(request.metrics[0].value)


def test_another_kind_of_body_is_refused() -> None:
    with pytest.raises(Invalid, match="not understood") as caught:
        request_of(
            BY_NAME["token.issue"],
            path_fields={},
            query=b"",
            body=b"name=a&role=admin",
            content_type="application/x-www-form-urlencoded",
        )

    assert caught.value.code == "unsupported_media_type"


def test_the_content_type_may_say_its_charset() -> None:
    request = request_of(
        BY_NAME["token.issue"],
        path_fields={},
        query=b"",
        body=b'{"name":"a","role":"viewer"}',
        content_type="application/json; charset=utf-8",
    )

    assert request == IssueToken(name="a", role=Role.VIEWER)
