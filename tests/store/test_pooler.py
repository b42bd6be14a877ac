"""A pooler that keeps sessions is welcome; one that lends them by the transaction is refused."""

from __future__ import annotations

import asyncio
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from dingbell.errors import InputError
from dingbell.store import fitness, migrate, pooler
from dingbell.store.connection import connect, create_pool

_REFUSED = {"search_path", "tcp_keepalives_idle", "tcp_keepalives_interval"}

Sessions = asyncio.LifoQueue[tuple[StreamReader, StreamWriter]]


class Pooler:
    """As PgBouncer does it: a key of its own for each client, and no odd settings at the door."""

    def __init__(self, dsn: str, *, sessions: int | None) -> None:
        """`sessions` are lent by the transaction; None gives every client one of its own."""
        parts = urlsplit(dsn)
        self._socket = parse_qs(parts.query)["host"][0] + "/.s.PGSQL.5432"
        self._start = self._packet(f"user\0postgres\0database\0{parts.path[1:]}\0\0".encode())
        self._free: Sessions = asyncio.LifoQueue()
        self._sessions = sessions
        self._writers: list[StreamWriter] = []

    @staticmethod
    def _packet(body: bytes) -> bytes:
        return struct.pack("!II", len(body) + 8, 196608) + body

    async def _connected(self) -> tuple[StreamReader, StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(self._socket)
        self._writers.append(writer)
        writer.write(self._start)
        self._told = b""
        while (message := await self._message(reader))[:1] != b"Z":
            self._told += message if message[:1] == b"S" else b""
        return reader, writer

    @staticmethod
    async def _message(reader: StreamReader) -> bytes:
        head = await reader.readexactly(5)
        return head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)

    async def serve(self, client: StreamReader, answers: StreamWriter) -> None:
        self._writers.append(answers)
        try:
            if await self._welcome(client, answers):
                await self._pass_on(client, answers, await self._pool())
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            answers.close()

    async def _pool(self) -> Sessions:
        if self._sessions is not None:
            return self._free
        own: Sessions = asyncio.LifoQueue()
        own.put_nowait(await self._connected())
        return own

    async def _welcome(self, client: StreamReader, answers: StreamWriter) -> bool:
        length, version = struct.unpack("!II", await client.readexactly(8))
        given = (await client.readexactly(length - 8)).decode().split("\0")
        if version == 80877103:  # the wish for TLS
            answers.write(b"N")
            return await self._welcome(client, answers)
        if odd := _REFUSED & set(given[::2]):
            said = f"SFATAL\0C08P01\0Munsupported startup parameter: {odd.pop()}\0\0".encode()
            answers.write(b"E" + struct.pack("!I", len(said) + 4) + said)
            return False
        answers.write(b"R" + struct.pack("!II", 8, 0) + self._told)
        answers.write(b"K" + struct.pack("!III", 12, 1 << 31, 7))
        answers.write(b"Z" + struct.pack("!I", 5) + b"I")
        return True

    async def _pass_on(self, client: StreamReader, answers: StreamWriter, free: Sessions) -> None:
        """Borrow a session for each transaction, which ends when the server is idle."""
        asked = asyncio.ensure_future(self._message(client))
        while (await asked)[:1] != b"X":
            reader, writer = await free.get()
            idle = asyncio.ensure_future(self._answer(reader, answers))
            while not idle.done():
                await asyncio.wait({idle, asked}, return_when=asyncio.FIRST_COMPLETED)
                if asked.done() and not idle.done():
                    writer.write(await asked)
                    asked = asyncio.ensure_future(self._message(client))
            free.put_nowait((reader, writer))
            await idle

    async def _answer(self, reader: StreamReader, answers: StreamWriter) -> None:
        message = b""
        while message[:1] != b"Z" or message[5:] != b"I":
            message = await self._message(reader)
            answers.write(message)


@asynccontextmanager
async def pooled(dsn: str, *, sessions: int | None) -> AsyncIterator[str]:
    """The address of a pooler in front of a database."""
    front = Pooler(dsn, sessions=sessions)
    for _ in range(sessions or 1):
        front._free.put_nowait(await front._connected())
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"postgresql://postgres@127.0.0.1:{port}{urlsplit(dsn).path}"
    finally:
        server.close()
        for writer in front._writers:
            writer.close()


@pytest.mark.parametrize("sessions", [1, 2, 5])
async def test_sessions_that_are_lent_are_refused_in_words(
    fresh_database: str, sessions: int
) -> None:
    await migrate.upgrade(fresh_database)
    async with pooled(fresh_database, sessions=sessions) as dsn:
        for _ in range(3):
            with pytest.raises(InputError, match="session mode") as refused:
                await migrate.upgrade(dsn)
            assert "会话模式" in refused.value.message.zh


async def test_a_pooler_that_keeps_sessions_is_worked_with(fresh_database: str) -> None:
    async with pooled(fresh_database, sessions=None) as dsn:
        assert await migrate.upgrade(dsn)
        assert not await migrate.upgrade(dsn)
        pool = await create_pool(dsn, size=2)
        async with pool.acquire() as one, pool.acquire() as other:
            for connection in (one, other):
                assert await connection.fetchval("show search_path") == "dingbell"
                assert await connection.fetchval("show tcp_keepalives_idle") is not None
                assert await fitness.lacks(connection) == []
        await pool.close()


async def test_what_was_prepared_elsewhere_is_explained() -> None:
    for error in (
        asyncpg.DuplicatePreparedStatementError("x"),
        asyncpg.InvalidSQLStatementNameError("x"),
    ):
        assert "session mode" in str(fitness.explained(error))


async def test_without_a_pooler_nothing_is_opened_for_the_question(fresh_database: str) -> None:
    connection = await connect(fresh_database)
    try:
        await pooler.refuse_lent_sessions(connection, "postgresql://nobody.invalid/x")
    finally:
        await connection.close()
