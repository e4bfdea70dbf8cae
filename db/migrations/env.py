"""What Alembic runs around the revisions; ``db.migrate`` hands in the connection, its transaction open.

Without a connection, the SQL is printed instead.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from db.migrate import VERSION_TABLE

SCHEMA = "create schema if not exists fleet"

if context.is_offline_mode():
    context.configure(dialect_name="postgresql", **VERSION_TABLE)
    with context.begin_transaction():
        context.execute(SCHEMA)
        context.run_migrations()
else:
    connection = context.config.attributes["connection"]
    connection.execute(text(SCHEMA))
    context.configure(
        connection=connection,
        on_version_apply=context.config.attributes.get("on_version_apply"),
        **VERSION_TABLE,
    )
    context.run_migrations()
