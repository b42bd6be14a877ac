"""Where Alembic enters: the connection is handed in by `store.migrate`, already under its lock."""

from __future__ import annotations

from alembic import context

from dingbell.store.connection import SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=SCHEMA,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
