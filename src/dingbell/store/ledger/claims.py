"""Table `batches`, as the sender sees it: slots, waves, claims, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from dingbell.domain.after_call import Called
from dingbell.domain.lifecycle import Batch, Delivery, Run
from dingbell.domain.priority import Rank
from dingbell.domain.run import Kind
from dingbell.store.connection import Connection
from dingbell.store.states import BATCH_OPEN, BATCH_UNSENT, RUN_UNDER_WAY
from dingbell.store.transitions import BATCHES, RUNS, moving

__all__ = [
    "Candidate",
    "Claimed",
    "Occupied",
    "Queued",
    "candidates",
    "claim",
    "late",
    "occupied",
    "reslot",
]


@dataclass(frozen=True, slots=True)
class Queued:
    """A batch that waits for its slot."""

    id: int
    run_id: int
    app_id: int
    org: str
    size: int
    slot_at: datetime
    wave: int
    body_hash: bytes
    in_doubt_since: datetime | None
    rank: Rank


@dataclass(frozen=True, slots=True)
class Candidate:
    """A batch that might be claimed, and what has to be known of it first.

    Attributes:
        batch: waits for its slot; its run is being sent, or would begin with it.
        begins: its run is still `planned`, and locked now.
        due_at: of its run.
        blocked: an earlier occurrence of the same schedule is still being sent.
        perishable: its run is of no use after a while.
        doubt_near: its app has had an in-doubt call lately.
    """

    batch: Queued
    begins: bool
    due_at: datetime
    blocked: bool
    perishable: bool
    doubt_near: bool


@dataclass(frozen=True, slots=True)
class Claimed:
    """A batch this node may send now, with the attempt it was claimed for."""

    id: int
    run_id: int
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
    in_doubt_since: datetime | None
    rank: Rank
    call_id: int


class Occupied(NamedTuple):
    """What a call, or a promise to a queued batch, occupies in the windows of an org and an app.

    Attributes:
        at: epoch seconds: when the call was answered or, where it is open, made; or the slot.
        size: how many people; 0 for a call that was refused.
        rank: of the batch that was promised the slot; a call has none.
        open_until: epoch seconds until when a call that was not answered yet may arrive.
    """

    org: str
    app_id: int
    at: float
    size: int
    rank: Rank | None = None
    open_until: float | None = None

    def counts_for(self, rank: Rank) -> bool:
        """Whether a batch of a rank has to leave this its place: calls, and what comes first."""
        return self.rank is None or self.rank < rank

    def answered(self, present: float) -> Occupied:
        """The same, were it answered now."""
        if self.open_until is None:
            return self
        return self._replace(at=max(self.at, present), open_until=None)


async def next_waves(connection: Connection, count: int) -> list[int]:
    """Reserve numbers for waves."""
    rows = await connection.fetch(
        "select nextval('waves') as wave from generate_series(1, $1)", count
    )
    return [row["wave"] for row in rows]


_QUEUED = (
    "b.id, b.run_id, b.app_id, b.org, b.size, b.slot_at, b.wave, b.body_hash, b.in_doubt_since, "
    "b.rank"
)


def _queued(row: asyncpg.Record) -> Queued:
    return Queued(
        id=row["id"],
        run_id=row["run_id"],
        app_id=row["app_id"],
        org=row["org"],
        size=row["size"],
        slot_at=row["slot_at"],
        wave=row["wave"],
        body_hash=row["body_hash"],
        in_doubt_since=row["in_doubt_since"],
        rank=Rank(row["rank"]),
    )


async def of_wave(connection: Connection, wave: int) -> list[Queued]:
    """The batches of a wave that still wait, by slot."""
    rows = await connection.fetch(
        f"select {_QUEUED} from batches b where wave = $1 and state = {Batch.QUEUED:sql} "
        "order by slot_at, id",
        wave,
    )
    return [_queued(row) for row in rows]


async def candidates(
    connection: Connection, ids: Sequence[int], *, doubt_since: datetime
) -> list[Candidate]:
    """Those of the batches that wait, by slot; locks the runs among theirs that are planned.

    Earlier occurrences are looked up one by one, by index: as a join it was now and then done over
    everything that is prepared, for each batch (0.7 s), while the tables' statistics were young.
    That `in_doubt_since` is not null is said for PostgreSQL, which else expects a third of all.
    """
    rows = await connection.fetch(
        f"""
        with beginning as (
            select id, schedule_id, kind, due_at, expires_after is not null as perishable
            from runs
            where id = any(array(select run_id from batches where id = any($1::bigint[])))
              and state = {Run.PLANNED:sql}
            order by id for update
        )
        select g.id is not null as begins, f.due_at,
               g.kind is not distinct from {Kind.OCCURRENCE:sql} and exists (
                   select from runs o
                   where o.schedule_id = g.schedule_id and o.due_at < g.due_at
                     and o.kind = {Kind.OCCURRENCE:sql} and o.state in {RUN_UNDER_WAY}
                     and (select true from batches b
                          where b.run_id = o.id and b.resend_of is null
                            and b.state in {BATCH_UNSENT} limit 1)) as blocked,
               coalesce(g.perishable, false) as perishable,
               exists (select from batches l where l.app_id = b.app_id and l.in_doubt_since > $2
                       and l.in_doubt_since is not null) as doubt_near,
               {_QUEUED}
        from batches b join runs f on f.id = b.run_id left join beginning g on g.id = f.id
        where b.id = any($1::bigint[]) and b.state = {Batch.QUEUED:sql}
          and (g.id is not null or f.state = {Run.SENDING:sql})
        order by b.slot_at, b.id
        """,
        list(ids),
        doubt_since,
    )
    return [
        Candidate(
            batch=_queued(row),
            begins=row["begins"],
            due_at=row["due_at"],
            blocked=row["blocked"],
            perishable=row["perishable"],
            doubt_near=row["doubt_near"],
        )
        for row in rows
    ]


async def queued_of(connection: Connection, run_id: int) -> list[Queued]:
    """The batches of a run that wait, by slot."""
    rows = await connection.fetch(
        f"select {_QUEUED} from batches b where run_id = $1 and state = {Batch.QUEUED:sql} "
        "order by slot_at, id",
        run_id,
    )
    return [_queued(row) for row in rows]


async def late(
    connection: Connection, app_ids: Sequence[int], *, before: datetime, most: int
) -> list[Queued]:
    """Lock batches of apps whose slot passed, of runs that are being sent; the earliest first.

    A run that has not begun is judged once more before its slots are touched.
    """
    rows = await connection.fetch(
        f"""
        select {_QUEUED} from batches b join runs f on f.id = b.run_id
        where b.app_id = any($1::bigint[]) and b.state = {Batch.QUEUED:sql} and b.slot_at < $2
          and f.state = {Run.SENDING:sql}
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
) -> list[Occupied]:
    """What occupies the windows of some orgs: calls, and promises to queued batches up to a rank.

    A call occupies the windows when it was answered; an unanswered one from
    its slot until its latest possible arrival; both are in epoch seconds. A refused call reached
    nobody, one that was not sent does not count.
    """
    rows = await connection.fetch(
        f"""
        select org, app_id, extract(epoch from coalesce(answered_at, sent_at))::float8 as at,
               case when answered_at is null
                    then extract(epoch from sent_at + $3)::float8 end as open_until,
               case when outcome = 'refused' then 0 else size end as size, null::smallint as rank
        from calls
        where org = any($1::text[]) and sent_at > $2 and outcome is distinct from 'not_sent'
        union all
        select org, app_id, extract(epoch from slot_at)::float8, null, size, rank from batches
        where org = any($1::text[]) and state = {Batch.QUEUED:sql} and rank <= $4
          and not id = any($5::bigint[])
        """,
        list(orgs),
        since,
        arrives_within,
        -1 if up_to is None else int(up_to),
        list(without),
    )
    return [
        Occupied(
            org=row["org"],
            app_id=row["app_id"],
            at=row["at"],
            size=row["size"],
            rank=None if row["rank"] is None else Rank(row["rank"]),
            open_until=row["open_until"],
        )
        for row in rows
    ]


