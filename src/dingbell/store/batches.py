"""Table `batches`: up to 100 people of one firing who share one body, and their slot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from dingbell.domain.lifecycle import BATCH_MOVES, Batch, Delivery, origins
from dingbell.store import deliveries
from dingbell.store.connection import Connection

__all__ = ["Claimed", "NewBatch", "Queued", "Tracked", "claim", "insert", "move"]


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be; unique by (firing, ordinal).

    Attributes:
        size: how many people it reaches.
        target: None for userids; else `{"departments": […]}` or `{"everyone": true}`.
    """

    firing_id: int
    ordinal: int
    app_id: int
    org: str
    body: bytes = field(repr=False)
    body_hash: bytes
    size: int
    target: dict[str, Any] | None
    slot_at: datetime
    wave: int


@dataclass(frozen=True, slots=True)
class Queued:
    """A batch that waits for its slot."""

    id: int
    firing_id: int
    app_id: int
    org: str
    size: int
    slot_at: datetime
    wave: int
    body_hash: bytes
    lost_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A batch this node may send now, with the attempt it was claimed for."""

    id: int
    firing_id: int
    app_id: int
    org: str
    size: int
    attempt: int
    slot_at: datetime
    sent_at: datetime
    body: bytes = field(repr=False)
    target: dict[str, Any] | None
    userids: tuple[str, ...]
    on_ambiguous: str
    call_id: int = 0


@dataclass(frozen=True, slots=True)
class Tracked:
    """A batch whose results are to be asked for."""

    id: int
    firing_id: int
    app_id: int
    size: int
    state: str
    looks: int
    sent_at: datetime
    target: dict[str, Any] | None


async def insert(connection: Connection, batches: Sequence[NewBatch]) -> list[int]:
    """Insert queued batches; return their ids in the order given."""
    rows = await connection.fetch(
        """
        insert into batches (firing_id, ordinal, app_id, org, body, body_hash, size, target,
                             state, slot_at, wave)
        select b.firing_id, b.ordinal, b.app_id, b.org, b.body, b.body_hash, b.size, b.target,
               'queued', b.slot_at, b.wave
        from unnest($1::bigint[], $2::int[], $3::bigint[], $4::text[], $5::bytea[], $6::bytea[],
                    $7::int[], $8::jsonb[], $9::timestamptz[], $10::bigint[])
             as b (firing_id, ordinal, app_id, org, body, body_hash, size, target, slot_at, wave)
        returning id, firing_id, ordinal
        """,
        [b.firing_id for b in batches],
        [b.ordinal for b in batches],
        [b.app_id for b in batches],
        [b.org for b in batches],
        [b.body for b in batches],
        [b.body_hash for b in batches],
        [b.size for b in batches],
        [b.target for b in batches],
        [b.slot_at for b in batches],
        [b.wave for b in batches],
    )
    ids = {(row["firing_id"], row["ordinal"]): row["id"] for row in rows}
    return [ids[batch.firing_id, batch.ordinal] for batch in batches]


async def next_waves(connection: Connection, count: int) -> list[int]:
    """Reserve numbers for waves."""
    rows = await connection.fetch(
        "select nextval('waves') as wave from generate_series(1, $1)", count
    )
    return [row["wave"] for row in rows]


_QUEUED = "id, firing_id, app_id, org, size, slot_at, wave, body_hash, lost_at"


async def of_wave(connection: Connection, wave: int) -> list[Queued]:
    """The batches of a wave that still wait, by slot."""
    rows = await connection.fetch(
        f"select {_QUEUED} from batches where wave = $1 and state = 'queued' order by slot_at, id",
        wave,
    )
    return [Queued(**dict(row)) for row in rows]


async def still_queued(connection: Connection, ids: Sequence[int]) -> list[Queued]:
    """Those of the batches that may go now: they wait, and their firing is being sent. By slot."""
    rows = await connection.fetch(
        """
        select b.id, b.firing_id, b.app_id, b.org, b.size, b.slot_at, b.wave,
               b.body_hash, b.lost_at
        from batches b join firings f on f.id = b.firing_id
        where b.id = any($1::bigint[]) and b.state = 'queued' and f.state = 'sending'
        order by b.slot_at, b.id
        """,
        list(ids),
    )
    return [Queued(**dict(row)) for row in rows]


async def queued_of(connection: Connection, firing_id: int) -> list[Queued]:
    """The batches of a firing that wait, by slot."""
    rows = await connection.fetch(
        f"select {_QUEUED} from batches where firing_id = $1 and state = 'queued' "
        "order by slot_at, id",
        firing_id,
    )
    return [Queued(**dict(row)) for row in rows]


async def reserved(
    connection: Connection, orgs: Sequence[str], without: Sequence[int] = ()
) -> list[asyncpg.Record]:
    """What the queued batches of some orgs have reserved: (org, app_id, slot_at, size)."""
    return await connection.fetch(
        """
        select org, app_id, slot_at, size from batches
        where org = any($1::text[]) and state = 'queued' and not id = any($2::bigint[])
        """,
        list(orgs),
        list(without),
    )


async def claim(
    connection: Connection, ids: Sequence[int], *, node_id: int, now: datetime
) -> list[Claimed]:
    """Take queued batches for this node; the caller writes the calls in the same transaction."""
    rows = await connection.fetch(
        """
        with taken as (
            update batches b set state = 'sending', owner = $2, attempt = attempt + 1,
                sent_at = greatest(slot_at, $3)
            from firings f
            where b.id = any($1::bigint[]) and b.state = 'queued'
              and f.id = b.firing_id and f.state = 'sending'
            returning b.id, b.firing_id, b.app_id, b.org, b.size, b.attempt, b.slot_at, b.sent_at,
                      b.body, b.target,
                      coalesce(f.spec ->> 'on_ambiguous', 'resend') as on_ambiguous
        )
        select t.*, coalesce(d.userids, '{}') as userids
        from taken t left join lateral (
            select array_agg(d.userid order by d.userid) as userids
            from deliveries d where d.batch_id = t.id and t.target is null
        ) d on true
        order by t.slot_at, t.id
        """,
        list(ids),
        node_id,
        now,
    )
    return [Claimed(**{**dict(row), "userids": tuple(row["userids"])}) for row in rows]


async def move(
    connection: Connection, ids: Sequence[int], target: Batch, *, code: str | None = None
) -> list[int]:
    """Compare and swap the state of batches; return those that moved."""
    rows = await connection.fetch(
        """
        update batches set state = $2, owner = null, code = coalesce($4, code),
            next_look_at = case when $2 in ('accepted', 'settled') then next_look_at end
        where id = any($1::bigint[]) and state = any($3::text[]) returning id
        """,
        list(ids),
        target.value,
        origins(BATCH_MOVES, target),
        code,
    )
    return [row["id"] for row in rows]


async def accept(
    connection: Connection, answers: Sequence[tuple[int, int, datetime, datetime | None]]
) -> list[int]:
    """Record that DingTalk took batches: (id, task id, sent at, first look).

    A late answer also completes a batch that was given up or taken back meanwhile.
    """
    rows = await connection.fetch(
        """
        update batches b set state = 'accepted', owner = null, task_id = a.task_id, code = null,
            sent_at = a.sent_at, next_look_at = a.look
        from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[])
             as a (id, task_id, sent_at, look)
        where b.id = a.id and b.state = any($5::text[])
        returning b.id
        """,
        [batch_id for batch_id, *_ in answers],
        [task_id for _, task_id, *_ in answers],
        [sent_at for _, _, sent_at, _ in answers],
        [look for *_, look in answers],
        origins(BATCH_MOVES, Batch.ACCEPTED),
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
    lost_at: datetime | None,
) -> bool:
    """Give a claimed batch back, to be sent at a later slot; False when it is not ours any more."""
    moved = await connection.fetchval(
        """
        update batches set state = 'queued', owner = null, slot_at = $3, wave = $4, code = $5,
            lost_at = coalesce(lost_at, $6)
        where id = $1 and state = 'sending' and attempt = $2 returning id
        """,
        batch_id,
        attempt,
        slot_at,
        wave,
        code,
        lost_at,
    )
    return moved is not None


async def reslot(
    connection: Connection, slots: Sequence[tuple[int, datetime]], wave: int | None = None
) -> None:
    """Move queued batches to later slots, in another wave or in their own."""
    await connection.execute(
        """
        update batches b set slot_at = s.slot_at, wave = coalesce($3, b.wave)
        from unnest($1::bigint[], $2::timestamptz[]) as s (id, slot_at)
        where b.id = s.id and b.state = 'queued'
        """,
        [batch_id for batch_id, _ in slots],
        [slot_at for _, slot_at in slots],
        wave,
    )


async def give_up(
    connection: Connection, batch_id: int, *, attempt: int, target: Batch, code: str | None
) -> bool:
    """Move a claimed batch to `failed` or `unknown`; False when it is not ours any more."""
    moved = await connection.fetchval(
        """
        update batches set state = $3, owner = null, code = $4
        where id = $1 and state = 'sending' and attempt = $2 returning id
        """,
        batch_id,
        attempt,
        target.value,
        code,
    )
    return moved is not None


async def orphans(
    connection: Connection, nodes: Sequence[int], *, before: datetime
) -> list[asyncpg.Record]:
    """Lock batches that dead nodes were sending, and those that were sent too long ago."""
    return await connection.fetch(
        """
        select b.id, b.firing_id, b.attempt, b.sent_at, b.target,
               coalesce(f.spec ->> 'on_ambiguous', 'resend') as on_ambiguous
        from batches b join firings f on f.id = b.firing_id
        where b.state = 'sending' and (b.owner = any($1::bigint[])
              or not exists (select from nodes n where n.id = b.owner) or b.sent_at < $2)
        order by b.id limit 200 for update of b skip locked
        """,
        list(nodes),
        before,
    )


async def late_waves(connection: Connection, before: datetime) -> list[int]:
    """Waves whose slot passed and that still have batches waiting."""
    rows = await connection.fetch(
        "select distinct wave from batches where state = 'queued' and slot_at < $1 limit 500",
        before,
    )
    return [row["wave"] for row in rows]


async def late_looks(connection: Connection, before: datetime) -> list[int]:
    """Batches whose look is overdue."""
    rows = await connection.fetch(
        "select id from batches where next_look_at < $1 order by next_look_at limit 200", before
    )
    return [row["id"] for row in rows]


async def begin_look(
    connection: Connection, ids: Sequence[int], *, now: datetime, lease_until: datetime
) -> list[Tracked]:
    """Take the batches whose look has come; until the lease ends nobody else looks at them."""
    rows = await connection.fetch(
        """
        update batches set next_look_at = $3, looks = looks + 1
        where id = any($1::bigint[]) and state in ('accepted', 'settled') and next_look_at <= $2
        returning id, firing_id, app_id, size, state, looks, sent_at, target
        """,
        list(ids),
        now,
        lease_until,
    )
    return [Tracked(**dict(row)) for row in rows]


async def set_looks(connection: Connection, looks: Sequence[tuple[int, datetime | None]]) -> None:
    """Say when batches are looked at next; None is never again."""
    await connection.execute(
        """
        update batches b set next_look_at = l.at
        from unnest($1::bigint[], $2::timestamptz[]) as l (id, at)
        where b.id = l.id and b.state in ('accepted', 'settled')
        """,
        [batch_id for batch_id, _ in looks],
        [at for _, at in looks],
    )


async def cancel_queued(connection: Connection, firing_ids: Sequence[int]) -> None:
    """Cancel what has not been claimed yet, with its people.

    What waits to be sent again after a lost call may have rung already: that is `unknown`.
    """
    rows = await connection.fetch(
        """
        update batches set next_look_at = null,
            state = case when lost_at is null then 'canceled' else 'unknown' end
        where firing_id = any($1::bigint[]) and state = 'queued' returning id, state
        """,
        list(firing_ids),
    )
    for state in (Delivery.CANCELED, Delivery.UNKNOWN):
        ids = [row["id"] for row in rows if row["state"] == state]
        await deliveries.move_batches(connection, ids, state)


async def expire(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Give up lost batches that wait to be sent again: nobody knows whom they reached."""
    rows = await connection.fetch(
        "update batches set state = 'unknown' where id = any($1::bigint[]) and state = 'queued' "
        "returning id",
        list(batch_ids),
    )
    await deliveries.move_batches(connection, [row["id"] for row in rows], Delivery.UNKNOWN)


