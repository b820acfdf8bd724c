"""A real headless Chromium, and real servers on loopback for it to look at."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.server.control import create_app_on
from mainspring.testing.apps import an_app
from mainspring.testing.chromium import NewContext, running_chromium
from mainspring.testing.story.beginning import ALICE
from mainspring.testing.story.tell import Story, a_lived_in_app
from mainspring.testing.web import served


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser process for the whole test run."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """An installation with a past, which tests only read."""
    story = a_lived_in_app(tmp_path_factory.mktemp("story") / "home")
    yield story
    story.app.close()


@pytest.fixture(scope="session")
def story_url(story: Story) -> Iterator[str]:
    with served(create_app_on(story.app)) as url:
        yield url


@pytest.fixture
def own_app(story: Story, tmp_path: Path) -> Iterator[App]:
    """A copy of the lived-in installation, to act on."""
    home = tmp_path / "home"
    shutil.copytree(story.app.settings.home, home)
    app = open_app(Settings(home=home), actor=ALICE, clock=story.app.clock)
    yield app
    app.close()


@pytest.fixture
def own_url(own_app: App) -> Iterator[str]:
    with served(create_app_on(own_app)) as url:
        yield url


@pytest.fixture(scope="session")
def empty_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = an_app(tmp_path_factory.mktemp("empty") / "home")
    with served(create_app_on(app)) as url:
        yield url
    app.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[NewContext]:
    """Makes browser contexts, each with its own cookies, and closes them at the end."""
    made: list[BrowserContext] = []

    def make(*, width: int = 1280, scheme: str = "light", **options: object) -> BrowserContext:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,  # type: ignore[arg-type]  # its own words: light, dark
            **options,  # type: ignore[arg-type]  # passed on as they are
        )
        context.set_default_timeout(15_000)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


# A server waits for its open streams: ask for it before the page, so that the page is closed first.
@pytest.fixture
def page(new_context: NewContext) -> Page:
    return new_context().new_page()
