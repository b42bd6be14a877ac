"""Table `accounts`: who may approve what somebody else asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dingbell.store.connection import Connection

__all__ = ["add", "all_accounts", "count", "remove", "roles"]


async def all_accounts(connection: Connection) -> dict[str, list[str]]:
    """Every account, by name, and its roles."""
    rows = await connection.fetch("select name, roles from accounts order by name")
    return {row["name"]: row["roles"] for row in rows}


async def count(connection: Connection) -> int:
    """How many accounts there are."""
    found: int = await connection.fetchval("select count(*) from accounts")
    return found


async def roles(connection: Connection, name: str) -> list[str] | None:
    """The roles of an account; None where there is none of that name."""
    found: list[str] | None = await connection.fetchval(
        "select roles from accounts where name = $1", name
    )
    return found


async def add(connection: Connection, name: str, roles: Sequence[str], now: datetime) -> bool:
    """Add an account; False when it is there already."""
    added = await connection.fetchval(
        "insert into accounts (name, roles, created_at) values ($1, $2, $3) "
        "on conflict do nothing returning name",
        name,
        list(roles),
        now,
    )
    return added is not None


async def remove(connection: Connection, name: str) -> bool:
    """Remove an account; False when there is none."""
    removed = await connection.fetchval("delete from accounts where name = $1 returning name", name)
    return removed is not None
