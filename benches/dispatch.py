"""A write operation through dispatch, against inserting the same rows with bare SQLAlchemy.

Each operation writes three rows (a token, its event, its audit entry) and waits for the disk. The peer
inserts the very rows that the operations wrote, one transaction each, into a database of the same tables
with the same settings; what is left is authorisation, the use case, the hash chain and reading its head.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Engine, create_engine, event, insert, select

from mainspring.app import App
from mainspring.domain.actor import Role
from mainspring.governance.requests import IssueToken, ListTokens
from mainspring.store.tables.governance import tokens
from mainspring.store.tables.ledger import audit, events
from mainspring.store.tables.metadata import metadata
from mainspring.testing.apps import an_app

_ROUNDS = 7
_PER_ROUND = 60
_TABLES = (tokens, events, audit)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="ms-bench-") as folder:
        app = an_app(Path(folder) / "home")
        bare = _bare_engine(Path(folder) / "bare.sqlite3")
        ours, theirs = [], []
        _write(app, 20)
        _copy(app, bare, since=0)
        for _ in range(_ROUNDS):
            since = len(app.call(ListTokens()))
            ours.append(_timed(lambda: _write(app, _PER_ROUND)))
            rows = _rows(app, since)
            theirs.append(_timed(lambda rows=rows: _insert(bare, rows)))  # type: ignore[misc]
        app.close()
        bare.dispose()
    print(f"{_PER_ROUND} durable writes a round, {_ROUNDS} rounds in turn, medians per write:")
    for name, part in (("wall", 0), ("CPU", 1)):
        own = median(each[part] for each in ours) / _PER_ROUND
        peer = median(each[part] for each in theirs) / _PER_ROUND
        print(
            f"  {name:4} dispatch {own * 1e3:6.2f} ms   bare SQLAlchemy {peer * 1e3:6.2f} ms"
            f"   ratio {own / peer:5.2f}"
        )


def _write(app: App, count: int) -> None:
    for number in range(count):
        app.call(IssueToken(name=f"bench {number}", role=Role.VIEWER))


def _rows(app: App, since: int) -> list[list[dict[str, Any]]]:
    """The rows of each operation after the first `since`, as they lie in the tables."""
    with app.store.read(app.actor, "bench") as tx:
        found = [
            [dict(row) for row in tx.execute(select(table)).mappings().all()][since:]
            for table in _TABLES
        ]
    return [list(rows) for rows in zip(*found, strict=True)]


def _copy(app: App, bare: Engine, since: int) -> None:
    _insert(bare, _rows(app, since))


def _insert(bare: Engine, operations: list[list[dict[str, Any]]]) -> None:
    for rows in operations:
        with bare.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for table, row in zip(_TABLES, rows, strict=True):
                connection.execute(insert(table).values(row))
            connection.exec_driver_sql("COMMIT")


def _bare_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")

    @event.listens_for(engine, "connect")
    def prepare(driver: Any, _record: object) -> None:
        for pragma in ("journal_mode = WAL", "foreign_keys = ON", "synchronous = FULL"):
            driver.execute(f"PRAGMA {pragma}")

    metadata.create_all(engine)
    return engine


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
