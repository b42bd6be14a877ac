"""Table `nodes`: running services, each with a lease that says it is alive."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dingbell.domain.lifecycle import Batch, Run
from dingbell.store.connection import Connection

__all__ = ["LEASE", "alive", "dead", "delete", "listed", "prune", "register", "renew"]

# How long a node counts as alive after it was last heard of.
LEASE = timedelta(seconds=15)


async def register(
    connection: Connection,
    *,
    name: str,
    version: str,
    roles: Sequence[str],
    functions: Sequence[str] = (),
) -> int:
    """Enter a node; its lease begins now, by the database's clock."""
    node_id: int = await connection.fetchval(
        """
        insert into nodes (name, version, roles, functions, started_at, lease_until)
        values ($1, $2, $4, $5, clock_timestamp(), clock_timestamp() + $3) returning id
        """,
        name,
        version,
        LEASE,
        list(roles),
        list(functions),
    )
    return node_id


async def renew(connection: Connection, node_id: int, *, clock_offset: float) -> datetime | None:
    """Prolong a lease, and say by how many seconds this host's own clock is corrected.

    Returns:
        The database's time, or None when the node is not entered.
    """
    now: datetime | None = await connection.fetchval(
        """
        update nodes set lease_until = clock_timestamp() + $2, clock_offset = $3 where id = $1
        returning clock_timestamp()
        """,
        node_id,
        LEASE,
        clock_offset,
    )
    return now


async def delete(connection: Connection, node_id: int) -> None:
    """Sign a node off; nothing of it is in flight any more."""
    await connection.execute("delete from nodes where id = $1", node_id)


async def alive(connection: Connection, *, role: str | None = None) -> int:
    """How many nodes, or how many that have a role, hold a valid lease."""
    count: int = await connection.fetchval(
        """
        select count(*) from nodes
        where lease_until > clock_timestamp() and ($1::text is null or $1 = any(roles))
        """,
        role,
    )
    return count


async def listed(connection: Connection) -> list[dict[str, Any]]:
    """Every node that is entered, the oldest first, and whether its lease is valid."""
    rows = await connection.fetch(
        f"""
        select id, name, version, roles, started_at, lease_until, clock_offset,
               lease_until > clock_timestamp() as alive,
               (select count(*) from batches b
                where b.owner = n.id and b.state = {Batch.SENDING:sql})::int as calls
        from nodes n order by id
        """
    )
    return [dict(row) for row in rows]


async def unattended(connection: Connection, run_id: int) -> str | None:
    """The function that a due run waits for, where no node that is alive has it."""
    function: str | None = await connection.fetchval(
        f"""
        select f.function from runs f
        where f.id = $1 and f.state = {Run.DUE:sql} and f.function is not null and not exists (
            select from nodes n
            where n.lease_until > clock_timestamp() and f.function = any(n.functions))
        """,
        run_id,
    )
    return function


async def leases_can_be_judged(connection: Connection) -> bool:
    """Whether PostgreSQL has been up for a whole lease, so that the living could renew theirs."""
    judged: bool = await connection.fetchval(
        "select pg_postmaster_start_time() < clock_timestamp() - $1::interval", LEASE
    )
    return judged


async def dead(connection: Connection) -> list[int]:
    """Nodes whose lease has run out."""
    rows = await connection.fetch("select id from nodes where lease_until < clock_timestamp()")
    return [row["id"] for row in rows]


async def prune(connection: Connection, node_ids: list[int]) -> None:
    """Forget dead nodes that have nothing in flight."""
    await connection.execute(
        f"""
        delete from nodes n where id = any($1::bigint[]) and lease_until < clock_timestamp()
          and not exists (
              select from batches b where b.owner = n.id and b.state = {Batch.SENDING:sql})
        """,
        node_ids,
    )
