"""Table `batches`: up to 100 people of one run who share one body, and their slot."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.domain.priority import Rank
from dingbell.errors import Text
from dingbell.store.connection import Connection
from dingbell.store.ledger import deliveries
from dingbell.store.states import BATCH_OPEN
from dingbell.store.transitions import BATCHES, Given
from dingbell.store.transitions import move as move_rows

__all__ = ["NewBatch", "accept", "insert", "move"]


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be; unique by (run, ordinal).

    Attributes:
        size: how many people it reaches.
        target: None for userids; else `{"departments": […]}` or `{"everyone": true}`.
        state: `queued`, or where it ends without a call: `failed` or `canceled`.
        code: why, for those.
        words: what exactly is wrong with it, where the code alone does not say.
        resend_of: the batch whose people it is sent to once more.
        generation: how many resend_of came before it, and itself.
        in_doubt_since: when a call that may have reached these people with this body was lost.
    """

    run_id: int
    ordinal: int
    app_id: int
    org: str
    body: bytes = field(repr=False)
    body_hash: bytes
    size: int
    target: dict[str, Any] | None
    slot_at: datetime
    wave: int
    rank: Rank = Rank.NORMAL
    state: Batch = Batch.QUEUED
    code: str | None = None
    resend_of: int | None = None
    generation: int = 0
    in_doubt_since: datetime | None = None
    words: Text | None = None


async def insert(connection: Connection, batches: Sequence[NewBatch]) -> list[int]:
    """Insert queued batches; return their ids in the order given."""
    rows = await connection.fetch(
        """
        insert into batches (run_id, ordinal, app_id, org, body, body_hash, size, target,
                             slot_at, wave, rank, state, code, resend_of, generation,
                             in_doubt_since, words)
        select * from unnest($1::bigint[], $2::int[], $3::bigint[], $4::text[], $5::bytea[],
                             $6::bytea[], $7::int[], $8::jsonb[], $9::timestamptz[], $10::bigint[],
                             $11::smallint[], $12::text[], $13::text[], $14::bigint[],
                             $15::smallint[], $16::timestamptz[], $17::jsonb[])
        returning id, run_id, ordinal
        """,
        [b.run_id for b in batches],
        [b.ordinal for b in batches],
        [b.app_id for b in batches],
        [b.org for b in batches],
        [b.body for b in batches],
        [b.body_hash for b in batches],
        [b.size for b in batches],
        [b.target for b in batches],
        [b.slot_at for b in batches],
        [b.wave for b in batches],
        [int(b.rank) for b in batches],
        [b.state.value for b in batches],
        [b.code for b in batches],
        [b.resend_of for b in batches],
        [b.generation for b in batches],
        [b.in_doubt_since for b in batches],
        [{"en": b.words, "zh": b.words.zh} if b.words else None for b in batches],
    )
    ids = {(row["run_id"], row["ordinal"]): row["id"] for row in rows}
    return [ids[batch.run_id, batch.ordinal] for batch in batches]


async def move(
    connection: Connection,
    ids: Sequence[int],
    target: Batch,
    *,
    code: str | None = None,
    usual: Batch | None = None,
) -> list[int]:
    """Compare and swap the state of batches; return those that moved."""
    keeps = target in (Batch.ACCEPTED, Batch.SETTLED)
    rows = await move_rows(
        connection,
        BATCHES,
        target,
        Given.of(ids, code=("text", code)),
        changes="owner = null, code = coalesce(g.code, t.code), "
        f"next_poll_at = {'t.next_poll_at' if keeps else 'null'}",
        usual=usual,
    )
    return [row["id"] for row in rows]


async def accept(
    connection: Connection, answers: Sequence[tuple[int, int, datetime, datetime | None]]
) -> list[int]:
    """Record that DingTalk took batches: (id, task id, sent at, first look).

    A late answer also completes a batch that was given up or withdrawn meanwhile.
    """
    columns: dict[str, tuple[str, list[Any]]] = {
        "task_id": ("bigint", [task_id for _, task_id, *_ in answers]),
        "sent_at": ("timestamptz", [sent_at for _, _, sent_at, _ in answers]),
        "look": ("timestamptz", [look for *_, look in answers]),
    }
    rows = await move_rows(
        connection,
        BATCHES,
        Batch.ACCEPTED,
        Given.of((batch_id for batch_id, *_ in answers), columns),
        usual=Batch.SENDING,
        changes="owner = null, task_id = g.task_id, code = null, sent_at = g.sent_at, "
        "next_poll_at = g.look",
    )
    return [row["id"] for row in rows]


async def requeue(
    connection: Connection,
    batch_id: int,
    *,
    attempt: int,
    slot_at: datetime,
    wave: int,
    code: str | None,
    in_doubt_since: datetime | None,
) -> bool:
    """Give a claimed batch back, to be sent at a later slot; False when it is not ours any more."""
    rows = await move_rows(
        connection,
        BATCHES,
        Batch.QUEUED,
        Given.of(
            [batch_id],
            attempt=("int", attempt),
            slot_at=("timestamptz", slot_at),
            wave=("bigint", wave),
            code=("text", code),
            in_doubt_since=("timestamptz", in_doubt_since),
        ),
        only="t.attempt = g.attempt",
        changes="owner = null, slot_at = g.slot_at, wave = g.wave, code = g.code, "
        "in_doubt_since = coalesce(t.in_doubt_since, g.in_doubt_since)",
    )
    return bool(rows)


