"""Alembic's configuration, made in code so that nothing depends on a file beside the package."""

from pathlib import Path
from typing import Any, Literal

from alembic.config import Config
from sqlalchemy import Connection
from sqlalchemy.types import TypeDecorator


def alembic_config(connection: Connection) -> Config:
    """A configuration that migrates over an open connection, inside its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write our column types into migrations as what they are in the database.

    A migration must keep its meaning when the code that reads the column moves on.
    """
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{type(item.impl_instance).__name__}()"
    return False
