from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest

from mainspring.api.address import local_secrets
from mainspring.api.security import HEADERS, MAX_BODY_BYTES, host_name
from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.actor import Role
from mainspring.governance.requests import IssueToken, ListAuditEntries, RevokeToken
from mainspring.server.control import create_app_on
from mainspring.testing.apps import TESTER, an_app, clock_of
from mainspring.testing.web import Browser

SERVICES = "/api/v1/services"


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def a_token(app: App, role: Role = Role.VIEWER) -> str:
    return app.call(IssueToken(name=role.value, role=role)).secret


def code_of(response: object) -> str:
    return str(response.json()["error"]["code"])  # type: ignore[attr-defined]


def test_without_any_token_loopback_acts_as_the_user_who_runs_it(
    app: App, browser: Browser
) -> None:
    made = browser.post("/api/v1/tokens", json={"name": "a", "role": "viewer"})

    assert made.status_code == 200
    assert app.call(ListAuditEntries()).items[0].actor == str(TESTER)


def test_once_a_token_was_issued_everybody_needs_one(app: App) -> None:
    with Browser(create_app_on(app)) as browser:
        before = browser.get(SERVICES)
        issued = app.call(IssueToken(name="a", role=Role.VIEWER))
        without = browser.get(SERVICES)
        app.call(RevokeToken(id=issued.token.id))
        afterwards = browser.get(SERVICES)

    assert before.status_code == 200
    assert (without.status_code, code_of(without)) == (401, "no_token")
    assert without.headers["www-authenticate"].startswith("Bearer")
    # Revoking the last token must not open the door to all again.
    assert afterwards.status_code == 401


def test_a_token_comes_as_bearer_or_as_a_password(app: App, browser: Browser) -> None:
    secret = a_token(app)
    basic = b64encode(f"mlflow:{secret}".encode()).decode()

    assert browser.get(SERVICES, headers=bearer(secret)).status_code == 200
    assert browser.get(SERVICES, headers={"Authorization": f"Basic {basic}"}).status_code == 200


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ms_wrong", "Basic !!!", "Basic /w==", "Digest a", "", "ms_wrong"]
)
def test_a_wrong_token_is_refused_also_where_none_is_needed(browser: Browser, header: str) -> None:
    response = browser.get(SERVICES, headers={"Authorization": header})

    assert (response.status_code, code_of(response)) == (401, "bad_token")


def test_revoked_and_expired_tokens_are_refused_at_once(app: App, browser: Browser) -> None:
    revoked = app.call(IssueToken(name="a", role=Role.VIEWER))
    app.call(RevokeToken(id=revoked.token.id))
    soon = app.clock.now() + timedelta(hours=1)
    expired = app.call(IssueToken(name="b", role=Role.VIEWER, expires_at=soon))
    before = browser.get(SERVICES, headers=bearer(expired.secret)).status_code
    clock_of(app).advance(timedelta(hours=2))

    assert before == 200
    for secret in (revoked.secret, expired.secret):
        assert browser.get(SERVICES, headers=bearer(secret)).status_code == 401


def test_a_role_may_only_do_what_it_may(app: App, browser: Browser) -> None:
    response = browser.post(
        "/api/v1/tokens", json={"name": "me", "role": "admin"}, headers=bearer(a_token(app))
    )

    assert (response.status_code, response.json()["error"]["kind"]) == (403, "denied")


def test_the_secrets_in_the_home_let_its_owner_and_its_steps_in(app: App, browser: Browser) -> None:
    a_token(app)
    local = local_secrets(app.settings.home)

    as_user = browser.get("/api/v1/tokens", headers=bearer(local.user))
    as_step = browser.get("/api/v1/tokens", headers=bearer(local.steps))

    assert (as_user.status_code, as_step.status_code) == (200, 403)
    assert (app.settings.home / "run" / "local.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:5000", "127.0.0.1.evil.example", "", "localhost.evil.example"],
)
def test_a_rebound_name_is_not_answered(browser: Browser, host: str) -> None:
    response = browser.get(SERVICES, headers={"Host": host})

    assert (response.status_code, code_of(response)) == (421, "wrong_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:5000", "[::1]:5000"])
