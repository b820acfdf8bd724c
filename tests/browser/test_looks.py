"""Every page in every look: nothing serious for axe, a quiet console, no foreign request, no sideways scroll."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from mainspring.testing.addresses import EVERYWHERE, addresses_of
from mainspring.testing.chromium import NewContext, Watched
from mainspring.testing.story.tell import Story

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SERIOUS = ("serious", "critical")
LOOKS = {"wide and light": (1280, "light"), "narrow and dark": (360, "dark")}


@pytest.mark.slow
@pytest.mark.parametrize("look", LOOKS)
def test_a_lived_in_installation(
    story: Story, story_url: str, new_context: NewContext, look: str
) -> None:
    visit({**{a: a for a in EVERYWHERE}, **addresses_of(story)}, story_url, new_context, look)


@pytest.mark.parametrize("look", LOOKS)
def test_a_new_installation(empty_url: str, new_context: NewContext, look: str) -> None:
    visit({address: address for address in EVERYWHERE}, empty_url, new_context, look)


def visit(addresses: dict[str, str], url: str, new_context: NewContext, look: str) -> None:
    """Look at every address, and report all that is wrong at once."""
    width, scheme = LOOKS[look]
    context = new_context(width=width, scheme=scheme)
    axe = Axe()
    wrong = []
    for what, address in addresses.items():
        page = context.new_page()
        watched = Watched(page)
        page.goto(url + address)
        found = axe.run(page)
        wrong += [
            f"{what}: {v['id']}: {v['nodes'][0]['html'][:160]}"
            for v in found.response["violations"]
            if v["impact"] in SERIOUS
        ]
        wrong += [f"{what}: {problem}" for problem in watched.problems]
        wrong += [f"{what}: asks {r}" for r in watched.requests if not r.startswith(url)]
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wrong.append(f"{what}: scrolls sideways")
        page.close()
    assert wrong == []