_BEGUN = moving(
    RUNS,
    Run.SENDING,
    source=[Run.PLANNED],
    given="(select id, $3::timestamptz as now from unnest($4::bigint[]) as u (id)) as g",
    name="begun",
)
_TAKEN = moving(
    BATCHES,
    Batch.SENDING,
    source=[Batch.QUEUED],
    given="unnest($1::bigint[]) as g (id), runs f",
    only=f"f.id = t.run_id and (f.state = {Run.SENDING:sql} or f.id in (select id from begun))",
    changes="owner = $2, attempt = t.attempt + 1, sent_at = greatest(t.slot_at, $3)",
    returning="t.run_id, t.app_id, t.org, t.size, t.attempt, t.slot_at, t.sent_at, t.body, "
    "t.target, t.in_doubt_since, t.rank, f.on_ambiguous",
    name="taken",
)
_CLAIM = f"""
    with {_BEGUN}, {_TAKEN}, intended as (
        insert into calls (batch_id, app_id, org, size, attempt, node_id, sent_at)
        select id, app_id, org, size, attempt, $2, sent_at from taken returning id, batch_id
    )
    select t.id, t.run_id, t.app_id, t.org, t.size, t.attempt, t.slot_at, t.sent_at, t.body,
           t.target, coalesce(d.userids, '{{}}') as userids, t.on_ambiguous, t.in_doubt_since,
           t.rank,
           i.id as call_id
    from taken t join intended i on i.batch_id = t.id
    left join lateral (
        select array_agg(d.userid order by d.userid) as userids
        from deliveries d
        where d.batch_id = t.id and t.target is null and d.state = {Delivery.PLANNED:sql}
    ) d on true
    order by t.slot_at, t.id
"""


