from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.testing.apps import TESTER

INPUTS = pl.DataFrame({"x": [1.0, 2.0]})


@pytest.fixture
def live_app(tmp_path: Path) -> Iterator[App]:
    """An installation by the machine's clock, as serving processes see it."""
    app = open_app(Settings(home=tmp_path / "home"), actor=TESTER)
    yield app
    app.close()
