"""Calls of triggers' webhooks over HTTP: no token, a signature."""

import pytest

from mainspring.app import App
from mainspring.domain.actor import Role
from mainspring.domain.trigger import CauseKind, Source
from mainspring.governance.requests import IssueToken, ListAuditEntries
from mainspring.server.control import create_app_on
from mainspring.testing.triggers import a_trigger, causes
from mainspring.testing.web import Browser
from mainspring.triggers.hooks import signature_of
from mainspring.triggers.requests import MAX_CALL_BYTES, NewTriggerSecret


@pytest.fixture
def secret(app: App) -> str:
    a_trigger(app, Source(kind=CauseKind.WEBHOOK))
    # Once there is a token, nobody else is let in anywhere.
    app.call(IssueToken(name="me", role=Role.ADMIN))
    return app.call(NewTriggerSecret(name="nightly"))


def test_a_signed_call_is_let_in_without_a_token(app: App, secret: str) -> None:
    headers = {"X-Hub-Signature-256": signature_of(secret, "{}")}
    with Browser(create_app_on(app)) as browser:
        answer = browser.post("/hooks/nightly", content="{}", headers=headers)
        refused = browser.get("/api/v1/triggers")

    assert (answer.status_code, refused.status_code) == (202, 401)
    assert answer.json() == {"trigger": "nightly", "cause": causes(app)[0].id}
    assert app.call(ListAuditEntries()).items[0].actor == "service:webhook"


def test_calls_that_are_not_signed_write_nothing(app: App, secret: str) -> None:
    before = app.call(ListAuditEntries()).items
    with Browser(create_app_on(app)) as browser:
        statuses = [
            browser.post(f"/hooks/{name}", content=content, headers=headers).status_code
            for name, content, headers in (
                ("nightly", "{}", {}),
                ("nightly", "{}", {"X-Hub-Signature-256": signature_of(secret, "{ }")}),
                ("other", "{}", {"X-Hub-Signature-256": signature_of(secret, "{}")}),
                ("nightly", b"\xff", {}),
                ("nightly", "x" * (MAX_CALL_BYTES + 1), {}),
            )
        ]

    assert statuses == [403, 403, 403, 400, 413]
    assert not causes(app)
    assert app.call(ListAuditEntries()).items == before
