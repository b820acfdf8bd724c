"""The same runs written straight into the stores of both servers, since logging a million metrics takes hours.

Secondary indexes are dropped while rows come in and made again from the database's own words for them, so
what is measured afterwards is the schema that a server made, on tables packed as an initial load leaves them.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mainspring.app import open_app
from mainspring.config import Settings

_FIRST_MS = 1_767_225_600_000
_AT_ONCE = 2000

Row = Sequence[Any]


class _Target(Protocol):
    """A database that rows are copied into."""

    def run(self, statement: str) -> None: ...
    def copy(self, table: str, columns: str, rows: Iterable[Row]) -> None: ...
    def indexes(self, tables: Sequence[str]) -> list[tuple[str, str]]: ...


def fill_mainspring(
    home: Path, *, runs: int, params: int, metrics: int, database: str = ""
) -> None:
    """Write runs into a store of ours that no server has open."""
    open_app(Settings(home=home, database=database)).close()
    with _opened(database or home / "store.sqlite3") as db, _without_indexes(db, _OURS):
        made = _FIRST_MS * 1000
        db.run(
            "INSERT INTO experiments (id, name, lifecycle, created_at, updated_at) "
            f"VALUES ('0', 'Default', 'active', {made}, {made}) ON CONFLICT DO NOTHING"
        )
        db.copy(
            "runs",
            'id, experiment, name, status, lifecycle, "user", started_at',
            (
                (_id(n), "0", f"run {n}", "FINISHED", "active", "bench", (_FIRST_MS + n) * 1000)
                for n in range(runs)
            ),
        )
        db.copy("run_params", "run, key, value", _params(runs, params))
        db.copy(
            "metric_series",
            "number, experiment, run, key, step, timestamp_ms, value",
            (
                (number, "0", run, key, 0, at, value)
                for number, (run, key, value, at) in enumerate(_metrics(runs, metrics), 1)
            ),
        )
        db.run(
            "INSERT INTO metric_history (series, step, timestamp_ms, value, is_nan) "
            "SELECT number, step, timestamp_ms, value, 0 FROM metric_series"
        )


def fill_mlflow(folder: Path, *, runs: int, params: int, metrics: int, database: str = "") -> None:
    """Write the same runs into a store of the peer's, whose tables its server has made."""
    with _opened(database or folder / "mlflow.db") as db, _without_indexes(db, _THEIRS):
        db.copy(
            "runs",
            "run_uuid, name, source_type, user_id, status, start_time, lifecycle_stage, "
            "artifact_uri, experiment_id",
            (
                (_id(n), f"run {n}", "UNKNOWN", "bench", "FINISHED", _FIRST_MS + n, "active", "", 0)
                for n in range(runs)
            ),
        )
        db.copy("params", "run_uuid, key, value", _params(runs, params))
        is_nan = "false" if database else "0"
        for table in ("metrics", "latest_metrics"):
            db.copy(
                table,
                "run_uuid, key, value, timestamp, step, is_nan",
                ((run, key, v, at, 0, is_nan) for run, key, v, at in _metrics(runs, metrics)),
            )


_OURS = ("runs", "run_params", "metric_series", "metric_history")
_THEIRS = ("runs", "params", "metrics", "latest_metrics")


def _batched(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    source = iter(rows)
    while some := list(islice(source, size)):
        yield some


def _id(number: int) -> str:
    return f"{number:032x}"


def _params(runs: int, count: int) -> Iterator[Row]:
    for number in range(runs):
        for key in range(count):
            yield _id(number), f"p{key}", str(number % (key + 2))


def _metrics(runs: int, count: int) -> Iterator[tuple[str, str, float, int]]:
    source = np.random.default_rng(1)
    keys = [f"m{key}" for key in range(count)]
    for start in range(0, runs, _AT_ONCE):
        some = source.random((min(_AT_ONCE, runs - start), count)).tolist()
        for number, values in enumerate(some, start):
            run, at = _id(number), _FIRST_MS + number
            for key, value in zip(keys, values, strict=True):
                yield run, key, value, at


@contextlib.contextmanager
def _opened(where: str | Path) -> Iterator[_Target]:
    target: _Sqlite | _Postgres = _Sqlite(where) if isinstance(where, Path) else _Postgres(where)
    try:
        yield target
        target.settle()
    finally:
        target.close()


@contextlib.contextmanager
def _without_indexes(db: _Target, tables: Sequence[str]) -> Iterator[None]:
    found = db.indexes(tables)
    for name, _ in found:
        db.run(f"DROP INDEX {name}")
    yield
    for _, statement in found:
        db.run(statement)


class _Sqlite:
    """A file; nothing is known of its rows' distribution, as in a store that grew by logging."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path)
        self._db.execute("PRAGMA synchronous = OFF")
        self._db.execute("PRAGMA cache_size = -500000")

    def run(self, statement: str) -> None:
        self._db.execute(statement)

    def copy(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        marks = ", ".join("?" * (columns.count(",") + 1))
        self._db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)

    def indexes(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        marks = ", ".join("?" * len(tables))
        return self._db.execute(
            "SELECT name, sql FROM sqlite_master "
            f"WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})",
            tables,
        ).fetchall()

    def settle(self) -> None:
        self._db.commit()

    def close(self) -> None:
        self._db.close()


class _Postgres:
    """A PostgreSQL database; it is vacuumed and analysed at the end, as its own daemon would soon do."""

    def __init__(self, url: str) -> None:
        import psycopg

        self._db = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)

    def run(self, statement: str) -> None:
        self._db.execute(statement.encode())

    def copy(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        # As text made here, ten times as fast as row by row: no value holds a tab or a backslash.
        with self._db.cursor().copy(f"COPY {table} ({columns}) FROM STDIN".encode()) as copy:
            for some in _batched(rows, _AT_ONCE):
                copy.write("".join("\t".join(map(str, row)) + "\n" for row in some))

    def indexes(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        # A primary key or a unique constraint owns its index, which can't be dropped alone.
        return [
            (str(name), str(statement))
            for name, statement in self._db.execute(
                "SELECT i.indexname, i.indexdef FROM pg_indexes i WHERE i.tablename = ANY(%s) "
                "AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conname = i.indexname)",
                (list(tables),),
            )
        ]

    def settle(self) -> None:
        self.run("VACUUM ANALYZE")

    def close(self) -> None:
        self._db.close()
