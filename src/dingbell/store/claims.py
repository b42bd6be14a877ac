"""Table `batches`, as the sender sees it: slots, waves, claims, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from dingbell.domain.lifecycle import Batch, Delivery, Firing
from dingbell.domain.priority import Rank
from dingbell.domain.run import Kind
from dingbell.store.connection import Connection
from dingbell.store.states import BATCH_OPEN, BATCH_UNSENT, RUN_UNDER_WAY
from dingbell.store.transitions import BATCHES, RUNS, moving

__all__ = [
    "Candidate",
    "Claimed",
    "Queued",
    "candidates",
    "claim",
    "occupied",
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
    rank: Rank
    call_id: int


async def next_waves(connection: Connection, count: int) -> list[int]:
    """Reserve numbers for waves."""
    rows = await connection.fetch(
        "select nextval('waves') as wave from generate_series(1, $1)", count
    )
    return [row["wave"] for row in rows]


_QUEUED = (
    "b.id, b.firing_id, b.app_id, b.org, b.size, b.slot_at, b.wave, b.body_hash, b.lost_at, b.rank"
)


def _queued(row: Iterable[Any]) -> Queued:
    *start, rank = row
    return Queued(*start, Rank(rank))  # type: ignore[call-arg]


async def of_wave(connection: Connection, wave: int) -> list[Queued]:
    """The batches of a wave that still wait, by slot."""
    rows = await connection.fetch(
        f"select {_QUEUED} from batches b where wave = $1 and state = {Batch.QUEUED:sql} "
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
            select id, schedule_id, kind, due_at, expires_after is not null as perishable
            from firings
            where id = any(array(select firing_id from batches where id = any($1::bigint[])))
              and state = {Firing.PLANNED:sql}
            order by id for update
        )
        select g.id is not null, f.due_at,
               g.kind is not distinct from {Kind.OCCURRENCE:sql} and exists (
                   select from firings o
                   where o.schedule_id = g.schedule_id and o.due_at < g.due_at
                     and o.kind = {Kind.OCCURRENCE:sql} and o.state in {RUN_UNDER_WAY}
                     and (select true from batches b
                          where b.firing_id = o.id and b.repairs is null
                            and b.state in {BATCH_UNSENT} limit 1)),
               coalesce(g.perishable, false),
               exists (select from batches l where l.app_id = b.app_id and l.lost_at > $2
                       and l.lost_at is not null),
               {_QUEUED}
        from batches b join firings f on f.id = b.firing_id left join beginning g on g.id = f.id
        where b.id = any($1::bigint[]) and b.state = {Batch.QUEUED:sql}
          and (g.id is not null or f.state = {Firing.SENDING:sql})
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
        f"select {_QUEUED} from batches b where firing_id = $1 and state = {Batch.QUEUED:sql} "
        "order by slot_at, id",
        firing_id,
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
    """What occupies the windows of some orgs: (org, app id, until, size, rank).

    Calls have no rank. A call occupies the windows from when it was answered; an unanswered one
    until its latest possible arrival; `until` is in epoch seconds. A refused call reached nobody,
    one that was not sent does not count. Promises are those to queued batches up to a rank.
    """
    return await connection.fetch(
        f"""
        select org, app_id, extract(epoch from coalesce(answered_at, sent_at + $3))::float8,
               case when outcome = 'refused' then 0 else size end, null::smallint
        from calls
        where org = any($1::text[]) and sent_at > $2 and outcome is distinct from 'not_sent'
        union all
        select org, app_id, extract(epoch from slot_at)::float8, size, rank from batches
        where org = any($1::text[]) and state = {Batch.QUEUED:sql} and rank <= $4
          and not id = any($5::bigint[])
        """,
        list(orgs),
        since,
        arrives_within,
        -1 if up_to is None else int(up_to),
        list(without),
    )


_BEGUN = moving(
    RUNS,
    Firing.SENDING,
    source=[Firing.PLANNED],
    given="(select id, $3::timestamptz as now from unnest($4::bigint[]) as u (id)) as g",
    name="begun",
)
_TAKEN = moving(
    BATCHES,
    Batch.SENDING,
    source=[Batch.QUEUED],
    given="unnest($1::bigint[]) as g (id), firings f",
    only=f"f.id = t.firing_id "
    f"and (f.state = {Firing.SENDING:sql} or f.id in (select id from begun))",
    changes="owner = $2, attempt = t.attempt + 1, sent_at = greatest(t.slot_at, $3)",
    returning="t.firing_id, t.app_id, t.org, t.size, t.attempt, t.slot_at, t.sent_at, t.body, "
    "t.target, t.lost_at, t.rank, f.on_ambiguous",
    name="taken",
)
_CLAIM = f"""
    with {_BEGUN}, {_TAKEN}, intended as (
        insert into calls (batch_id, app_id, org, size, attempt, node_id, sent_at)
        select id, app_id, org, size, attempt, $2, sent_at from taken returning id, batch_id
    )
    select t.id, t.firing_id, t.app_id, t.org, t.size, t.attempt, t.slot_at, t.sent_at, t.body,
           t.target, coalesce(d.userids, '{{}}'), t.on_ambiguous, t.lost_at, t.rank, i.id
    from taken t join intended i on i.batch_id = t.id
    left join lateral (
        select array_agg(d.userid order by d.userid) as userids
        from deliveries d
        where d.batch_id = t.id and t.target is null and d.state = {Delivery.PLANNED:sql}
    ) d on true
    order by t.slot_at, t.id
