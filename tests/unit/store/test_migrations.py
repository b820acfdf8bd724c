from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from mainspring.app import App
from mainspring.store.databases import open_database
from mainspring.store.migrations import REVISIONS
from mainspring.store.tables.all import metadata

VERSIONS = Path(__file__).parents[3] / "src" / "mainspring" / "store" / "migrations" / "versions"


def test_the_migrations_lead_to_the_tables_as_they_are(any_app: App) -> None:
    database = open_database(any_app.settings.database_url)
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    database.engine.dispose()

    assert differences == []


def test_every_migration_is_listed_in_order() -> None:
    assert [path.name[:4] for path in sorted(VERSIONS.glob("0*.py"))] == list(REVISIONS)
