"""A pooler in front of PostgreSQL: it has to keep sessions."""

from __future__ import annotations

import asyncpg

from dingbell.errors import InputError
from dingbell.store.connection import LENT, connect

__all__ = ["refuse_lent_sessions"]

_PID = "select pg_backend_pid()"
_TRIES = 3


async def refuse_lent_sessions(connection: asyncpg.Connection[asyncpg.Record], dsn: str) -> None:
    """See that one connection stays with one session of PostgreSQL.

    Listening, locks that outlive a transaction and prepared statements need that. Without a pooler
    it costs one question.

    Args:
        connection: one that is open.
        dsn: where another is opened if a pooler is there.

    Raises:
        InputError: a pooler lends each transaction whichever session is free.
    """
    try:
        # A pooler answers for many servers, and gives numbers of its own to cancel by.
        if connection.get_server_pid() == await connection.fetchval(_PID):
            return
        second = await connect(dsn)
        try:
            lent = await _are_lent(connection, second)
        finally:
            second.terminate()
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
        # What was prepared in one session is looked for in another.
        lent = True
    if lent:
        raise InputError(LENT)


async def _are_lent(
    first: asyncpg.Connection[asyncpg.Record], second: asyncpg.Connection[asyncpg.Record]
) -> bool:
    """Whether two connections meet in one session, or the first one's changes."""
    for _ in range(_TRIES):
        mine = await first.fetchval(_PID)
        async with second.transaction():
            theirs = await second.fetchval(_PID)
            if theirs == mine or await first.fetchval(_PID) != mine:
                return True
    return False
