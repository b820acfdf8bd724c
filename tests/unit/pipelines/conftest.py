"""Fixtures for tests of the engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mainspring.app import open_app
from mainspring.config import Settings
from mainspring.testing.apps import TESTER
from mainspring.testing.flows import Flow


@pytest.fixture
def flow(tmp_path: Path) -> Iterator[Flow]:
    """A project and an installation whose clock runs, as leases need."""
    app = open_app(Settings(home=tmp_path / "home"), actor=TESTER)
    yield Flow(app, tmp_path / "project")
    app.close()
