"""Table `calls`: every attempt to send a batch, written before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from dingbell.store.claims import Claimed
from dingbell.store.connection import Connection

__all__ = ["Answer", "complete", "insert", "load", "tasks", "times_lost"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: `accepted`, `refused`, `lost` (nobody knows) or `not_sent`."""

    call_id: int
    outcome: str
    answered_at: datetime
    task_id: int | None = None
    code: str | None = None


async def insert(connection: Connection, claimed: Sequence[Claimed], node_id: int) -> list[int]:
    """Write the intent to send; return the ids in the order given."""
    rows = await connection.fetch(
        """
        insert into calls (batch_id, app_id, org, size, attempt, node_id, sent_at)
        select c.batch_id, c.app_id, c.org, c.size, c.attempt, $7, c.sent_at
        from unnest($1::bigint[], $2::bigint[], $3::text[], $4::int[], $5::int[],
                    $6::timestamptz[]) as c (batch_id, app_id, org, size, attempt, sent_at)
        returning id, batch_id
        """,
        [batch.id for batch in claimed],
        [batch.app_id for batch in claimed],
        [batch.org for batch in claimed],
        [batch.size for batch in claimed],
        [batch.attempt for batch in claimed],
        [batch.sent_at for batch in claimed],
        node_id,
    )
    ids = {row["batch_id"]: row["id"] for row in rows}
    return [ids[batch.id] for batch in claimed]


async def complete(connection: Connection, answers: Sequence[Answer]) -> None:
    """Write how calls ended, whoever owns their batches by now."""
    await connection.execute(
        """
        update calls c set outcome = a.outcome, answered_at = a.answered_at,
            task_id = a.task_id, code = a.code
        from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bigint[], $5::text[])
             as a (id, outcome, answered_at, task_id, code)
        where c.id = a.id
        """,
        [answer.call_id for answer in answers],
        [answer.outcome for answer in answers],
        [answer.answered_at for answer in answers],
        [answer.task_id for answer in answers],
        [answer.code for answer in answers],
    )


async def lose(
    connection: Connection, batch_ids: Sequence[int], *, arrives_within: timedelta
) -> None:
    """Give up the open calls of batches; they may have arrived until their time was out."""
    await connection.execute(
        """
        update calls set outcome = 'lost', answered_at = sent_at + $2
        where batch_id = any($1::bigint[]) and outcome is null
        """,
        list(batch_ids),
        arrives_within,
    )


async def load(
    connection: Connection, orgs: Sequence[str], *, since: datetime, arrives_within: timedelta
) -> list[asyncpg.Record]:
    """What the calls of some orgs occupy: (org, app_id, until, size, calls).

    A call occupies the windows from when it was answered; an unanswered one until its latest
    possible arrival. A refused call reached nobody, one that was not sent does not count.
    """
    return await connection.fetch(
        """
        select org, app_id, coalesce(answered_at, sent_at + $3) as until,
               case when outcome = 'refused' then 0 else size end as size
        from calls
        where org = any($1::text[]) and sent_at > $2 and outcome is distinct from 'not_sent'
        """,
        list(orgs),
        since,
        arrives_within,
    )


async def tasks(connection: Connection, batch_ids: Sequence[int]) -> dict[int, list[int]]:
    """All task ids of batches, oldest first; usually one a batch."""
    rows = await connection.fetch(
        """
        select batch_id, array_agg(task_id order by id) as tasks from calls
        where batch_id = any($1::bigint[]) and task_id is not null group by batch_id
        """,
        list(batch_ids),
    )
    return {row["batch_id"]: row["tasks"] for row in rows}


async def times_lost(connection: Connection, batch_id: int) -> int:
    """How many calls of a batch nobody knows the outcome of."""
    count: int = await connection.fetchval(
        "select count(*) from calls where batch_id = $1 and outcome = 'lost'", batch_id
    )
    return count


async def lost(connection: Connection, batch_ids: Sequence[int]) -> set[int]:
    """Batches that have a call of which nobody knows whether it arrived."""
    rows = await connection.fetch(
        """
        select distinct batch_id from calls
        where batch_id = any($1::bigint[]) and outcome = 'lost'
        """,
        list(batch_ids),
    )
    return {row["batch_id"] for row in rows}
