"""Table `secret_key`: which key locks the secrets of this database, by its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["Bound", "bind", "bound", "release"]


@dataclass(frozen=True, slots=True)
class Bound:
    """The key a database is bound to, and since when."""

    fingerprint: str
    bound_at: datetime


async def bound(connection: Connection) -> Bound | None:
    """The key this database is bound to; None before its first secret."""
    row = await connection.fetchrow("select fingerprint, bound_at from secret_key")
    return Bound(**row) if row else None


async def bind(connection: Connection, fingerprint: str, now: datetime) -> None:
    """Bind a database that is bound to no key; one that is stays as it is."""
    await connection.execute(
        "insert into secret_key (fingerprint, bound_at) values ($1, $2) on conflict do nothing",
        fingerprint,
        now,
    )


async def release(connection: Connection) -> None:
    """Let the database be bound to another key."""
    await connection.execute("delete from secret_key")
