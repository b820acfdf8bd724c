"""Bringing a store up to date: one series of migrations for both databases.

An up-to-date store costs one query; Alembic is imported only when there is something to do.
"""

from sqlalchemy import Connection, inspect, text

from mainspring.kernel.errors import Invalid
from mainspring.store.databases import Database
from mainspring.store.migrations import REVISIONS

HEAD = REVISIONS[-1]


def bring_up_to_date(database: Database) -> None:
    """Run the migrations that a store lacks; safe when several processes start at once."""
    if _checked_revision(database) == HEAD:
        return
    with database.migrating():
        if _checked_revision(database) != HEAD:
            _upgrade(database)


def revision_of(connection: Connection) -> str | None:
    """The last migration that ran, or None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _checked_revision(database: Database) -> str | None:
    with database.engine.connect() as connection:
        revision = revision_of(connection)
    if revision is not None and revision not in REVISIONS:
        raise Invalid(
            f"this store was written by a newer Mainspring (its revision is {revision!r}, "
            f"the newest known here is {HEAD!r})",
            code="store_too_new",
            hint="Upgrade Mainspring, or point --home at another folder. Nothing was changed.",
        )
    return revision


def _upgrade(database: Database) -> None:
    from alembic import command

    from mainspring.store.migrations.configure import alembic_config

    with database.engine.connect() as connection:
        # Migrations must be all or nothing on SQLite too, whose driver would commit each statement.
        database.begin_write(connection, durable=True, in_turn=False)
        try:
            command.upgrade(alembic_config(connection), "head")
            database.commit(connection)
        except BaseException:
            database.rollback(connection)
            raise