def _claimed(row: asyncpg.Record) -> Claimed:
    return Claimed(
        id=row["id"],
        run_id=row["run_id"],
        app_id=row["app_id"],
        org=row["org"],
        size=row["size"],
        attempt=row["attempt"],
        slot_at=row["slot_at"],
        sent_at=row["sent_at"],
        body=row["body"],
        target=row["target"],
        userids=row["userids"],
        on_ambiguous=row["on_ambiguous"],
        in_doubt_since=row["in_doubt_since"],
        rank=Rank(row["rank"]),
        call_id=row["call_id"],
    )


async def claim(
    connection: Connection,
    ids: Sequence[int],
    *,
    begins: Sequence[int],
    node_id: int,
    now: datetime,
) -> list[Claimed]:
    """Take queued batches for this node, begin their runs, and write the intent of each call."""
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
) -> list[Called]:
    """Lock batches that dead nodes were sending, and those that were sent too long ago."""
    rows = await connection.fetch(
        f"""
        select b.id, b.run_id, b.attempt, b.sent_at, b.target, b.rank,
               f.on_ambiguous
        from batches b join runs f on f.id = b.run_id
        where b.state = {Batch.SENDING:sql} and (b.owner = any($1::bigint[])
              or not exists (select from nodes n where n.id = b.owner) or b.sent_at < $2)
          and b.owner is not null
        order by b.id limit 200 for update of b skip locked
        """,
        list(nodes),
        before,
    )
    return [
        Called(
            id=row["id"],
            run_id=row["run_id"],
            attempt=row["attempt"],
            sent_at=row["sent_at"],
            coarse=row["target"] is not None,
            on_ambiguous=row["on_ambiguous"],
            rank=Rank(row["rank"]),
        )
        for row in rows
    ]


async def late_waves(connection: Connection, before: datetime) -> list[int]:
    """Waves whose slot passed and that still have batches waiting."""
    rows = await connection.fetch(
        f"select distinct wave from batches "
        f"where state = {Batch.QUEUED:sql} and slot_at < $1 limit 500",
        before,
    )
    return [row["wave"] for row in rows]


async def in_doubt_elsewhere(
    connection: Connection, batches: Sequence[Queued], since: datetime
) -> set[int]:
    """Those batches of which another run has an unresolved in-doubt call with the same body."""
    rows = await connection.fetch(
        f"""
        select w.id from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[])
             as w (id, run_id, app_id, body_hash)
        where exists (
            select from batches b join deliveries mine on mine.batch_id = w.id
            join deliveries other on other.batch_id = b.id and other.userid = mine.userid
            where b.app_id = w.app_id and b.body_hash = w.body_hash and b.in_doubt_since > $5
              and b.run_id <> w.run_id and b.state in {BATCH_OPEN}
              and b.id < w.id)
        """,
        [batch.id for batch in batches],
        [batch.run_id for batch in batches],
        [batch.app_id for batch in batches],
        [batch.body_hash for batch in batches],
        since,
    )
    return {row["id"] for row in rows}
