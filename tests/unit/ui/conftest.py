"""The pages of a lived-in installation, and of a new one, without a socket."""

from collections.abc import Iterator

import pytest

from mainspring.app import App
from mainspring.server.control import create_app_on
from mainspring.testing.story.tell import Story, a_lived_in_app
from mainspring.testing.web import Browser


@pytest.fixture(scope="session")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """An installation with a past; tests only read it."""
    story = a_lived_in_app(tmp_path_factory.mktemp("story") / "home")
    yield story
    story.app.close()


@pytest.fixture
def pages(story: Story) -> Iterator[Browser]:
    with Browser(create_app_on(story.app)) as browser:
        yield browser


@pytest.fixture
def empty(app: App) -> Iterator[Browser]:
    with Browser(create_app_on(app)) as browser:
        yield browser
