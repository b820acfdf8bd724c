"""Fixtures that every suite may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from mainspring.app import App
from mainspring.testing.apps import an_app
from mainspring.testing.postgres import PostgresServer, postgres_server

# How fast examples are made says something of the machine, nothing of the code.
settings.register_profile(
    "mainspring", settings.default, suppress_health_check=[HealthCheck.too_slow], deadline=None
)
settings.load_profile("mainspring")


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """A new installation on SQLite."""
    app = an_app(tmp_path / "home")
    yield app
    app.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the whole test run."""
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def any_app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[App]:
    """A new installation on each database in turn."""
    database = ""
    if request.param == "postgresql":
        database = request.getfixturevalue("postgres").new_database()
    app = an_app(tmp_path / "home", database=database)
    yield app
    app.close()
