"""The store and its transaction: a change, its events and its audit entry commit together or not at all."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, CursorResult, Executable, insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from mainspring.domain.actor import Actor
from mainspring.domain.event import Event
from mainspring.kernel.clock import Clock
from mainspring.kernel.digests import Digest
from mainspring.kernel.ids import new_id
from mainspring.store.databases import Database, open_database
from mainspring.store.migrate import bring_up_to_date
from mainspring.store.tables.ledger import events


class HasBlobs(Protocol):
    """All that a use case may ask of the blobs: which bytes are there, and a small text such as a manifest."""

    def exists(self, digest: Digest) -> bool: ...
    def read(self, digest: Digest) -> bytes: ...
    def touch(self, digests: Iterable[Digest]) -> set[Digest]: ...


@dataclass(slots=True)
class Tx:
    """One transaction, as a use case sees it.

    `now` is the same instant throughout. Use cases never commit and never open a transaction of their own,
    so they compose and leave nothing behind when they fail.
    """

    connection: Connection
    actor: Actor
    operation: str
    now: datetime
    blobs: HasBlobs
    trusted_keys: Path
    event_ids: list[str] = field(default_factory=list)

    def execute(
        self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Run a statement. Only `queries.py` of a room calls this."""
        return self.connection.execute(statement, parameters)

    def execute_sql(
        self, statement: str, parameters: tuple[Any, ...] | list[tuple[Any, ...]] = ()
    ) -> CursorResult[Any]:
        """Run a statement in the driver's own words, with nothing between: for the few hottest ones."""
        return self.connection.exec_driver_sql(statement, parameters)

    def fetch_sql(self, statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        """All rows of a query in the driver's own words, as the driver gives them: plain values, no names."""
        cursor = self.connection.exec_driver_sql(statement, parameters).cursor
        return [] if cursor is None else list(cursor.fetchall())

    def new_id(self, prefix: str) -> str:
        return new_id(prefix, self.now)

    def emit(self, event: Event) -> str:
        """Record that something happened; it becomes visible when the transaction commits."""
        event_id = self.new_id("evt")
        self.connection.execute(
            insert(events).values(
                id=event_id,
                at=self.now,
                type=type(event).__name__,
                service=event.service,
                subject=event.subject_id,
                actor=str(self.actor),
                operation=self.operation,
                why=event.why,
                payload=event.payload(),
            )
        )
        self.event_ids.append(event_id)
        return event_id

    @property
    def is_sqlite(self) -> bool:
        return self.connection.dialect.name == "sqlite"


class Store:
    """A migrated database from which transactions are opened."""

    def __init__(
        self, database: Database, blobs: HasBlobs, clock: Clock, trusted_keys: Path
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._trusted_keys = trusted_keys
        self._clock = clock

    @contextmanager
    def read(self, actor: Actor, operation: str) -> Iterator[Tx]:
        """A consistent snapshot; nothing in it can be written."""
        with self._failing_clearly(), self._database.engine.connect() as connection:
            self._database.begin_read(connection)
            try:
                yield self._tx(connection, actor, operation)
            finally:
                self._database.rollback(connection)

    @contextmanager
    def write(
        self, actor: Actor, operation: str, *, durable: bool = True, in_turn: bool = True
    ) -> Iterator[Tx]:
        """A transaction that commits when the block ends and rolls back when it raises.

        Without `durable` a power cut (not a killed process) may lose it. With `in_turn` no other such
        transaction runs at the same time, on either database.
        """
        with self._failing_clearly(), self._database.engine.connect() as connection:
            self._database.begin_write(connection, durable=durable, in_turn=in_turn)
            try:
                yield self._tx(connection, actor, operation)
                self._database.commit(connection)
            except BaseException:
                self._database.rollback(connection)
                raise

    def close(self) -> None:
        self._database.engine.dispose()

    def _tx(self, connection: Connection, actor: Actor, operation: str) -> Tx:
        return Tx(
            connection=connection,
            actor=actor,
            operation=operation,
            now=self._clock.now(),
            blobs=self._blobs,
            trusted_keys=self._trusted_keys,
        )

    @contextmanager
    def _failing_clearly(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            explained = self._database.explain(error)
            if explained is None:
                raise
            raise explained from error


def open_store(url: str, blobs: HasBlobs, clock: Clock, trusted_keys: Path) -> Store:
    """Open the store behind a URL, migrated to this version.

    `trusted_keys` is the folder with the public keys whose signatures count.
    Raises `Invalid` (code `store_too_new`) for one written by a newer Mainspring, `Unavailable` if the
    database can't be reached.
    """
    database = open_database(url)
    store = Store(database, blobs, clock, trusted_keys)
    try:
        with store._failing_clearly():
            bring_up_to_date(database)
    except BaseException:
        store.close()
        raise
    return store
