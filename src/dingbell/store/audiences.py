"""Table `audiences`: audiences saved under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dingbell.store.connection import Connection

__all__ = ["all_audiences", "delete", "lock", "overlay", "put"]


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


async def overlay(connection: Connection, audiences: Mapping[str, dict[str, Any]]) -> None:
    """Let saved audiences read otherwise until the transaction ends, for this connection only.

    A temporary table of the same name stands before the real one, which nobody touches or locks.
    """
    await connection.execute("create temp table audiences on commit drop as table audiences")
    await connection.execute("delete from pg_temp.audiences where name = any($1)", list(audiences))
    await connection.execute(
        """
        insert into pg_temp.audiences (name, spec)
        select * from unnest($1::text[], $2::jsonb[])
        """,
        list(audiences),
        list(audiences.values()),
    )


async def delete(connection: Connection, name: str) -> None:
    """Forget an audience."""
    await connection.execute("delete from audiences where name = $1", name)
