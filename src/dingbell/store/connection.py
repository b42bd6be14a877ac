"""Connections to PostgreSQL, set up the way all SQL of the product expects them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import asyncpg

from dingbell.errors import DatabaseUnavailable, InputError, Text

__all__ = [
    "LENT",
    "SCHEMA",
    "Connection",
    "Pool",
    "acquire",
    "after_commit",
    "connect",
    "create_pool",
    "transaction",
    "translated",
]

SCHEMA = "dingbell"
# A silent network ends a statement instead of a node.
_COMMAND_TIMEOUT = 30.0
# What the driver raises while PostgreSQL is away, restarts, gives way to a standby, or has no room.
# Anything else is a defect, or bad data of one row: waiting does not mend it.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidCachedStatementError,
)
_SETTINGS = {"application_name": "dingbell", "timezone": "UTC"}
# Set by a statement: poolers refuse them from those who connect.
_SESSION = f"""
set search_path to {SCHEMA};
set tcp_keepalives_idle to 10;
set tcp_keepalives_interval to 5;
set tcp_keepalives_count to 3;
"""
LENT = Text(
    "a pooler in front of PostgreSQL gives every transaction another session, and DingBell needs "
    "one of its own (LISTEN, locks): set its pool to session mode (PgBouncer: pool_mode = "
    "session), or let DINGBELL_DATABASE_URL go to PostgreSQL itself",
    "PostgreSQL 前的连接池按事务分配会话, 而叮铃需要独占会话 (LISTEN、锁): 请改为会话模式 "
    "(PgBouncer: pool_mode = session), 或让 DINGBELL_DATABASE_URL 直连 PostgreSQL",
)

if TYPE_CHECKING:  # generic in the stubs only
    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool


def _is_away(error: Exception) -> bool:
    # An interface error that is a ValueError says that an argument cannot be encoded.
    return isinstance(error, _AWAY) and not isinstance(error, ValueError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise `DatabaseUnavailable` for what the driver raises while PostgreSQL is away.

    Everything else passes: a defect, or data that PostgreSQL does not take.
    """
    try:
        yield
    except Exception as error:
        if not _is_away(error):
            raise
        raise DatabaseUnavailable(_unavailable(error)) from error


async def _prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.execute(_SESSION)
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: json.dumps(value, ensure_ascii=False),
        decoder=json.loads,
        schema="pg_catalog",
    )


async def connect(dsn: str) -> asyncpg.Connection[asyncpg.Record]:
    """Open one connection.

    Raises:
        InputError: the address or the credentials are wrong.
        DatabaseUnavailable: PostgreSQL cannot be reached.
    """
    try:
        connection = await asyncpg.connect(
            dsn, timeout=10, command_timeout=_COMMAND_TIMEOUT, server_settings=_SETTINGS
        )
    except ValueError:
        # Its text may hold a part of the password.
        raise InputError(_not_accepted("not an address")) from None
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise InputError(_not_accepted(error)) from None
    except asyncpg.InvalidCatalogNameError as error:
        raise InputError(_not_accepted(error)) from None
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable(_unreachable(error)) from None
    try:
        with translated():
            await _prepare(connection)
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
        connection.terminate()
        raise InputError(LENT) from None
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _as_it_is(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Give a connection back without a round trip: nobody leaves anything behind on one.

    Settings are local to transactions, and who holds a lock of a session lets go of it.
    """


async def create_pool(dsn: str, *, size: int = 10) -> Pool:
    """Open a pool of connections; the address has been tried with `connect` before."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=10,
        command_timeout=_COMMAND_TIMEOUT,
        server_settings=_SETTINGS,
        init=_prepare,
        reset=_as_it_is,
        max_inactive_connection_lifetime=300,
    )


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection.

    Raises:
        DatabaseUnavailable: PostgreSQL is away, or goes away meanwhile.
    """
    with translated():
        async with pool.acquire() as connection:
            yield connection


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection inside a transaction.

    Raises:
        DatabaseUnavailable: PostgreSQL is away, or goes away meanwhile: nothing was written, unless
            it went away while it committed.
    """
    pending: list[Callable[[], None]] = []
    token = _AFTER_COMMIT.set(pending)
    try:
        async with acquire(pool) as connection, connection.transaction():
            yield connection
    finally:
        _AFTER_COMMIT.reset(token)
    for work in pending:
        work()


# What the open transaction of this task does once it has committed.
_AFTER_COMMIT: ContextVar[list[Callable[[], None]] | None] = ContextVar(
    "after_commit", default=None
)


def after_commit(work: Callable[[], None]) -> None:
    """Do something when the transaction of this task has committed; at once where none is open.

    What is rolled back is not told.
    """
    pending = _AFTER_COMMIT.get()
    if pending is None:
        work()
    else:
        pending.append(work)


def _not_accepted(error: object) -> Text:
    return Text(
        "PostgreSQL refused DINGBELL_DATABASE_URL: {error}. Check user, password and database",
        "PostgreSQL 拒绝了 DINGBELL_DATABASE_URL: {error}。请检查用户、密码和数据库名",
    ).format(error=str(error).strip() or type(error).__name__)


def _unreachable(error: Exception) -> Text:
    return Text(
        "PostgreSQL cannot be reached ({error}). Is it running? Is DINGBELL_DATABASE_URL right?",
        "无法连接 PostgreSQL ({error})。它在运行吗? DINGBELL_DATABASE_URL 对吗?",
    ).format(error=str(error).strip() or type(error).__name__)


def _unavailable(error: Exception) -> Text:
    return Text("the database is not available: {error}", "数据库暂不可用: {error}").format(
        error=str(error).partition("\n")[0] or type(error).__name__
    )
