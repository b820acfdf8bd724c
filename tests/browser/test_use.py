"""Using the pages: by keyboard, live, without JavaScript, and to act."""

import re

import pytest
from playwright.sync_api import Page, expect

from mainspring.app import App
from mainspring.domain.monitor import IncidentKind
from mainspring.domain.pipeline import PipelineRunState
from mainspring.monitoring.requests import GetIncident, OpenIncident
from mainspring.pipelines.requests import GetPipelineRun, ListPipelineRuns
from mainspring.registry.requests import ListApprovals
from mainspring.services.requests import GetService, PauseService
from mainspring.serving.requests import GetDeployment
from mainspring.testing.chromium import NewContext, Watched
from mainspring.testing.story.tell import Story

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


def test_the_first_stop_of_the_keyboard_skips_to_the_content(story_url: str, page: Page) -> None:
    page.goto(story_url)

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()


def test_every_stop_of_the_keyboard_is_seen(story_url: str, page: Page) -> None:
    page.goto(story_url + "/services/demand")

    unseen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "[document.activeElement.outerHTML.slice(0, 80), getComputedStyle(document.activeElement).outlineStyle]"
        )
        if outline[1] == "none":
            unseen.append(outline[0])
    assert unseen == []


def test_slash_searches_and_j_and_k_walk_the_rows(story_url: str, page: Page, story: Story) -> None:
    page.goto(story_url + "/models")

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator("tr.at a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(story_url + "/models/demand")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type(story.run.id)
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"{story_url}/runs/{story.run.id}")


def test_a_page_follows_what_happens_and_keeps_what_is_open(
    own_app: App, own_url: str, page: Page
) -> None:
    watched = Watched(page)
    page.goto(own_url)
    first = page.locator("#timeline details").first
    first.locator("summary").click()
    opened = first.get_attribute("id")

    own_app.call(PauseService(name="demand"))

    expect(page.locator("#service-demand .pill")).to_have_text("paused")
    expect(page.locator("#timeline li").first).to_contain_text(re.compile("paused", re.IGNORECASE))
    assert page.locator(f"#{opened}").get_attribute("open") is not None
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1
    assert watched.problems == []


def test_an_incident_shows_at_once_in_the_navigation(
    own_app: App, own_url: str, page: Page
) -> None:
    page.goto(own_url + "/services/demand")

    own_app.call(
        OpenIncident(service="demand", kind=IncidentKind.FAILING_RUNS, summary="3 runs failed")
    )

    expect(page.locator(".side .count")).to_have_text("2")
    expect(page.locator("#top")).to_contain_text("3 runs failed")


def test_what_is_being_typed_is_not_taken_away(own_app: App, own_url: str, page: Page) -> None:
    page.goto(own_url + "/services/demand")
    page.locator("#roll-back-menu summary").click()
    page.locator("#roll-back-why").fill("it looks")

    own_app.call(PauseService(name="demand"))
    expect(page.locator("#timeline li").first).to_contain_text(re.compile("paused", re.IGNORECASE))

    expect(page.locator("#roll-back-why")).to_have_value("it looks")


def test_the_theme_changes_at_once_and_stays(own_url: str, page: Page) -> None:
    page.goto(own_url)
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")

    with page.expect_response(lambda answer: answer.url.endswith("/theme")):
        page.locator("#theme").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()

    assert page.locator("html").get_attribute("data-theme") == "dark"


def test_a_chart_tells_its_numbers_where_it_is_pointed_to(story_url: str, page: Page) -> None:
    page.goto(story_url + "/services/demand")

    page.locator("#error .hit").nth(5).hover()

    expect(page.locator("#tip")).to_contain_text("measured, v1")


def test_pages_are_read_and_forms_are_sent_without_javascript(
    own_app: App, own_url: str, new_context: NewContext
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(own_url + "/services/demand")

    page.get_by_role("button", name="Pause the loops").click()

    expect(page.get_by_role("button", name="Resume the loops")).to_be_visible()
    assert own_app.call(GetService(name="demand")).paused


def test_rolling_back_asks_why_and_does_it(own_app: App, own_url: str, page: Page) -> None:
    page.goto(own_url + "/services/demand")

    page.locator("#roll-back-menu summary").click()
    page.locator("#roll-back-why").fill("the night shift complained")
    page.get_by_role("button", name="Roll back", exact=True).click()

    expect(page.locator("#answers")).to_contain_text("demand v1")
    expect(page.locator("#timeline li").first).to_contain_text("the night shift complained")
    deployment = own_app.call(GetDeployment(service="demand"))
    assert deployment
    assert deployment.routing_version > 8


def test_a_version_is_refused_with_a_reason(
    own_app: App, own_url: str, page: Page, story: Story
) -> None:
    page.goto(own_url + "/services/fraud")
    page.get_by_role("link", name="See what is to be approved").click()

    page.locator("#approval-reason").fill("not on my watch")
    page.get_by_role("button", name="Refuse").click()

    expect(page.locator("#approvals")).to_contain_text("not on my watch")
    approvals = own_app.call(ListApprovals(version=story.waiting.candidate))
    assert [approval.approved for approval in approvals] == [True, False]


def test_an_incident_is_closed_by_saying_what_resolved_it(
    own_app: App, own_url: str, page: Page, story: Story
) -> None:
    page.goto(f"{own_url}/incidents/{story.open_incident.id}")

    page.locator("#resolution").fill("the model was approved")
    page.get_by_role("button", name="Close it").click()

    expect(page.locator(".banner.ok")).to_contain_text("the model was approved")
    assert not own_app.call(GetIncident(incident=story.open_incident.id)).is_open


def test_a_run_is_cancelled(own_app: App, own_url: str, page: Page) -> None:
    (run,) = own_app.call(ListPipelineRuns(state=PipelineRunState.RUNNING))
    page.goto(f"{own_url}/runs/{run.id}")

    page.get_by_role("button", name="Cancel this run").click()

    expect(page.locator("#top")).to_contain_text(re.compile("asked to stop|cancelled"))
    assert own_app.call(GetPipelineRun(run=run.id)).cancel_requested
