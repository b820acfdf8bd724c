"""A control server's application and a client for it, without sockets."""

from collections.abc import Iterator

import pytest

from mainspring.app import App
from mainspring.server.control import create_app_on
from mainspring.testing.web import Browser


@pytest.fixture
def browser(app: App) -> Iterator[Browser]:
    with Browser(create_app_on(app)) as browser:
        yield browser
