"""Run by Alembic: migrates over the connection it was given."""

from alembic import context

from mainspring.store.migrations.configure import render_item
from mainspring.store.tables.all import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=render_item,
    # The caller holds the transaction; Alembic must neither open nor commit one.
    transactional_ddl=False,
)
context.run_migrations()
