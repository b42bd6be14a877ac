"""What the driver raises: the database is away, or a fault that waiting does not mend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from dingbell.errors import DatabaseUnavailable
from dingbell.store.connection import Pool, acquire, create_pool, transaction, translated


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    opened = await create_pool(dsn, size=2)
    yield opened
    opened.terminate()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("cut"),
        TimeoutError(),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.DiskFullError("no space left on device"),
        asyncpg.DeadlockDetectedError("deadlock detected"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE in a read-only transaction"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_server_that_is_away_is_one_exception(error: Exception) -> None:
    with pytest.raises(DatabaseUnavailable) as said, translated():
        raise error
    assert said.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        KeyError("id"),
        asyncpg.UndefinedTableError('relation "runs" does not exist'),
        asyncpg.UniqueViolationError("duplicate key"),
        asyncpg.CheckViolationError("new row violates check constraint"),
        asyncpg.NumericValueOutOfRangeError("bigint out of range"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_passes_as_it_is(error: Exception) -> None:
    with pytest.raises(type(error)), translated():
        raise error


async def test_a_value_that_no_column_holds_is_no_absent_database(pool: Pool) -> None:
    with pytest.raises(asyncpg.DataError):
        async with acquire(pool) as connection:
            await connection.fetchval("select $1::text", "\0")
    with pytest.raises(asyncpg.DataError):
        async with transaction(pool) as connection:
            await connection.fetchval("select $1::bigint", 10**20)


async def test_a_connection_that_is_cut_in_a_transaction_is_an_absent_database(pool: Pool) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with transaction(pool) as connection:
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