"""


def _claimed(row: Iterable[Any]) -> Claimed:
    *start, rank, call_id = row
    return Claimed(*start, Rank(rank), call_id)  # type: ignore[call-arg]  # in order


async def claim(
    connection: Connection,
    ids: Sequence[int],
    *,
    begins: Sequence[int],
    node_id: int,
    now: datetime,
) -> list[Claimed]:
    """Take queued batches for this node, begin their firings, and write the intent of each call."""
    rows = await connection.fetch(_CLAIM, list(ids), node_id, now, list(begins))
    return [_claimed(row) for row in rows]


async def reslot(connection: Connection, slots: Sequence[tuple[int, datetime, int]]) -> None:
    """Move queued batches to later slots: (batch id, slot, wave)."""
    if not slots:
        return
    await connection.execute(
        f"""
        update batches b set slot_at = s.slot_at, wave = s.wave
        from unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) as s (id, slot_at, wave)
        where b.id = s.id and b.state = {Batch.QUEUED:sql}
        """,
        [batch_id for batch_id, _, _ in slots],
        [slot_at for _, slot_at, _ in slots],
        [wave for *_, wave in slots],
    )


async def orphans(
    connection: Connection, nodes: Sequence[int], *, before: datetime
) -> list[asyncpg.Record]:
    """Lock batches that dead nodes were sending, and those that were sent too long ago."""
    return await connection.fetch(
        f"""
        select b.id, b.firing_id, b.attempt, b.sent_at, b.target, b.rank,
               f.on_ambiguous
        from batches b join firings f on f.id = b.firing_id
        where b.state = {Batch.SENDING:sql} and (b.owner = any($1::bigint[])
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
        f"select distinct wave from batches "
        f"where state = {Batch.QUEUED:sql} and slot_at < $1 limit 500",
        before,
    )
    return [row["wave"] for row in rows]


async def lost_elsewhere(
    connection: Connection, batches: Sequence[Queued], since: datetime
) -> set[int]:
    """Those batches of which another firing has an unresolved lost call with the same body."""
    rows = await connection.fetch(
        f"""
        select w.id from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[])
             as w (id, firing_id, app_id, body_hash)
        where exists (
            select from batches b join deliveries mine on mine.batch_id = w.id
            join deliveries other on other.batch_id = b.id and other.userid = mine.userid
            where b.app_id = w.app_id and b.body_hash = w.body_hash and b.lost_at > $5
              and b.firing_id <> w.firing_id and b.state in {BATCH_OPEN}
              and b.id < w.id)
        """,
        [batch.id for batch in batches],
        [batch.firing_id for batch in batches],
        [batch.app_id for batch in batches],
        [batch.body_hash for batch in batches],
        since,
    )
    return {row["id"] for row in rows}
