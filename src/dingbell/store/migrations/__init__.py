"""Alembic revisions, in order; each is compatible with the version before it."""

from __future__ import annotations

from typing import Any

from alembic import op

__all__ = ["execute_script"]


def execute_script(sql: str) -> None:
    """Run many statements at once on the migration's own connection, inside its transaction.

    SQLAlchemy prepares every statement, and PostgreSQL prepares only one at a time.
    """

    async def run(connection: Any) -> None:
        await connection.execute(sql)

    driver: Any = op.get_bind().connection.dbapi_connection
    driver.run_async(run)
