"""What differs between SQLite and PostgreSQL: opening, beginning, serialising, and naming failures.

Everything else in Mainspring is written once. SQLite runs in WAL mode: readers never wait, and writers
take turns from `BEGIN IMMEDIATE` on. PostgreSQL runs READ COMMITTED; commands that are audited take turns
by one advisory lock, since each audit entry contains the hash of the one before.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError

from mainspring.kernel.errors import Invalid, MainspringError, Unavailable
from mainspring.store.patterns import matches

_BUSY_SECONDS = 30
_AUDIT_LOCK = 0x6D61696E
_MIGRATION_LOCK = 0x6D616967


class Database(Protocol):
    """One kind of database. `begin_write` may wait its turn; both begin methods leave a transaction open."""

    engine: Engine

    def begin_read(self, connection: Connection) -> None: ...
    def begin_write(self, connection: Connection, *, durable: bool, in_turn: bool) -> None: ...
    def commit(self, connection: Connection) -> None: ...
    def rollback(self, connection: Connection) -> None: ...
    def migrating(self) -> Any: ...
    def explain(self, error: DBAPIError) -> MainspringError | None: ...


def open_database(url: str) -> Database:
    """The database behind a SQLAlchemy URL; raises `Invalid` for one that we don't support."""
    name = make_url(url).get_backend_name()
    if name == "sqlite":
        return Sqlite(url)
    if name == "postgresql":
        return Postgres(url)
    raise Invalid(
        f"the store can't live in {name!r}", hint="Use a sqlite:/// or postgresql:// URL."
    )


class Sqlite:
    """A file in WAL mode. `durable` decides whether a commit waits for the disk."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if not parsed.database or parsed.database == ":memory:":
            raise Invalid(
                "the store needs a file",
                hint="In-memory SQLite locks differently; give a path such as sqlite:///store.sqlite3.",
            )
        self.path = Path(parsed.database)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._turn = Lock()
        # AUTOCOMMIT hands BEGIN and COMMIT to us: the driver's own BEGIN comes too late and is deferred.
        self.engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": False},
            pool_size=16,
            max_overflow=64,
        )
        event.listen(self.engine, "connect", _prepare_sqlite)

    def begin_read(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def begin_write(self, connection: Connection, *, durable: bool, in_turn: bool) -> None:
        # Within a process a lock is fairer than SQLite's busy wait, whose sleeps let late comers win.
        self._turn.acquire()
        try:
            connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            self._turn.release()
            raise
        connection.info["writes"] = True

    def commit(self, connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")
        self._end(connection)

    def rollback(self, connection: Connection) -> None:
        try:
            # A full disk makes SQLite roll back by itself; a second ROLLBACK would be an error.
            driver = connection.connection.driver_connection
            if driver is not None and driver.in_transaction:
                connection.exec_driver_sql("ROLLBACK")
        finally:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        if connection.info.pop("writes", False):
            self._turn.release()

    @contextmanager
    def migrating(self) -> Iterator[None]:
        """Hold the right to migrate; other processes wait."""
        lock = os.open(self.path.with_name(self.path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def explain(self, error: DBAPIError) -> MainspringError | None:
        text = str(error.orig)
        if "disk is full" in text or "disk I/O error" in text:
            return Unavailable(
                "the disk that holds the store is full or failing",
                code="disk_full",
                hint=f"Free some space on the disk of {self.path.parent} and try again.",
            )
        if "locked" in text or "busy" in text:
            return Unavailable(
                f"the store was busy for {_BUSY_SECONDS} seconds",
                code="store_busy",
                hint="Try again.",
            )
        if "not a database" in text or "malformed" in text:
            return Invalid(f"{self.path} is not a readable SQLite database: {text}")
        if "unable to open" in text or "readonly" in text:
            return Unavailable(
                f"the store {self.path} can't be opened for writing: {text}",
                code="store_unopenable",
            )
        return None


def _prepare_sqlite(driver: Any, _record: object) -> None:
    cursor = driver.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
    cursor.close()
    driver.create_function("matches", 2, matches, deterministic=True)


class Postgres:
    """A PostgreSQL database. Without `durable` a commit does not wait for the disk."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        try:
            self.engine = create_engine(parsed, pool_size=8, max_overflow=32, pool_pre_ping=True)
        except ModuleNotFoundError as error:
            raise Invalid(
                "PostgreSQL needs its driver", hint="Install it: pip install 'mainspring[postgres]'"
            ) from error

    def begin_read(self, connection: Connection) -> None:
        connection.begin()
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def begin_write(self, connection: Connection, *, durable: bool, in_turn: bool) -> None:
        connection.begin()
        if not durable:
            connection.exec_driver_sql("SET LOCAL synchronous_commit = off")
        if in_turn:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_AUDIT_LOCK})")

    def commit(self, connection: Connection) -> None:
        connection.commit()

    def rollback(self, connection: Connection) -> None:
        connection.rollback()

    @contextmanager
    def migrating(self) -> Iterator[None]:
        """Hold the right to migrate; other processes wait."""
        with self.engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_MIGRATION_LOCK})")
            connection.commit()
            try:
                yield
            finally:
                connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_MIGRATION_LOCK})")
                connection.commit()

    def explain(self, error: DBAPIError) -> MainspringError | None:
        state = getattr(error.orig, "sqlstate", None) or ""
        if state == "53100":
            return Unavailable("the database's disk is full", code="disk_full")
        if state == "2201B":
            return Invalid(
                "PostgreSQL does not understand this regular expression", code="bad_pattern"
            )
        if state[:2] == "22" or isinstance(error, DataError):
            return Invalid(
                "a value does not fit its column",
                hint="It is too large, too long or has a NUL in it.",
            )
        if error.connection_invalidated or state[:2] in ("08", "57", "53") or not state:
            return Unavailable(
                "the database can't be reached or gave up the connection", code="store_unreachable"
            )
        if state in ("40001", "40P01", "55P03"):
            return Unavailable("another transaction was in the way", code="store_busy")
        return None