def test_the_names_of_loopback_are_answered(browser: Browser, host: str) -> None:
    assert browser.get(SERVICES, headers={"Host": host}).status_code == 200
    assert host_name(host) in ("localhost", "127.0.0.1", "::1")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:5000.evil.example"},
        {"Origin": "http://127.0.0.1:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:5000", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_another_sites_page_can_change_nothing(
    app: App, browser: Browser, headers: dict[str, str]
) -> None:
    response = browser.post("/api/v1/tokens", json={"name": "a", "role": "admin"}, headers=headers)

    assert (response.status_code, code_of(response)) == (403, "cross_site")
    assert app.call(ListAuditEntries()).items == []


def test_our_own_pages_and_programs_can(browser: Browser) -> None:
    body = {"name": "a", "role": "viewer"}
    own = {"Origin": "http://127.0.0.1:5000", "Sec-Fetch-Site": "same-origin"}
    secret = browser.post("/api/v1/tokens", json=body, headers=own).json()["secret"]
    again = browser.post("/api/v1/tokens", json=body, headers=bearer(secret))

    assert again.status_code == 403
    assert again.json()["error"]["code"] == "denied"


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
def test_behind_a_proxy_nobody_is_the_local_user(browser: Browser, header: str) -> None:
    response = browser.get(SERVICES, headers={header: "203.0.113.7"})

    assert (response.status_code, code_of(response)) == (401, "no_token")


def test_a_server_open_to_others_asks_for_a_token_from_the_start(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", host="0.0.0.0")
    app = open_app(settings, actor=TESTER)
    with Browser(create_app_on(app)) as browser:
        anonymous = browser.get(SERVICES, headers={"Host": "ml.example:5000"})
        secret = a_token(app)
        known = browser.get(SERVICES, headers=bearer(secret) | {"Host": "ml.example:5000"})
    app.close()

    assert (anonymous.status_code, known.status_code) == (401, 200)


def test_health_is_answered_to_anyone(app: App, browser: Browser) -> None:
    a_token(app)

    assert browser.get("/health").json() == {"status": "ready"}
    assert browser.get("/metrics").status_code == 401


def test_every_answer_has_the_security_headers(app: App, browser: Browser) -> None:
    answers = [
        browser.get(SERVICES),
        browser.get("/nowhere"),
        browser.get(SERVICES, headers={"Host": "evil.example"}),
        browser.post("/api/v1/tokens", content=b"{"),
    ]

    for answer in answers:
        assert {name.lower() for name in HEADERS} <= set(answer.headers)
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "unsafe" not in answer.headers["content-security-policy"]


def test_a_body_that_says_it_is_huge_is_refused_unread(browser: Browser) -> None:
    headers = {"Content-Length": str(MAX_BODY_BYTES + 1), "Content-Type": "application/json"}
    response = browser.post("/api/v1/tokens", content=b"{}", headers=headers)

    assert (response.status_code, code_of(response)) == (413, "too_large")


def test_a_body_that_turns_out_huge_is_refused_on_the_way(browser: Browser) -> None:
    async def chunks():  # type: ignore[no-untyped-def]
        for _ in range(40):
            yield b" " * (1 << 20)

    response = browser.post("/api/v1/tokens", content=chunks())

    assert (response.status_code, code_of(response)) == (413, "too_large")


def test_a_store_that_is_away_is_said_as_such(app: App) -> None:
    with Browser(create_app_on(app)) as browser:
        app.store.close()
        path = app.settings.home / "store.sqlite3"
        path.rename(path.with_suffix(".away"))
        (app.settings.home / "store.sqlite3-wal").unlink(missing_ok=True)
        path.mkdir()
        response = browser.get("/health")
        path.rmdir()

    assert response.status_code == 503
    assert response.headers["retry-after"]
    assert str(app.settings.home) not in response.text


def test_two_apps_of_one_home_know_the_same_secrets(tmp_path: Path) -> None:
    first = an_app(tmp_path / "home")
    first.close()

    assert local_secrets(tmp_path / "home") == local_secrets(tmp_path / "home")


def test_mlflow_clients_are_refused_in_their_own_words(app: App, browser: Browser) -> None:
    a_token(app)

    response = browser.get("/api/2.0/mlflow/experiments/search")

    assert response.status_code == 401
    assert response.json()["error_code"] == "UNAUTHENTICATED"
