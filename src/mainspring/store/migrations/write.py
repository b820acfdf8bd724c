"""Write the migration that takes a store from the last revision to the tables as they are now.

python -m mainspring.store.migrations.write add_something
"""

import sys
import tempfile
from pathlib import Path

from alembic import command

from mainspring.store.databases import open_database
from mainspring.store.migrations import REVISIONS
from mainspring.store.migrations.configure import alembic_config


def write(name: str) -> None:
    """Write `versions/<number>_<name>.py`; check it by eye before committing it."""
    versions = Path(__file__).parent / "versions"
    first = not any(versions.glob("0*.py"))
    number = "0001" if first else f"{int(REVISIONS[-1]) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/store.sqlite3")
        with database.engine.connect() as connection:
            config = alembic_config(connection)
            if not first:
                command.upgrade(config, "head")
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            command.revision(config, message=name, autogenerate=True, rev_id=number)


if __name__ == "__main__":
    write(sys.argv[1])
