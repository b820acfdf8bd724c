import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from mainspring.app import App
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.monitor import IncidentKind
from mainspring.monitoring.requests import OpenIncident
from mainspring.server.control import create_app_on
from mainspring.services.requests import GetService, PauseService
from mainspring.testing.addresses import EVERYWHERE, addresses_of
from mainspring.testing.services import a_service
from mainspring.testing.spans import a_span
from mainspring.testing.story.tell import Story
from mainspring.testing.web import Browser
from mainspring.ui import forms
from mainspring.ui.pages.traces import in_tree

VOID = {"meta", "link", "input", "path", "br", "circle", "line", "rect"}


class Markup(HTMLParser):
    """Collects ids and links, and complains of what CSP would refuse or of what is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.hrefs: list[str] = []
        self.open: list[str] = []
        self.problems: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "style" in given or any(name.startswith("on") for name in given):
            self.problems.append(f"inline style or handler in {tag}")
        if tag == "script" and "src" not in given:
            self.problems.append("inline script")
        if id_ := given.get("id"):
            self.ids.append(id_)
        if href := given.get("href"):
            self.hrefs.append(href)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")


@pytest.mark.parametrize("address", EVERYWHERE)
def test_every_page_of_a_new_installation_is_well_formed(empty: Browser, address: str) -> None:
    answer = empty.get(address)

    assert answer.status_code == 200
    markup = Markup(answer.text)
    assert markup.problems == []
    assert markup.open == []


def test_every_page_of_a_lived_in_installation_is_well_formed(pages: Browser, story: Story) -> None:
    for what, address in {**{a: a for a in EVERYWHERE}, **addresses_of(story)}.items():
        answer = pages.get(address)

        assert answer.status_code == (404 if what == "what there is not" else 200), what
        markup = Markup(answer.text)
        assert markup.problems == [], what
        assert sorted(set(markup.ids)) == sorted(markup.ids), f"{what} has an id twice"


def test_every_link_leads_somewhere(pages: Browser, story: Story) -> None:
    seen: set[str] = set()
    for address in ("/", *EVERYWHERE, *addresses_of(story).values()):
        page = pages.get(address)
        for href in Markup(page.text).hrefs:
            if href.startswith("/") and "#" not in href:
                seen.add(href)

    broken = [href for href in sorted(seen) if pages.get(href).status_code not in (200, 303)]
    assert len(seen) > 40
    assert broken == []


def test_the_overview_says_what_answers_and_how_it_is(pages: Browser, story: Story) -> None:
    page = pages.get("/").text

    assert re.search(r">demand v2</a>\s*<span class=\"dim\">answers; took over", page)
    assert "no model answers, and 40 requests were turned away" in page
    assert "The loops leave it as it is." in page


def test_a_service_shows_its_guards_and_every_decision_with_who_and_why(
    pages: Browser, story: Story
) -> None:
    page = pages.get("/services/demand").text

    assert "the guard allows at most 50" in page
    assert "rollout loop" in page
    assert "it passed every gate and nothing answers yet" in page
    assert "Mean absolute error: expected from" in page
    assert re.search(r"5 features in \d+ windows, \d+ over their threshold", page)


def test_a_refused_delivery_shows_the_rows_that_failed(pages: Browser, story: Story) -> None:
    page = pages.get(f"/datasets/rides/{story.refused.number}").text

    assert "refused" in page
    assert "Failing rows of temperature" in page
    assert "was 0." in page, "the share of missing values before"


def test_a_prediction_is_traced_to_its_data_and_checks(pages: Browser, story: Story) -> None:
    page = pages.get(f"/predictions/{story.prediction}").text

    assert "214.5" in page
    for part in (
        f"/models/demand/{story.champion.number}",
        f"/datasets/rides/{story.rides.number}",
        story.champion.manifest,
        story.rides.manifest,
        "promoted",
        "passed",
    ):
        assert part in page


def test_an_incident_tells_its_evidence_and_what_was_done(pages: Browser, story: Story) -> None:
    page = pages.get(f"/incidents/{story.incident.id}").text

    assert "temperature" in page
    assert "demand v2 was promoted" in page
    assert page.index("What was done") < page.index("/models/demand/2")


def test_the_audit_log_can_be_narrowed_to_what_was_refused(pages: Browser, story: Story) -> None:
    page = pages.get("/audit?outcome=denied").text

    assert page.count("<tr id=") == 1
    assert "person:ben" in page


def test_search_jumps_to_an_id_of_any_kind(pages: Browser, story: Story) -> None:
    for query, target in {
        story.run.id: f"/runs/{story.run.id}",
        story.champion.id: "/models/demand/2",
        story.rides.id: f"/datasets/rides/{story.rides.number}",
        story.incident.id: f"/incidents/{story.incident.id}",
        story.prediction: f"/predictions/{story.prediction}",
        "churn": "/services/churn",
    }.items():
        answer = pages.get("/search", params={"q": query})

        assert answer.status_code == 303, query
        assert answer.headers["location"] == target


def test_what_people_wrote_is_never_markup(app: App) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    a_service(app, "demand", params={"depth": hostile})
    app.call(
        AddDatasetVersion(
            dataset="rides",
            manifest=app.blobs.put_bytes(b'{"entries":[]}'),
            file_count=1,
            size_bytes=14,
            note=hostile,
        )
    )
    app.call(OpenIncident(service="demand", kind=IncidentKind.SERVING, summary=hostile))

    with Browser(create_app_on(app)) as browser:
        for address in (
            "/",
            "/services/demand",
            "/datasets/rides",
            "/datasets/rides/1",
            "/incidents",
            "/audit",
            f"/search?q={hostile}",
        ):
            page = browser.get(address).text

            assert "<script>alert" not in page, address
            assert "<img" not in page, address


def a_token(browser: Browser, address: str, action: str) -> str:
    """The token of the form on a page that posts to `action`."""
    page = browser.get(address).text
    found = re.search(rf'action="{action}".*?name="form_token" value="(\w+)"', page, re.DOTALL)
    assert found, f"no form for {action}"
    return found.group(1)


def test_a_form_acts_and_leads_back(app: App, empty: Browser) -> None:
    a_service(app, "demand")
    token = a_token(empty, "/services/demand", "/services/demand/pause")

    answer = empty.post("/services/demand/pause", data={forms.FIELD: token})

    assert (answer.status_code, answer.headers["location"]) == (303, "/services/demand")
    assert app.call(GetService(name="demand")).paused


@pytest.mark.parametrize("token", ["", "0" * 64, "é"])
def test_a_form_without_its_token_is_refused(app: App, empty: Browser, token: str) -> None:
    a_service(app, "demand")
    empty.get("/services/demand")

    answer = empty.post("/services/demand/pause", data={forms.FIELD: token})

    assert answer.status_code == 403
    assert "load the page again" in answer.text
    assert not app.call(GetService(name="demand")).paused


def test_a_token_is_good_for_its_own_form_only(app: App, empty: Browser) -> None:
    a_service(app, "demand")
    app.call(PauseService(name="demand"))
    token = a_token(empty, "/services/demand", "/services/demand/resume")

    answer = empty.post("/services/demand/pause", data={forms.FIELD: token})

    assert answer.status_code == 403


def test_a_form_of_another_site_is_refused(app: App, empty: Browser) -> None:
    a_service(app, "demand")
    token = a_token(empty, "/services/demand", "/services/demand/pause")

    answer = empty.post(
        "/services/demand/pause",
        data={forms.FIELD: token},
        headers={"Origin": "http://elsewhere.example"},
    )

    assert answer.status_code == 403
    assert not app.call(GetService(name="demand")).paused


def test_what_the_reader_may_not_do_is_not_offered(app: App) -> None:
    a_service(app, "demand")
    viewer = replace(app, actor=Actor(kind=ActorKind.PERSON, name="vi", role=Role.VIEWER))

    with Browser(create_app_on(viewer)) as browser:
        page = browser.get("/services/demand").text

        assert "/services/demand/pause" not in page


def test_an_action_that_is_refused_says_why(app: App, empty: Browser) -> None:
    a_service(app, "demand")
    seed = "s" * 40
    token = forms.token(seed, "/services/demand/roll-back")

    answer = empty.post(
        "/services/demand/roll-back",
        data={forms.FIELD: token, "why": "try"},
        headers={"Cookie": f"{forms.COOKIE}={seed}"},
    )

    assert answer.status_code == 409
    assert 'class="card error"' in answer.text


def test_the_theme_is_kept_and_leads_only_to_our_own_pages(empty: Browser) -> None:
    seed = "s" * 40
    token = forms.token(seed, "/theme")
    fields = {forms.FIELD: token, "theme": "dark", "back": "//elsewhere.example/"}

    answer = empty.post("/theme", data=fields, headers={"Cookie": f"{forms.COOKIE}={seed}"})

    assert answer.headers["location"] == "/"
    assert 'data-theme="dark"' in empty.get("/").text


def test_files_are_kept_under_their_digest(empty: Browser) -> None:
    page = empty.get("/").text
    address = re.search(r'href="(/assets/\w+/app\.css)"', page)
    assert address

    answer = empty.get(address.group(1))

    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert empty.get("/assets/x/nothing.css").status_code == 404


def test_a_trace_shows_its_spans_as_a_tree_over_time_and_one_of_them_in_full(
    pages: Browser, story: Story
) -> None:
    page = pages.get(f"/traces/{story.trace}").text
    failed = pages.get(f"/traces/{story.trace}?span={3:016x}").text

    names = re.findall(r'class="depth-(\d)"><a href="[^"]*"[^>]*>([^<]+)<', page)
    assert names == [
        ("0", "explain"),
        ("1", "look up the forecast"),
        ("2", "first try"),
        ("2", "second try"),
        ("1", "write"),
    ]
    assert 'aria-label="write took 630 ms"' in page
    assert "so few rides expected on Sunday" in page
    assert "no answer in 200 ms" not in page
    assert "no answer in 200 ms" in failed
    assert "The forecast did say rain." in page
    assert "overridden" in page
    assert f'href="/runs/{story.tracked_run}"' in page


def test_traces_are_listed_and_filtered(pages: Browser, story: Story) -> None:
    everything = pages.get("/traces").text
    none = pages.get("/traces?filter=status+%3D+%27ERROR%27").text
    odd = pages.get("/traces?filter=nonsense")
    of_run = pages.get(f"/traces?filter=run_id+%3D+%27{story.tracked_run}%27").text

    assert "Why are so few rides expected on Sunday?" in everything
    assert re.search(r'<td class="num">950 ms</td><td class="num">5</td>', everything)
    assert "No traces like that" in none
    assert odd.status_code == 400
    assert story.trace in of_run
    assert pages.get(f"/search?q={story.trace}").headers["location"] == f"/traces/{story.trace}"


def test_spans_without_their_parents_or_in_a_ring_are_shown() -> None:
    ring = [a_span(2, parent=3), a_span(3, parent=2)]
    lost = a_span(9, parent=8)

    tree = in_tree([*ring, lost, a_span(1), a_span(5, parent=1)])

    assert sorted((int(span.id, 16), depth) for span, depth in tree) == [
        (1, 0),
        (2, 0),
        (3, 1),
        (5, 1),
        (9, 0),
    ]
