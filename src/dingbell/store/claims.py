"""Table `batches`, as the sender sees it: slots, waves, claims, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.domain.priority import Rank
from dingbell.store import deliveries
from dingbell.store.connection import Connection

__all__ = [
    "Candidate",
    "Claimed",
    "Queued",
    "candidates",
    "claim",
    "give_up",
    "late",
    "occupied",
    "requeue",
    "reslot",
]


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
    rank: Rank


@dataclass(frozen=True, slots=True)
class Candidate:
    """A batch that might be claimed, and what has to be known of it first.

    Attributes:
        batch: waits for its slot; its firing is being sent, or would begin with it.
        begins: its firing is still `planned`, and locked now.
        due_at: of its firing.
        blocked: an earlier occurrence of the same schedule is still being sent.
        perishable: its firing is of no use after a while.
        lost_near: its app has had a lost call lately.
    """

    batch: Queued
    begins: bool
    due_at: datetime
    blocked: bool
    perishable: bool
    lost_near: bool


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
    userids: Sequence[str]
    on_ambiguous: str
    lost_at: datetime | None
    call_id: int


async def next_waves(connection: Connection, count: int) -> list[int]:
    """Reserve numbers for waves."""
    rows = await connection.fetch(
        "select nextval('waves') as wave from generate_series(1, $1)", count
    )
    return [row["wave"] for row in rows]


_QUEUED = (
    "b.id, b.firing_id, b.app_id, b.org, b.size, b.slot_at, b.wave, b.body_hash, b.lost_at, "
    "b.priority"
)


def _queued(row: Iterable[Any]) -> Queued:
    *start, priority = row
    return Queued(*start, Rank(priority))  # type: ignore[call-arg]


async def of_wave(connection: Connection, wave: int) -> list[Queued]:
    """The batches of a wave that still wait, by slot."""
    rows = await connection.fetch(
        f"select {_QUEUED} from batches b where wave = $1 and state = 'queued' "
        "order by slot_at, id",
        wave,
    )
    return [_queued(row) for row in rows]


async def candidates(
    connection: Connection, ids: Sequence[int], *, lost_since: datetime
) -> list[Candidate]:
    """Those of the batches that wait, by slot; locks the firings among theirs that are planned.

    Earlier occurrences are looked up one by one, by index: as a join it was now and then done over
    everything that is prepared, for each batch (0.7 s), while the tables' statistics were young.
    That `lost_at` is not null is said for PostgreSQL, which else takes a third of all for lost.
    """
    rows = await connection.fetch(
        f"""
        with beginning as (
            select id, schedule_id, kind, due_at, spec ? 'useless_after' as perishable
            from firings
            where id = any(array(select firing_id from batches where id = any($1::bigint[])))
              and state = 'planned'
            order by id for update
        )
        select g.id is not null, f.due_at,
               g.kind is not distinct from 'occurrence' and exists (
                   select from firings o
                   where o.schedule_id = g.schedule_id and o.due_at < g.due_at
                     and o.kind = 'occurrence' and o.state in ('planned', 'sending')
                     and (select true from batches b
                          where b.firing_id = o.id and b.repairs is null
                            and b.state in ('queued', 'sending') limit 1)),
               coalesce(g.perishable, false),
               exists (select from batches l where l.app_id = b.app_id and l.lost_at > $2
                       and l.lost_at is not null),
               {_QUEUED}
        from batches b join firings f on f.id = b.firing_id left join beginning g on g.id = f.id
        where b.id = any($1::bigint[]) and b.state = 'queued'
          and (g.id is not null or f.state = 'sending')
        order by b.slot_at, b.id
        """,
        list(ids),
        lost_since,
    )
    return [
        Candidate(_queued(queued), begins, due_at, blocked, perishable, lost_near)
        for begins, due_at, blocked, perishable, lost_near, *queued in rows
    ]


async def queued_of(connection: Connection, firing_id: int) -> list[Queued]:
    """The batches of a firing that wait, by slot."""
    rows = await connection.fetch(
        f"select {_QUEUED} from batches b where firing_id = $1 and state = 'queued' "
        "order by slot_at, id",
        firing_id,
    )
    return [_queued(row) for row in rows]


async def late(
    connection: Connection, app_ids: Sequence[int], *, before: datetime, most: int
) -> list[Queued]:
    """Lock batches of apps whose slot passed, of firings that are being sent; the earliest first.

    A firing that has not begun is judged once more before its slots are touched.
    """
    rows = await connection.fetch(
        f"""
        select {_QUEUED} from batches b join firings f on f.id = b.firing_id
        where b.app_id = any($1::bigint[]) and b.state = 'queued' and b.slot_at < $2
          and f.state = 'sending'
        order by b.slot_at, b.id limit $3 for update of b skip locked
        """,
        list(app_ids),
        before,
        most,
    )
    return [_queued(row) for row in rows]


async def occupied(
    connection: Connection,
    orgs: Sequence[str],
    *,
    since: datetime,
    arrives_within: timedelta,
    up_to: Rank | None,
    without: Sequence[int] = (),
) -> list[asyncpg.Record]:
    """What occupies the windows of some orgs: (org, app id, at, open until, size, priority).

    Calls have no priority. A call occupies the windows when it was answered; an unanswered one from
    its slot until its latest possible arrival; both are in epoch seconds. A refused call reached
    nobody, one that was not sent does not count. Promises are those to queued batches up to a rank.
    """
    return await connection.fetch(
        """
        select org, app_id, extract(epoch from coalesce(answered_at, sent_at))::float8,
               case when answered_at is null
                    then extract(epoch from sent_at + $3)::float8 end,
               case when outcome = 'refused' then 0 else size end, null::smallint
        from calls
        where org = any($1::text[]) and sent_at > $2 and outcome is distinct from 'not_sent'
        union all
        select org, app_id, extract(epoch from slot_at)::float8, null, size, priority from batches
        where org = any($1::text[]) and state = 'queued' and priority <= $4
          and not id = any($5::bigint[])
        """,
        list(orgs),
        since,
        arrives_within,
        -1 if up_to is None else int(up_to),
        list(without),
    )


async def claim(
    connection: Connection,
    ids: Sequence[int],
    *,
    begins: Sequence[int],
    node_id: int,
    now: datetime,
) -> list[Claimed]:
    """Take queued batches for this node, begin their firings, and write the intent of each call."""
    rows = await connection.fetch(
        """
        with begun as (
            update firings set state = 'sending', tries = 0, started_at = $3
            where id = any($4::bigint[]) and state = 'planned' returning id
        ), taken as (
            update batches b set state = 'sending', owner = $2, attempt = attempt + 1,
                sent_at = greatest(slot_at, $3)
            from firings f
            where b.id = any($1::bigint[]) and b.state = 'queued' and f.id = b.firing_id
              and (f.state = 'sending' or f.id in (select id from begun))
            returning b.id, b.firing_id, b.app_id, b.org, b.size, b.attempt, b.slot_at, b.sent_at,
                      b.body, b.target, b.lost_at,
                      coalesce(f.spec ->> 'on_ambiguous', 'resend') as on_ambiguous
        ), intended as (
            insert into calls (batch_id, app_id, org, size, attempt, node_id, sent_at)
            select id, app_id, org, size, attempt, $2, sent_at from taken returning id, batch_id
        )
        select t.id, t.firing_id, t.app_id, t.org, t.size, t.attempt, t.slot_at, t.sent_at, t.body,
               t.target, coalesce(d.userids, '{}'), t.on_ambiguous, t.lost_at, i.id
        from taken t join intended i on i.batch_id = t.id
        left join lateral (
            select array_agg(d.userid order by d.userid) as userids
            from deliveries d where d.batch_id = t.id and t.target is null
        ) d on true
        order by t.slot_at, t.id
        """,
        list(ids),
        node_id,
        now,
        list(begins),
    )
    return [Claimed(*row) for row in rows]


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
    if not slots:
        return
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


async def expire(connection: Connection, batch_ids: Sequence[int]) -> None:
    """Give up lost batches that wait to be sent again: nobody knows whom they reached."""
    rows = await connection.fetch(
        "update batches set state = 'unknown' where id = any($1::bigint[]) and state = 'queued' "
        "returning id",
        list(batch_ids),
    )
    await deliveries.move_batches(connection, [row["id"] for row in rows], Delivery.UNKNOWN)


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
          and b.owner is not null
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