async def give_up(
    connection: Connection, batch_id: int, *, attempt: int, target: Batch, code: str | None
) -> bool:
    """End a claimed batch without an answer; False when it is not ours any more."""
    rows = await move_rows(
        connection,
        BATCHES,
        target,
        Given.of([batch_id], attempt=("int", attempt), code=("text", code)),
        source=[Batch.SENDING],
        only="t.attempt = g.attempt",
        changes="owner = null, code = g.code",
    )
    return bool(rows)


async def expire(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Give up lost batches that wait to be sent again: whom they reached is unknown."""
    rows = await move_rows(
        connection, BATCHES, Batch.UNKNOWN, Given.of(batch_ids), source=[Batch.QUEUED]
    )
    await deliveries.move_batches(connection, [row["id"] for row in rows], Delivery.UNKNOWN)


async def cancel_queued(
    connection: Connection, run_ids: Sequence[int], *, actor: str | None = None
) -> None:
    """Cancel what has not been claimed yet, with its people.

    What waits to be sent again after an in-doubt call may have rung already: that is `unknown`.
    """
    rows = await connection.fetch(
        f"""
        select id, in_doubt_since is not null as in_doubt from batches
        where run_id = any($1::bigint[]) and state = {Batch.QUEUED:sql} order by id for update
        """,
        list(run_ids),
    )
    for target, people, lost in (
        (Batch.CANCELED, Delivery.CANCELED, False),
        (Batch.UNKNOWN, Delivery.UNKNOWN, True),
    ):
        ids = [row["id"] for row in rows if row["in_doubt"] is lost]
        if ids:
            await move_rows(
                connection,
                BATCHES,
                target,
                Given.of(ids),
                source=[Batch.QUEUED],
                changes="next_poll_at = null",
                actor=actor,
            )
            await deliveries.move_batches(connection, ids, people)


async def of_run(
    connection: Connection,
    run_id: int,
    *,
    states: Collection[Batch] | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[asyncpg.Record]:
    """Batches of a run, by ordinal: those in some states, behind an ordinal, so many."""
    return await connection.fetch(
        """
        select id, ordinal, state, task_id, slot_at, sent_at, size, attempt, code, recall_code,
               target, words
        from batches
        where run_id = $1 and ($2::text[] is null or state = any($2))
          and ($3::int is null or ordinal > $3)
        order by ordinal limit $4
        """,
        run_id,
        None if states is None else [state.value for state in states],
        after,
        limit,
    )


async def body_of(connection: Connection, run_id: int) -> bytes | None:
    """The words of a run that says the same to everybody; None where it says several things."""
    rows = await connection.fetch(
        "select body from batches where run_id = $1 and body <> '' group by body limit 2", run_id
    )
    return rows[0]["body"] if len(rows) == 1 else None


async def last_ordinal(connection: Connection, run_id: int) -> int:
    """The highest ordinal of a run's batches; -1 where it has none."""
    found: int = await connection.fetchval(
        "select coalesce(max(ordinal), -1) from batches where run_id = $1", run_id
    )
    return found


async def any_open(connection: Connection, run_id: int) -> bool:
    """Whether some batch of a run is not final."""
    found: bool = await connection.fetchval(
        f"select exists (select from batches where run_id = $1 and state in {BATCH_OPEN})",
        run_id,
    )
    return found


async def waiting_codes(connection: Connection, run_id: int) -> dict[str, int]:
    """Codes of calls that did not work and will be made again, and of how many batches."""
    rows = await connection.fetch(
        f"""
        select code, count(*)::int as batches from batches
        where run_id = $1 and state = {Batch.QUEUED:sql} and code <> ''
        group by code order by code
        """,
        run_id,
    )
    return {row["code"]: row["batches"] for row in rows}


async def sent_since(connection: Connection, run_id: int, since: datetime) -> bool:
    """Whether a batch of a run that DingTalk may have taken was sent after an instant."""
    states = (Batch.ACCEPTED, Batch.SETTLED, Batch.SENDING)
    found: bool = await connection.fetchval(
        """
        select exists (select from batches
                       where run_id = $1 and state = any($2::text[]) and sent_at > $3)
        """,
        run_id,
        [state.value for state in states],
        since,
    )
    return found


async def sent_to_everyone(connection: Connection, app_id: int, day: datetime) -> int:
    """How many sends to everyone an app has made, or has planned, since the start of a day."""
    count: int = await connection.fetchval(
        f"""
        select count(*) from batches
        where app_id = $1 and target ? 'everyone' and coalesce(sent_at, slot_at) >= $2
          and coalesce(sent_at, slot_at) < $2::timestamptz + interval '1 day'
          and state not in ({Batch.CANCELED:sql}, {Batch.FAILED:sql})
        """,
        app_id,
        day,
    )
    return count


async def sender_of(connection: Connection, batch_id: int) -> tuple[int, str]:
    """The app a batch is sent with, and its org."""
    rows = await connection.fetch("select app_id, org from batches where id = $1", batch_id)
    ((app_id, org),) = rows
    return app_id, org


async def note_recall(connection: Connection, batch_id: int, code: str) -> None:
    """Note why a batch could not be recalled."""
    await connection.execute("update batches set recall_code = $2 where id = $1", batch_id, code)


async def clear_recall_codes(connection: Connection, run_id: int) -> None:
    """Forget why an earlier recall failed, so that it is tried again."""
    await connection.execute(
        "update batches set recall_code = null where run_id = $1 and recall_code is not null",
        run_id,
    )
