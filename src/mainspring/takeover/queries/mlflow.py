"""SQL that reads an MLflow database, whatever version of MLflow wrote it. Nothing there is ever written."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    MetaData,
    Row,
    Table,
    create_engine,
    func,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mainspring.kernel.errors import Invalid, Unavailable

_PAGE = 200
_READ_AT_ONCE = 20_000
# Without these it is no MLflow database; the others came with later versions.
_NEEDED = ("experiments", "runs", "tags", "params", "metrics")
_KNOWN = (
    *_NEEDED,
    "alembic_version",
    "experiment_tags",
    "datasets",
    "inputs",
    "input_tags",
    "logged_models",
    "logged_model_params",
    "logged_model_tags",
    "logged_model_metrics",
    "registered_models",
    "registered_model_tags",
    "registered_model_aliases",
    "model_versions",
    "model_version_tags",
    "trace_info",
    "trace_tags",
    "trace_request_metadata",
    "spans",
    "assessments",
    "entity_associations",
)
_HERE = "default"


class MlflowTables:
    """An open MLflow database; its tables are read as they are there."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        try:
            self._connection = _connect(self._engine)
            with _failing_clearly(self._engine):
                names = set(inspect(self._connection).get_table_names())
            _check(names)
            found = MetaData()
            found.reflect(self._connection, only=[name for name in _KNOWN if name in names])
        except BaseException:
            self.close()
            raise
        self._tables = found.tables
        self._names = names

    def close(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()
        self._engine.dispose()

    def revision(self) -> str:
        """The migration that the database is at, as MLflow names it."""
        table = self._tables.get("alembic_version")
        found = self._connection.execute(select(table)).scalar() if table is not None else None
        return str(found or "unknown")

    def has(self, name: str) -> bool:
        return name in self._tables

    def count(self, name: str) -> int:
        """Rows of a table, also of one that isn't taken over; 0 if this version has no such table."""
        if name not in self._names:
            return 0
        query = select(func.count()).select_from(Table(name, MetaData()))
        return int(self._connection.execute(query).scalar_one())

    def count_in_other_workspaces(self) -> int:
        table = self._tables["experiments"]
        if "workspace" not in table.c:
            return 0
        query = select(func.count()).select_from(table).where(table.c.workspace != _HERE)
        return int(self._connection.execute(query).scalar_one())

    def experiments(self) -> Sequence[Row[Any]]:
        table = self._tables["experiments"]
        return self._all(self._here(select(table), table).order_by(table.c.experiment_id))

    def pages(self, name: str, id_column: str, experiment: str) -> Iterator[Sequence[Row[Any]]]:
        """Rows of an experiment in pages by id, so that none is read twice and none left out."""
        if name not in self._tables:
            return
        table = self._tables[name]
        column, after = table.c[id_column], ""
        while True:
            query = select(table).where(table.c.experiment_id == int(experiment), column > after)
            rows = self._all(query.order_by(column).limit(_PAGE))
            if rows:
                yield rows
            if len(rows) < _PAGE:
                return
            after = getattr(rows[-1], id_column)

    def of_owners(
        self, name: str, owner: str, ids: Sequence[object]
    ) -> Mapping[Any, Sequence[Row[Any]]]:
        """Rows of a table by the owner that they belong to; none if this version has no such table."""
        found: dict[Any, list[Row[Any]]] = defaultdict(list)
        if name in self._tables and ids:
            column = self._tables[name].c[owner]
            for row in self._all(select(self._tables[name]).where(column.in_(ids))):
                found[getattr(row, owner)].append(row)
        return found

    def rows_here(self, name: str, order: str) -> Sequence[Row[Any]]:
        """Every row of the default workspace."""
        if name not in self._tables:
            return []
        table = self._tables[name]
        return self._all(self._here(select(table), table).order_by(table.c[order]))

    def points(self, runs: Sequence[str]) -> Iterator[tuple[str, str, int, int, float, bool]]:
        """Every point of some runs: run, key, step, time, value, whether it is NaN."""
        c = self._tables["metrics"].c
        query = (
            select(c.run_uuid, c.key, c.step, c.timestamp, c.value, c.is_nan)
            .where(c.run_uuid.in_(runs))
            .order_by(c.run_uuid, c.key, c.step, c.timestamp)
        )
        with _failing_clearly(self._engine):
            streamed = self._connection.execute(
                query, execution_options={"yield_per": _READ_AT_ONCE}
            )
            for part in streamed.partitions():
                for run, key, step, at, value, is_nan in part:
                    yield run, key, step, at, value, bool(is_nan)

    def _here(self, query: Any, table: Table) -> Any:
        return query.where(table.c.workspace == _HERE) if "workspace" in table.c else query

    def _all(self, query: Any) -> Sequence[Row[Any]]:
        with _failing_clearly(self._engine):
            return self._connection.execute(query).all()


def _check(names: set[str]) -> None:
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise Invalid(
            f"this is no MLflow database: it has no table {', '.join(missing)}",
            code="not_mlflow",
        )


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg2"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername == "sqlite" and parsed.database:
            # Opened to be read: a wrong path makes no empty database, and a right one is never changed.
            parsed = parsed.set(
                database=f"file:{parsed.database}", query={"mode": "ro", "uri": "true"}
            )
        return create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise Invalid(
            f"databases of this kind can't be read: {url.partition('://')[0][:40]!r}",
            code="bad_url",
            hint="SQLite and PostgreSQL can; for others take over from the running MLflow server.",
        ) from error


def _connect(engine: Engine) -> Connection:
    with _failing_clearly(engine):
        return engine.connect()


@contextmanager
def _failing_clearly(engine: Engine) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise Unavailable(
            f"the MLflow database {shown} can't be read",
            hint="Is the path or host right, and is the server up? Then run it again.",
        ) from error
