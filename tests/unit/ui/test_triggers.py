"""The pages of triggers."""

import re

from mainspring.app import App
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.server.control import create_app_on
from mainspring.testing.triggers import (
    a_graph,
    a_trigger,
    data_arrives,
    fired,
    on_data,
    on_schedule,
    status_of,
)
from mainspring.testing.web import Browser
from mainspring.triggers.requests import NoteTriggerError
from mainspring.ui import forms


def test_a_trigger_is_shown_with_what_happened_and_its_run_with_what_caused_it(app: App) -> None:
    a_trigger(
        app,
        on_data("rides"),
        on_schedule("0 3 * * * Europe/Berlin"),
        graph=a_graph("rides"),
        cooldown_seconds=90,
        budget_runs=2,
    )
    for number in range(2):
        data_arrives(app, number)
    run = fired(app)
    assert run is not None
    data_arrives(app, 2)
    with Browser(create_app_on(app)) as browser:
        listed = browser.get("/triggers").text
        shown = browser.get("/triggers/nightly").text
        of_run = browser.get(f"/runs/{run.id}").text

    assert 'href="/triggers/nightly"' in listed
    assert "data: rides" in listed
    assert "schedule: 0 3 * * * Europe/Berlin" in listed
    assert "rides has version 2" in shown
    assert "1m30s" in shown
    assert "2 runs in 1d" in shown
    assert "What caused it" in of_run
    assert "rides has version 1" in of_run


def test_a_trigger_that_can_t_run_says_why(app: App) -> None:
    a_trigger(app, on_data("rides"))
    app.call(NoteTriggerError(name="nightly", error="there is no dataset <rides>"))

    with Browser(create_app_on(app)) as browser:
        shown = browser.get("/triggers/nightly").text

    assert "there is no dataset &lt;rides&gt;" in shown


def test_a_trigger_is_paused_and_resumed_from_its_page(app: App) -> None:
    a_trigger(app, on_data("rides"))
    with Browser(create_app_on(app)) as browser:
        for verb, paused in (("pause", True), ("resume", False)):
            page = browser.get("/triggers/nightly").text
            found = re.search(
                rf'action="/triggers/nightly/{verb}".*?value="(\w+)"', page, re.DOTALL
            )
            assert found

            answer = browser.post(f"/triggers/nightly/{verb}", data={forms.FIELD: found[1]})

            assert (answer.status_code, answer.headers["location"]) == (303, "/triggers/nightly")
            assert status_of(app).trigger.paused is paused


def test_a_viewer_is_offered_nothing_that_would_be_refused(app: App) -> None:
    a_trigger(app, on_data("rides"))
    viewer = app.acting_as(Actor(kind=ActorKind.PERSON, name="vi", role=Role.VIEWER))

    with Browser(create_app_on(viewer)) as browser:
        assert "/triggers/nightly/pause" not in browser.get("/triggers/nightly").text