async def of_firing(connection: Connection, firing_id: int) -> list[asyncpg.Record]:
    """All batches of a firing, by ordinal."""
    return await connection.fetch(
        """
        select id, ordinal, state, task_id, slot_at, sent_at, size, attempt, code, target
        from batches where firing_id = $1 order by ordinal
        """,
        firing_id,
    )


async def lost_elsewhere(
    connection: Connection, batches: Sequence[Queued], since: datetime
) -> set[int]:
    """Those batches of which another firing has an unresolved lost call with the same body."""
    rows = await connection.fetch(
        """
        select w.id from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[])
             as w (id, firing_id, app_id, body_hash)
        where exists (
            select from batches b join deliveries mine on mine.batch_id = w.id
            join deliveries other on other.batch_id = b.id and other.userid = mine.userid
            where b.app_id = w.app_id and b.body_hash = w.body_hash and b.lost_at > $5
              and b.firing_id <> w.firing_id and b.state in ('queued', 'sending', 'accepted')
              and b.id < w.id)
        """,
        [batch.id for batch in batches],
        [batch.firing_id for batch in batches],
        [batch.app_id for batch in batches],
        [batch.body_hash for batch in batches],
        since,
    )
    return {row["id"] for row in rows}


async def has_lost(connection: Connection, app_ids: Sequence[int], since: datetime) -> bool:
    """Whether any app among these has had a lost call since an instant."""
    found: bool = await connection.fetchval(
        "select exists (select from batches where app_id = any($1::bigint[]) and lost_at > $2)",
        list(app_ids),
        since,
    )
    return found


async def app_of(connection: Connection, batch_id: int) -> int:
    """The app a batch is sent with."""
    app_id: int = await connection.fetchval("select app_id from batches where id = $1", batch_id)
    return app_id


async def set_code(connection: Connection, batch_id: int, code: str) -> None:
    """Note what went wrong with a batch without moving it."""
    await connection.execute("update batches set code = $2 where id = $1", batch_id, code)


async def clear_recall_codes(connection: Connection, firing_id: int) -> None:
    """Forget why an earlier recall failed, so that it is tried again."""
    await connection.execute(
        "update batches set code = null where firing_id = $1 and code like 'recall:%'", firing_id
    )
