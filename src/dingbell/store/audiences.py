"""Table `audiences`: audiences saved under a name."""

from __future__ import annotations

from typing import Any

from dingbell.store.connection import Connection

__all__ = ["all_audiences", "delete", "lock", "put"]


async def all_audiences(connection: Connection) -> dict[str, dict[str, Any]]:
    """Every saved audience, by name."""
    rows = await connection.fetch("select name, spec from audiences order by name")
    return {row["name"]: row["spec"] for row in rows}


async def put(connection: Connection, name: str, spec: dict[str, Any]) -> None:
    """Save an audience; a repeat replaces it. Until the transaction ends nobody else does."""
    await lock(connection)
    await connection.execute(
        """
        insert into audiences (name, spec) values ($1, $2)
        on conflict (name) do update set spec = excluded.spec
        """,
        name,
        spec,
    )


async def lock(connection: Connection) -> None:
    """Let nobody else change audiences until the transaction ends: they stand on one another."""
    await connection.execute("lock table audiences in share row exclusive mode")


async def delete(connection: Connection, name: str) -> None:
    """Forget an audience."""
    await connection.execute("delete from audiences where name = $1", name)
