"""Alembic runs this for each command, with the connection that `migrate` (or `tools/migration.py`) gives it."""

import sqlalchemy as sa
from alembic import context

from frontdesk.store.database import metadata

connection = context.config.attributes["connection"]
if not isinstance(connection, sa.Connection):
    raise TypeError("run migrations through frontdesk.store.migrations.migrate")

context.configure(
    connection=connection,
    target_metadata=metadata,
    **context.config.attributes.get("drafting", {}),  # only tools/migration.py compares tables
)
with context.begin_transaction():  # nothing of its own: the caller's transaction holds all
    context.run_migrations()
