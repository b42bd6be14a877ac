"""Table `accounts`: who may approve what somebody else asks for."""

from __future__ import annotations

from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["add", "count", "exists", "names", "remove"]


async def names(connection: Connection) -> list[str]:
    """Every account, by name."""
    return [
        row["name"] for row in await connection.fetch("select name from accounts order by name")
    ]


async def count(connection: Connection) -> int:
    """How many accounts there are."""
    found: int = await connection.fetchval("select count(*) from accounts")
    return found


async def exists(connection: Connection, name: str) -> bool:
    """Whether there is an account of a name."""
    found: bool = await connection.fetchval(
        "select exists (select from accounts where name = $1)", name
    )
    return found


async def add(connection: Connection, name: str, now: datetime) -> bool:
    """Add an account; False when it is there already."""
    added = await connection.fetchval(
        "insert into accounts (name, created_at) values ($1, $2) on conflict do nothing "
        "returning name",
        name,
        now,
    )
    return added is not None


async def remove(connection: Connection, name: str) -> bool:
    """Remove an account; False when there is none."""
    removed = await connection.fetchval("delete from accounts where name = $1 returning name", name)
    return removed is not None
