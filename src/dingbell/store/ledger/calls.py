"""Table `calls`: every attempt to send a batch, written before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dingbell.store.connection import Connection

__all__ = ["Answer", "accepted_since", "complete", "doubt", "tasks", "times_in_doubt"]


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: `accepted`, `refused`, `lost` (nobody knows) or `not_sent`."""

    call_id: int
    outcome: str
    answered_at: datetime
    task_id: int | None = None
    code: str | None = None


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


async def doubt(
    connection: Connection, batch_ids: Sequence[int], *, arrives_within: timedelta
) -> None:
    """Give up the open calls of batches; they may have arrived until their time was out."""
    await connection.execute(
        """
        update calls set outcome = 'in_doubt', answered_at = sent_at + $2
        where batch_id = any($1::bigint[]) and outcome is null
        """,
        list(batch_ids),
        arrives_within,
    )


async def accepted_since(connection: Connection, app_id: int, org: str, since: datetime) -> bool:
    """Whether a call of an app was accepted after an instant."""
    found: bool = await connection.fetchval(
        """
        select exists (select from calls
                       where org = $2 and sent_at > $3 and app_id = $1 and outcome = 'accepted')
        """,
        app_id,
        org,
        since,
    )
    return found


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


async def times_in_doubt(connection: Connection, batch_id: int) -> int:
    """How many calls of a batch nobody knows the outcome of."""
    count: int = await connection.fetchval(
        "select count(*) from calls where batch_id = $1 and outcome = 'in_doubt'", batch_id
    )
    return count
