"""Bring a database to the newest schema, one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from dingbell.errors import DatabaseError, Text
from dingbell.store import fitness, pooler
from dingbell.store.connection import SCHEMA, connect
from dingbell.store.duty import Duty

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["HEAD", "current_revision", "upgrade"]

_MIGRATIONS = Path(__file__).parent / "migrations"
# The newest revision, by the names of the files: asking Alembic costs every start its import.
HEAD = max(file.name[1:5] for file in (_MIGRATIONS / "versions").glob("r[0-9]*.py"))


async def current_revision(dsn: str) -> str | None:
    """The revision of a database, or None where DingBell has no tables yet."""
    connection = await connect(dsn)
    try:
        with _explained():
            await pooler.refuse_lent_sessions(connection, dsn)
            return await _revision(connection)
    finally:
        await connection.close()


async def _revision(connection: asyncpg.Connection[asyncpg.Record]) -> str | None:
    if await connection.fetchval(f"select to_regclass('{SCHEMA}.alembic_version')") is None:
        return None
    revision: str | None = await connection.fetchval("select version_num from alembic_version")
    return revision


@contextmanager
def _explained() -> Iterator[None]:
    """Tell what a person has to mend on the database in words."""
    try:
        yield
    except Exception as error:
        said = fitness.explained(error)
        if said is None:
            raise
        raise DatabaseError(said) from None


async def upgrade(dsn: str, *, to: str = "head") -> bool:
    """Run the missing revisions under an advisory lock; a repeat does nothing.

    A schema of the version after this one is left as it is: revisions are compatible with the
    version before them, so that nodes can be replaced one by one.

    Args:
        dsn: the database.
        to: the revision; an older one is of use where an upgrade is tried out.

    Returns:
        Whether anything had to be done.

    Raises:
        DatabaseError: the schema is of a later version than the next, or cannot be changed by this
            role.
    """
    current = await current_revision(dsn)
    if current == HEAD or _is_next(current):
        return False
    # Loaded here: nearly every start finds nothing to do.
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn), poolclass=NullPool
    )
    try:
        with _explained():
            async with engine.begin() as connection:
                await _change(connection, to)
    finally:
        await engine.dispose()
    return True


async def _change(connection: AsyncConnection, to: str) -> None:
    """Run the revisions in the transaction that is open, under the lock."""
    from sqlalchemy import text

    await connection.execute(text(f"select pg_advisory_xact_lock({int(Duty.MIGRATE)})"))
    # Asked first: who may not make schemas may own one.
    if await connection.scalar(text(f"select to_regnamespace('{SCHEMA}')::text")) is None:
        await connection.execute(text(f"create schema {SCHEMA}"))
    await connection.execute(text(f"set local search_path to {SCHEMA}"))
    await connection.run_sync(_run, to)
    if to == "head":
        raw = await connection.get_raw_connection()
        assert raw.driver_connection is not None
        await fitness.record(raw.driver_connection)


def _is_next(current: str | None) -> bool:
    ahead = int(current or 0) - int(HEAD)
    if ahead > 1:
        raise DatabaseError(
            Text(
                "the database is at schema {current}, this version knows {head}: install a newer "
                "version of DingBell",
                "数据库结构为 {current}, 本版本只支持到 {head}: 请安装更新版本的叮铃",
            ).format(current=current, head=HEAD)
        )
    return ahead == 1


def _run(connection: Connection, to: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.set_main_option("version_path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
