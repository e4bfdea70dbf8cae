"""What Alembic runs around the revisions; ``db.migrate`` hands in the connection, its transaction open."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

from db.migrate import VERSION_TABLE

connection = context.config.attributes["connection"]
connection.execute(text("create schema if not exists fleet"))
context.configure(connection=connection, **VERSION_TABLE)
context.run_migrations()
