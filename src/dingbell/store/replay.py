"""A backup as a script, carried out on a connection of ours.

`pg_restore` only turns the file into SQL: it needs neither an address nor a password nor TLS, and
what one version of PostgreSQL writes for all of them can be left out where it is not understood.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import asyncpg

__all__ = ["carry_out"]

_CHUNK = 1 << 16
_LONG = 86_400.0  # seconds a statement may take: indexes over a whole ledger
_COPY = re.compile(r"COPY ([^ ]+)\.([^ ]+) \((.*)\) FROM stdin;")
# What only `psql` reads, and the schemas, which are there.
_NOT_OURS = ("\\restrict ", "\\unrestrict ", "CREATE SCHEMA ")
# A setting that `pg_restore` of version 17 sets everywhere, and only servers of 17 know.
_NEW_IN_17 = "SET transaction_timeout = 0;"


class _Stream(Protocol):
    async def read(self, n: int = -1) -> bytes: ...


async def carry_out(
    connection: asyncpg.Connection[asyncpg.Record], script: _Stream, *, server: int
) -> None:
    """Carry out a script of `pg_restore` in the transaction that is open.

    Args:
        connection: whose settings are changed on the way; not to be used for anything else.
        script: where it is read from.
        server: the major version of PostgreSQL that is connected.
    """
    lines = _lines(script)
    statements: list[str] = []
    async for line in lines:
        statement = line.decode()
        if copy := _COPY.fullmatch(statement):
            await _execute(connection, statements)
            statements = []
            await _copy(connection, copy, lines)
        elif not statement.startswith(_NOT_OURS) and (server >= 17 or statement != _NEW_IN_17):
            statements.append(statement)
    await _execute(connection, statements)


async def _execute(
    connection: asyncpg.Connection[asyncpg.Record], statements: Sequence[str]
) -> None:
    # What holds nothing but comments is answered with nothing, which asyncpg does not expect.
    if any(line and not line.startswith("--") for line in statements):
        await connection.execute("\n".join(statements), timeout=_LONG)


async def _copy(
    connection: asyncpg.Connection[asyncpg.Record], copy: re.Match[str], lines: AsyncIterator[bytes]
) -> None:
    schema, table, columns = copy.groups()
    await connection.copy_to_table(
        _bare(table),
        schema_name=_bare(schema),
        columns=[_bare(column) for column in columns.split(", ")],
        source=_rows(lines),
        timeout=_LONG,
    )


async def _rows(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The rows up to the mark of their end, which is taken along."""
    async for line in lines:
        if line == rb"\.":
            return
        yield line + b"\n"


async def _lines(script: _Stream) -> AsyncIterator[bytes]:
    rest = b""
    while chunk := await script.read(_CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line
    if rest:
        yield rest


def _bare(name: str) -> str:
    """A name without the quotes that odd ones are written in."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
