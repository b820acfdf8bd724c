import hashlib
import logging
import os
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from mainspring.api.errors import STATUS_OF_KIND
from mainspring.api.rest.decode import has_body
from mainspring.app import App
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.governance.requests import IssueToken, ListAuditEntries
from mainspring.governance.rules import may
from mainspring.kernel.errors import KINDS
from mainspring.operations.operation import Operation
from mainspring.operations.table import BY_NAME, OPERATIONS
from mainspring.sdk.remote import wire_form
from mainspring.server.control import create_app_on
from mainspring.testing.examples import an_example
from mainspring.testing.web import Browser

OPERATION_IDS = [operation.name for operation in OPERATIONS]


def ask(browser: Browser, operation: Operation, headers: dict[str, str] | None = None) -> Any:
    """Ask for an operation with the smallest request that decodes."""
    request = msgspec.convert(an_example(operation.request), operation.request)
    path, query, body = wire_form(operation, request)
    return browser.request(
        operation.method, "/api/v1" + path, params=query, json=body, headers=headers
    )


@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_what_an_operation_asks_and_answers_converts_both_ways(operation: Operation) -> None:
    request = msgspec.convert(an_example(operation.request), operation.request)

    assert msgspec.json.decode(msgspec.json.encode(request), type=operation.request) == request
    msgspec.json.Decoder(operation.result)
    msgspec.msgpack.Decoder(operation.result)
    answer = msgspec.convert(an_example(operation.result), operation.result)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=operation.result)
    assert again == answer


@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_a_field_that_a_query_string_can_not_say_is_not_in_one(operation: Operation) -> None:
    if has_body(operation):
        return
    for field in msgspec.structs.fields(operation.request):
        # None is said by leaving the field out; so it must be what leaving it out means.
        takes_none = msgspec.inspect.UnionType
        info = msgspec.inspect.type_info(field.type)
        if isinstance(info, takes_none) and info.includes_none:
            assert field.default is None
        assert not isinstance(info, (msgspec.inspect.DictType, msgspec.inspect.StructType))


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Browser, dict[Role, str]]]:
    """One server with a token for each role."""
    from mainspring.testing.apps import an_app

    app = an_app(tmp_path_factory.mktemp("home"))
    secrets = {role: app.call(IssueToken(name=role.value, role=role)).secret for role in Role}
    with Browser(create_app_on(app)) as browser:
        yield browser, secrets
    app.close()


@pytest.mark.parametrize("operation", OPERATIONS, ids=OPERATION_IDS)
def test_each_role_may_do_what_its_permissions_say_and_nothing_else(
    operation: Operation, doors: tuple[Browser, dict[Role, str]]
) -> None:
    browser, secrets = doors
    for role, secret in secrets.items():
        response = ask(browser, operation, {"Authorization": f"Bearer {secret}"})

        actor = Actor(kind=ActorKind.PERSON, name="x", role=role)
        told = response.json() if response.status_code >= 400 else {}
        refused = "takes the permission" in told.get("error", {}).get("message", "")
        assert refused is not may(actor, operation.permission), (role, response.text)
    assert ask(browser, operation).status_code == 401


def test_every_kind_of_error_has_a_status() -> None:
    assert set(STATUS_OF_KIND) == set(KINDS)


def test_an_error_says_what_where_and_what_to_do(browser: Browser) -> None:
    response = browser.get("/api/v1/services/nope")

    assert response.status_code == 404
    told = response.json()["error"]
    assert set(told) == {"kind", "code", "message", "hint", "where"}
    assert "nope" in told["message"]


def test_an_error_of_ours_is_answered_with_an_id_that_the_log_has(
    app: App, browser: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(tx: object, request: object) -> None:
        raise ZeroDivisionError("secret detail in /etc/passwd")

    monkeypatch.setitem(BY_NAME["service.list"].__dict__, "use_case", fails)
    with caplog.at_level(logging.ERROR):
        response = browser.get("/api/v1/services")

    told = response.json()["error"]
    assert (response.status_code, told["kind"]) == (500, "unexpected")
    assert "secret" not in response.text
    error_id = told["message"].partition("(error ")[2].rstrip(")")
    assert error_id in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_refused_command_leaves_its_audit_entry(app: App, browser: Browser) -> None:
    browser.post("/api/v1/services/nope/pause")

    entry = app.call(ListAuditEntries()).items[0]
    assert (entry.operation, entry.outcome) == ("service.pause", "not_found")


def test_a_wrong_method_says_which_are_right(browser: Browser) -> None:
    response = browser.delete("/api/v1/services")

    assert response.status_code == 405
    assert response.headers["allow"] == "GET, PUT"


@pytest.mark.parametrize("path", ["/api/v1/nowhere", "/api/v1/", "/nowhere", "/api/v2/x"])
def test_an_unknown_path_is_told_as_json(browser: Browser, path: str) -> None:
    response = browser.get(path)

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "no_such_path"


def test_messagepack_is_answered_to_those_who_ask_for_it(browser: Browser) -> None:
    response = browser.get("/api/v1/events", headers={"Accept": "application/msgpack"})

    assert msgspec.msgpack.decode(response.content) == {"items": [], "next_token": None}


def test_bytes_go_up_and_come_down_by_their_digest(browser: Browser) -> None:
    data = bytes(range(256)) * 9000
    path = f"/api/v1/blobs/sha256:{hashlib.sha256(data).hexdigest()}"

    before = browser.request("HEAD", path)
    up = browser.put(path, content=data)
    again = browser.put(path, content=data)
    down = browser.get(path)
    part = browser.get(path, headers={"Range": "bytes=256-259"})

    assert [before.status_code, up.status_code, again.status_code] == [404, 204, 204]
    assert down.content == data
    assert (part.status_code, part.content) == (206, b"\0\1\2\3")
    # A stranger's bytes must not become a page of ours.
    assert down.headers["content-disposition"] == "attachment"
    assert "sandbox" in down.headers["content-security-policy"]


def test_bytes_that_are_asked_for_count_as_fresh(browser: Browser, app: App) -> None:
    digest = app.blobs.put_bytes(b"asked for")
    stored = app.blobs.path_of(digest)
    os.utime(stored, (1, 1))

    assert browser.request("HEAD", f"/api/v1/blobs/{digest}").status_code == 200

    assert stored.stat().st_mtime > time.time() - 60


def test_bytes_that_are_not_what_was_said_are_refused(app: App, browser: Browser) -> None:
    path = "/api/v1/blobs/sha256:" + "0" * 64

    response = browser.put(path, content=b"other bytes")

    assert (response.status_code, response.json()["error"]["code"]) == (400, "digest_mismatch")
    assert browser.get(path).status_code == 404
    assert list((app.settings.blobs_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("digest", ["sha256:xyz", "..%2f..%2fstore.sqlite3", "sha256:" + "A" * 64])
def test_what_is_no_digest_reaches_no_file(browser: Browser, digest: str) -> None:
    assert browser.get(f"/api/v1/blobs/{digest}").status_code == 400
    assert browser.put(f"/api/v1/blobs/{digest}", content=b"x").status_code == 400


def test_readers_can_not_upload(app: App, browser: Browser) -> None:
    secret = app.call(IssueToken(name="a", role=Role.VIEWER)).secret
    headers = {"Authorization": f"Bearer {secret}"}

    response = browser.put("/api/v1/blobs/sha256:" + "0" * 64, content=b"x", headers=headers)

    assert response.status_code == 403
