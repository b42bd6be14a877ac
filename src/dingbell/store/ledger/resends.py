"""Deliveries that did not arrive and may be sent once more, and their way into new batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from dingbell.domain.lifecycle import Delivery
from dingbell.domain.receipts import PACE_CODES
from dingbell.store.connection import Connection
from dingbell.store.states import RUN_SENT
from dingbell.store.transitions import DELIVERIES, Given, move

__all__ = [
    "Broken",
    "dropped_for_pace",
    "hand_over",
    "next_ordinals",
    "of_run",
    "still_open",
]


@dataclass(frozen=True, slots=True)
class Broken:
    """Somebody whom a notice has not reached, or may not have reached.

    Attributes:
        in_doubt_since: when the call that may have reached them was made; None where none can have.
        generation: how often this body was queued again already.
    """

    run_id: int
    userid: str
    batch_id: int
    app_id: int
    org: str
    body: bytes = field(repr=False)
    body_hash: bytes
    rank: int
    generation: int
    sent_at: datetime | None
    in_doubt_since: datetime | None


_SELECT = f"""
    select d.run_id, d.userid, d.batch_id, b.app_id, b.org, b.body, b.body_hash, b.rank,
           b.generation, b.sent_at, case when d.state = {Delivery.UNKNOWN:sql} then b.sent_at
                                         else b.in_doubt_since end as in_doubt_since
    from batches b join deliveries d on d.batch_id = b.id
    join runs f on f.id = b.run_id
    where b.target is null and length(b.body) > 0 and f.state in {RUN_SENT}
      and f.recall_asked_at is null
"""
_LOCK = " order by b.id, d.userid for update of b, d"


async def dropped_for_pace(
    connection: Connection, batch_ids: Sequence[int], *, most_generations: int
) -> list[Broken]:
    """Lock those of some batches whom DingTalk dropped because too many were sent to."""
    rows = await connection.fetch(
        f"""
        {_SELECT} and b.id = any($1::bigint[]) and d.state = {Delivery.DROPPED:sql}
          and d.code = any($2::text[]) and b.generation < $3 {_LOCK}
        """,
        list(batch_ids),
        list(PACE_CODES),
        most_generations,
    )
    return [Broken(**dict(row)) for row in rows]


_KINDS = {
    "pace": f"d.state = {Delivery.DROPPED:sql} and d.code = any($2::text[])",
    "failed": f"d.state = {Delivery.FAILED:sql} and $2::text[] is not null",
    "unknown": f"d.state = {Delivery.UNKNOWN:sql} and $2::text[] is not null",
}


async def of_run(connection: Connection, run_id: int, kind: str) -> list[Broken]:
    """Lock the people of a run to whom something of one kind happened.

    Args:
        connection: in a transaction.
        run_id: the run.
        kind: `pace`, `failed` or `unknown`.
    """
    rows = await connection.fetch(
        f"{_SELECT} and f.id = $1 and {_KINDS[kind]} {_LOCK}", run_id, list(PACE_CODES)
    )
    return [Broken(**dict(row)) for row in rows]


async def still_open(connection: Connection, run_ids: Sequence[int]) -> set[int]:
    """Lock those of some runs that may still send, and are not being recalled."""
    rows = await connection.fetch(
        f"""
        select id from runs
        where id = any($1::bigint[]) and state in {RUN_SENT}
          and recall_asked_at is null
        order by id for update
        """,
        list(run_ids),
    )
    return {row["id"] for row in rows}


async def next_ordinals(connection: Connection, run_ids: Sequence[int]) -> dict[int, int]:
    """The next free ordinal of each run; nobody else adds batches while it is locked."""
    rows = await connection.fetch(
        """
        select run_id, max(ordinal) + 1 as next from batches
        where run_id = any($1::bigint[]) group by run_id
        """,
        list(run_ids),
    )
    return {row["run_id"]: row["next"] for row in rows}


async def hand_over(
    connection: Connection,
    moves: Sequence[tuple[int, int, list[str]]],
    *,
    actor: str | None = None,
) -> None:
    """Move people from one batch to another and plan them anew: (old batch, new batch, userids)."""
    pairs = [(old, new, userid) for old, new, userids in moves for userid in userids]
    await move(
        connection,
        DELIVERIES,
        Delivery.PLANNED,
        Given.of(
            (old for old, _, _ in pairs),
            {
                "new": ("bigint", [new for _, new, _ in pairs]),
                "userid": ("text", [userid for _, _, userid in pairs]),
            },
        ),
        only="t.userid = g.userid",
        changes="code = null, batch_id = g.new, read_at = null",
        actor=actor,
    )
    await connection.execute(
        """
        update batches b set moved = moved + m.people
        from (select id, sum(people)::int as people
              from unnest($1::bigint[], $2::int[]) as u (id, people) group by id) as m
        where b.id = m.id
        """,
        [old for old, _, _ in moves],
        [len(userids) for _, _, userids in moves],
    )
