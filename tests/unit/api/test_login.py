import pytest

from mainspring.api.security import COOKIE
from mainspring.app import App
from mainspring.domain.actor import Role
from mainspring.governance.requests import IssueToken
from mainspring.testing.web import Browser

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PAGE = {"Accept": "text/html,*/*"}


def test_a_person_without_a_token_is_led_to_the_login(app: App, browser: Browser) -> None:
    app.call(IssueToken(name="a", role=Role.VIEWER))

    response = browser.get("/services/demand", headers=PAGE)

    assert response.status_code == 303
    assert response.headers["location"] == "/login?to=/services/demand"
    assert browser.get("/login", headers=PAGE).status_code == 200


def test_logging_in_sets_a_cookie_that_lets_in_until_logging_out(
    app: App, browser: Browser
) -> None:
    secret = app.call(IssueToken(name="a", role=Role.VIEWER)).secret

    response = browser.post("/login", content=f"token={secret}&to=/services", headers=FORM)
    inside = browser.get("/api/v1/services")
    browser.post("/logout")
    outside = browser.get("/api/v1/services")

    assert (response.status_code, response.headers["location"]) == (303, "/services")
    cookie = response.headers["set-cookie"]
    assert COOKIE in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert (inside.status_code, outside.status_code) == (200, 401)


def test_a_wrong_token_is_told_and_sets_nothing(browser: Browser) -> None:
    response = browser.post("/login", content="token=ms_wrong", headers=FORM)

    assert response.status_code == 401
    assert 'role="alert"' in response.text
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "to",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "evil"],
)
def test_the_login_leads_nowhere_else(app: App, browser: Browser, to: str) -> None:
    secret = app.call(IssueToken(name="a", role=Role.VIEWER)).secret

    page = browser.get("/login", params={"to": to})
    response = browser.post("/login", content=f"token={secret}&to={to}", headers=FORM)

    assert "evil" not in page.text
    assert response.headers["location"] == "/"


def test_what_the_address_says_is_escaped_on_the_page(browser: Browser) -> None:
    page = browser.get("/login", params={"to": '/"><script>alert(1)</script>'})

    assert "<script>" not in page.text


def test_another_sites_form_can_not_log_in(app: App, browser: Browser) -> None:
    secret = app.call(IssueToken(name="a", role=Role.VIEWER)).secret
    headers = FORM | {"Origin": "https://evil.example"}

    response = browser.post("/login", content=f"token={secret}", headers=headers)

    assert response.status_code == 403
