"""Asking other people's databases: one query, read only, its result as a table."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from mainspring.kernel.errors import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    import polars as pl

_IN_MEMORY = (None, "", ":memory:")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def check_address(url: str) -> None:
    """Raise `Invalid` for an address that holds a password, which would be kept and shown, or is none at all."""
    try:
        password = make_url(url).password
    except ArgumentError as error:
        raise Invalid(
            f"{url!r} is not the address of a database",
            code="bad_url",
            hint="It looks like postgresql+psycopg://user:${DB_PASSWORD}@host/name or sqlite:////folder/file.db.",
        ) from error
    if password is not None and not _VARIABLE.fullmatch(str(password)):
        raise Invalid(
            "the address holds a password, which would be recorded",
            code="secret_in_url",
            hint="Name a variable instead: user:${DB_PASSWORD}@host.",
        )


def fetch(url: str, query: str) -> "pl.DataFrame":
    """The result of a query in memory. Raises as `asking` does, and `Invalid` if the database refuses the query."""
    import polars as pl

    with asking(url) as connection:
        try:
            return pl.read_database(text(query), connection, infer_schema_length=None)
        except SQLAlchemyError as error:
            raise Invalid(
                f"the database refuses the query: {first_line(error)}", code="bad_query"
            ) from error


@contextmanager
def asking(url: str) -> Iterator[Connection]:
    """A connection to ask on; variables such as `${DB_PASSWORD}` in the address are filled in.

    The transaction is read only where the database has such, and always rolled back. Raises `Unavailable` if the
    database can't be asked, as when it is a file of SQLite that is not there.
    """
    try:
        engine = create_engine(
            _VARIABLE.sub(_filled, url), poolclass=NullPool, hide_parameters=True
        )
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise Invalid(
            f"{url} can't be opened: {error}",
            code="no_driver",
            hint="PostgreSQL needs mainspring[postgres] and an address that begins with postgresql+psycopg://.",
        ) from error
    _check_that_file_exists(engine.url)
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise Unavailable(
            f"the database at {url} can't be asked: {first_line(error)}",
            code="source_unreachable",
        ) from error
    with connection:
        try:
            _be_read_only(connection)
            yield connection
        finally:
            connection.rollback()


def _check_that_file_exists(url: URL) -> None:
    """SQLite would make an empty database of a path that was mistyped."""
    if url.get_backend_name() != "sqlite" or "uri" in url.query or url.database in _IN_MEMORY:
        return
    if not Path(str(url.database)).exists():
        raise Unavailable(
            f"the database at {url} can't be asked: there is no {url.database}",
            code="source_unreachable",
            hint="An address with four slashes names a path from the root: sqlite:////folder/file.db.",
        )


def _be_read_only(connection: Connection) -> None:
    match connection.dialect.name:
        case "sqlite":
            connection.execute(text("PRAGMA query_only = ON"))
        case "postgresql":
            connection.execute(text("SET TRANSACTION READ ONLY"))


def _filled(found: "re.Match[str]") -> str:
    name = found.group(1)
    # Other programs' secrets, which are no settings of ours.
    value = os.environ.get(name)
    if value is None:
        raise NotFound(
            f"the variable {name} of a database's address is not set", code="variable_missing"
        )
    return quote(value, safe="")


def first_line(error: SQLAlchemyError) -> str:
    """What the database said, in a line."""
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0][:300]
