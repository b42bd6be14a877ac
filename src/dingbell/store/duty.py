"""Duties: work that one node at a time does, held by advisory locks that die with their holder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import IntEnum

from dingbell.store.connection import Connection

__all__ = ["Duty", "awaited", "held", "kept", "taken"]


class Duty(IntEnum):
    """What one node does for all; the value is the key of the lock."""

    MIGRATE = 7_466_315_240_001
    SWEEP = 7_466_315_240_002
    WATCH = 7_466_315_240_003
    FORGET = 7_466_315_240_004
    STREAM = 7_466_315_240_005


async def taken(connection: Connection, duty: Duty) -> bool:
    """Take a duty until the transaction ends; False where another node has it."""
    free: bool = await connection.fetchval("select pg_try_advisory_xact_lock($1)", int(duty))
    return free


async def kept(connection: Connection, duty: Duty) -> bool:
    """Take a duty for as long as a connection of its own lives; False where another has it."""
    free: bool = await connection.fetchval("select pg_try_advisory_lock($1)", int(duty))
    return free


async def awaited(connection: Connection, names: Sequence[str]) -> None:
    """Wait for duties by name, and hold them until the transaction ends; in order of name."""
    await connection.execute(
        """
        select pg_advisory_xact_lock(hashtextextended(name, 7466316))
        from (select unnest($1::text[]) as name order by 1) n
        """,
        list(names),
    )


@asynccontextmanager
async def held(
    connection: Connection, name: str, *, patience: float | None = None
) -> AsyncIterator[None]:
    """Hold a duty by name on a connection of its own; whoever else wants it waits.

    Args:
        connection: outside a transaction; it carries the lock.
        name: such as `token:KEY`.
        patience: how many seconds to wait for it; None waits as long as any statement may take.
    """
    key = "hashtextextended($1, 7466315)"
    await connection.execute(f"select pg_advisory_lock({key})", name, timeout=patience)
    try:
        yield
    finally:
        await connection.execute(f"select pg_advisory_unlock({key})", name)
