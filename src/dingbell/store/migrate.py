"""Bring a database to the newest schema, one process at a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from dingbell.store.connection import SCHEMA, connect

if TYPE_CHECKING:
    from sqlalchemy import Connection

__all__ = ["HEAD", "current_revision", "upgrade"]

HEAD = "0002"
_LOCK = 7_466_315_240_001  # an advisory lock of ours
_MIGRATIONS = Path(__file__).parent / "migrations"


async def current_revision(dsn: str) -> str | None:
    """The revision of a database, or None where DingBell has no tables yet."""
    connection = await connect(dsn)
    try:
        if await connection.fetchval(f"select to_regclass('{SCHEMA}.alembic_version')") is None:
            return None
        revision: str | None = await connection.fetchval("select version_num from alembic_version")
        return revision
    finally:
        await connection.close()


async def upgrade(dsn: str) -> bool:
    """Run the missing revisions under an advisory lock; a repeat does nothing.

    Returns:
        Whether anything had to be done.
    """
    if await current_revision(dsn) == HEAD:
        return False
    # Loaded here: nearly every start finds nothing to do.
    from sqlalchemy import text
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"select pg_advisory_xact_lock({_LOCK})"))
            await connection.execute(text(f"create schema if not exists {SCHEMA}"))
            await connection.execute(text(f"set local search_path to {SCHEMA}"))
            await connection.run_sync(_run)
    finally:
        await engine.dispose()
    return True


def _run(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("version_path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
