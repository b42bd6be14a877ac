"""Table `batches`, as the tracker sees it: whose result is to be asked for, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dingbell.domain.lifecycle import Delivery, Run
from dingbell.store.connection import Connection
from dingbell.store.states import BATCH_POLLED

__all__ = ["Tracked", "begin_poll", "late_polls", "set_polls"]


@dataclass(frozen=True, slots=True)
class Tracked:
    """A batch whose results are to be asked for."""

    id: int
    run_id: int
    app_id: int
    org: str
    size: int
    state: str
    polls: int
    sent_at: datetime
    in_doubt_since: datetime | None
    generation: int
    target: dict[str, Any] | None


async def late_polls(connection: Connection, before: datetime) -> list[int]:
    """Batches whose poll is overdue."""
    rows = await connection.fetch(
        "select id from batches where next_poll_at < $1 order by next_poll_at limit 200", before
    )
    return [row["id"] for row in rows]


async def begin_poll(
    connection: Connection,
    ids: Sequence[int],
    *,
    node_id: int,
    now: datetime,
    lease_until: datetime,
) -> list[Tracked]:
    """Take the batches whose poll has come, for a node: until the lease ends, or the node dies."""
    rows = await connection.fetch(
        f"""
        update batches set next_poll_at = $3, polls = polls + 1, owner = $4
        where id = any($1::bigint[]) and state in {BATCH_POLLED} and next_poll_at <= $2
        returning id, run_id, app_id, org, size, state, polls, sent_at, in_doubt_since, generation,
                  target
        """,
        list(ids),
        now,
        lease_until,
        node_id,
    )
    return [Tracked(**dict(row)) for row in rows]


async def prolong(connection: Connection, leases: Sequence[tuple[int, datetime]]) -> None:
    """Keep batches for the node that is about to poll them, until an instant each."""
    await connection.execute(
        f"""
        update batches b set next_poll_at = l.until
        from unnest($1::bigint[], $2::timestamptz[]) as l (id, until)
        where b.id = l.id and b.state in {BATCH_POLLED}
        """,
        [batch_id for batch_id, _ in leases],
        [until for _, until in leases],
    )


async def take_over(connection: Connection, dead: Sequence[int], now: datetime) -> list[int]:
    """Have what dead nodes were polling polled again, now."""
    rows = await connection.fetch(
        f"""
        update batches set next_poll_at = $2, owner = null
        where state in {BATCH_POLLED} and (owner = any($1::bigint[])
              or (owner is not null and not exists (select from nodes n where n.id = owner)))
        returning id
        """,
        list(dead),
        now,
    )
    return [row["id"] for row in rows]


async def set_polls(connection: Connection, polls: Sequence[tuple[int, datetime | None]]) -> None:
    """Say when batches are polled next, by whoever that will be; None is never again."""
    await connection.execute(
        f"""
        update batches b set next_poll_at = l.at, owner = null
        from unnest($1::bigint[], $2::timestamptz[]) as l (id, at)
        where b.id = l.id and b.state in {BATCH_POLLED}
        """,
        [batch_id for batch_id, _ in polls],
        [at for _, at in polls],
    )


async def last_call(connection: Connection, run_id: int) -> datetime | None:
    """When the last accepted call of a run was made."""
    sent_at: datetime | None = await connection.fetchval(
        f"""
        select max(sent_at) from batches
        where run_id = $1 and state in {BATCH_POLLED}
        """,
        run_id,
    )
    return sent_at


async def unread_batches(connection: Connection, run_id: int) -> int:
    """How many batches of a run have people who have not read."""
    count: int = await connection.fetchval(
        f"""
        select count(*) from batches b where run_id = $1 and target is null and exists (
            select from deliveries d where d.batch_id = b.id and d.state = {Delivery.UNREAD:sql})
        """,
        run_id,
    )
    return count


async def poll_again(connection: Connection, run_id: int, at: datetime) -> list[int]:
    """Have the batches of a run polled not later than an instant, unless all have read."""
    rows = await connection.fetch(
        f"""
        update batches b set next_poll_at = least(next_poll_at, $2)
        where run_id = $1 and state in {BATCH_POLLED} and target is null
          and exists (
              select from deliveries d
              where d.batch_id = b.id and d.state = {Delivery.UNREAD:sql})
        returning id
        """,
        run_id,
        at,
    )
    return [row["id"] for row in rows]


async def follow_ups(connection: Connection, run_ids: Sequence[int]) -> dict[int, list[datetime]]:
    """When the batches of runs are to be polled once more, before they are followed up on."""
    rows = await connection.fetch(
        f"""
        select parent_id, array_agg(held_until - poll_lead) as instants
        from runs
        where parent_id = any($1::bigint[]) and state = {Run.HELD:sql} and poll_lead is not null
        group by parent_id
        """,
        list(run_ids),
    )
    return {row["parent_id"]: row["instants"] for row in rows}
