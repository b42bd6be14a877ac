"""What the tables know beforehand about people: who will not get a notice, and why.

One query answers for batches that are planned and for a send that is only asked about, so that
both say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.store.connection import Connection
from dingbell.store.states import DELIVERY_ARRIVED, DELIVERY_HAD, any_of

__all__ = ["Predicted", "learn_outsiders", "mark", "of_people", "of_runs"]

# (run id, userid, reason).
Predicted = tuple[int, str, str]

_MANY = 5_000  # people
_PLANNED = f"""
    select d.run_id, d.userid, b.app_id, b.org, b.body_hash, b.slot_at, b.id as batch_id
    from batches b join deliveries d on d.batch_id = b.id
    where b.run_id = any($1::bigint[]) and b.state = {Batch.QUEUED:sql} and b.target is null
"""
_ASKED = """
    select 0::bigint as run_id, a.userid, $3::bigint as app_id, $4::text as org, a.body_hash,
           $5::timestamptz as slot_at, 9223372036854775807 as batch_id
    from unnest($1::text[], $2::bytea[]) as a (userid, body_hash)
"""
_TABLE = """
create temp table wanted (
    run_id bigint, userid text, app_id bigint, org text, body_hash bytea, slot_at timestamptz,
    batch_id bigint
) on commit drop
"""
_QUESTION = """
with {wanted}
words as materialized (
    select distinct run_id, app_id, body_hash, date_trunc('day', slot_at, 'Asia/Shanghai') as day
    from wanted
),
said as materialized (  -- the same words by another run that day, sent or about to be
    select w.run_id, d.userid, o.body_hash, o.sent_at, o.slot_at, o.id
    from words w
    join batches o on o.app_id = w.app_id and o.body_hash = w.body_hash
         and o.run_id <> w.run_id
         and coalesce(o.sent_at, o.slot_at) >= w.day
         and coalesce(o.sent_at, o.slot_at) < w.day + interval '1 day'
         and (o.sent_at is not null or o.state = {queued})
    join deliveries d on d.batch_id = o.id
         and d.state in {told}
),
repeated as materialized (
    select distinct w.run_id, w.userid
    from wanted w join said s on s.run_id = w.run_id and s.userid = w.userid
         and s.body_hash = w.body_hash
         and (s.sent_at is not null or (s.slot_at, s.id) < (w.slot_at, w.batch_id))
),
busy as materialized (  -- apps that made so many batches today that somebody may be at the cap
    select a.app_id, a.day from (
        select app_id, min(date_trunc('day', slot_at, 'Asia/Shanghai')) as day
        from wanted group by app_id) a
    where (select count(*) from batches o where o.app_id = a.app_id and o.sent_at >= a.day) >= {cap}
),
capped as materialized (
    select o.app_id, d.userid
    from busy join batches o on o.app_id = busy.app_id and o.sent_at >= busy.day
    join deliveries d on d.batch_id = o.id and d.state in {had}
    group by 1, 2 having count(*) >= {cap}
),
outside as (  -- refused at the last notice although the directory had them
    select o.app_id, o.userid from outsiders o
    where (o.app_id, o.userid) in (select app_id, userid from wanted)
      and o.seen_at > now() - interval '30 days'
      and not exists (
          select from deliveries k join batches kb on kb.id = k.batch_id
          where k.userid = o.userid and kb.app_id = o.app_id and k.state in {arrived}
            and k.sent_at > o.seen_at)
),
judged as (
    select w.run_id, w.userid, case
        when read.org is not null and p.userid is null then 'unknown_person'
        when p.left_at is not null then 'left'
        when not p.active then 'inactive'
        when out.userid is not null then 'out_of_range'
        when (p.attributes ->> 'senior')::boolean then 'executive'
        when again.userid is not null then 'repeat'
        when full_.userid is not null then 'daily_cap'
    end as reason
    from wanted w
    left join directory_syncs read on read.org = w.org
    left join people p on p.org = w.org and p.userid = w.userid
    left join outside out on out.app_id = w.app_id and out.userid = w.userid
    left join repeated again on again.run_id = w.run_id and again.userid = w.userid
    left join capped full_ on full_.app_id = w.app_id and full_.userid = w.userid
)
select run_id, userid, reason from judged where reason is not null
order by run_id, userid
"""


# Whoever is in one of these may be told a text by another batch of the day.
_TOLD = any_of(
    (
        Delivery.PLANNED,
        Delivery.SENT,
        Delivery.UNREAD,
        Delivery.READ,
        Delivery.UNKNOWN,
        Delivery.RECALLED,
    )
)


def _question(wanted: str, daily_cap: int) -> str:
    return _QUESTION.format(
        wanted=wanted,
        cap=int(daily_cap),
        queued=f"{Batch.QUEUED:sql}",
        told=_TOLD,
        had=DELIVERY_HAD,
        arrived=DELIVERY_ARRIVED,
    )


async def _ask(
    connection: Connection, wanted: str, *arguments: object, people: int, daily_cap: int
) -> list[asyncpg.Record]:
    """Ask about people; many are put into a table of their own first.

    PostgreSQL knows nothing of rows that were written a moment ago, and would look up each of
    100,000 one by one, over and over. What it has counted it plans for.
    """
    if people < _MANY:
        source = f"wanted as materialized ({wanted}),"
        return await connection.fetch(_question(source, daily_cap), *arguments)
    async with connection.transaction():
        await connection.execute(_TABLE)
        await connection.execute(f"insert into wanted {wanted}", *arguments)
        await connection.execute("analyze wanted")
        rows = await connection.fetch(_question("", daily_cap))
        await connection.execute("drop table wanted")
    return rows


async def of_runs(
    connection: Connection, run_ids: Sequence[int], *, people: int, daily_cap: int
) -> list[Predicted]:
    """Who of planned runs is not expected to be reached, before their batches are sent.

    Args:
        connection: in the transaction that has planned them.
        run_ids: which.
        people: about how many people they go to.
        daily_cap: how many notices a person may get from an app on one day.
    """
    rows = await _ask(connection, _PLANNED, list(run_ids), people=people, daily_cap=daily_cap)
    return [(row["run_id"], row["userid"], row["reason"]) for row in rows]


async def of_people(
    connection: Connection,
    bodies: Sequence[tuple[str, bytes]],
    *,
    app_id: int,
    org: str,
    at: datetime,
    daily_cap: int,
) -> dict[str, str]:
    """Who would not be reached by an app at an instant: userid → reason.

    Args:
        connection: to ask.
        bodies: each userid with the hash of the body it would get.
        app_id: the app that would send.
        org: its org.
        at: when the call would be made.
        daily_cap: how many notices a person may get from an app on one day.
    """
    userids = [userid for userid, _ in bodies]
    hashes = [body_hash for _, body_hash in bodies]
    rows = await _ask(
        connection,
        _ASKED,
        userids,
        hashes,
        app_id,
        org,
        at,
        people=len(bodies),
        daily_cap=daily_cap,
    )
    return {row["userid"]: row["reason"] for row in rows}


async def mark(connection: Connection, predicted: Sequence[Predicted]) -> None:
    """Keep with each delivery what is predicted of it."""
    await connection.execute(
        """
        update deliveries d set predicted = f.reason
        from unnest($1::bigint[], $2::text[], $3::text[]) as f (run_id, userid, reason)
        where d.run_id = f.run_id and d.userid = f.userid
        """,
        [run_id for run_id, _, _ in predicted],
        [userid for _, userid, _ in predicted],
        [reason for _, _, reason in predicted],
    )


async def learn_outsiders(
    connection: Connection, invalid: Sequence[tuple[int, int, str]], now: datetime
) -> None:
    """Remember people whom DingTalk called invalid although nothing was known against them.

    Args:
        connection: to write.
        invalid: (app id, run id, userid).
        now: the present instant.
    """
    await connection.execute(
        """
        insert into outsiders (app_id, userid, seen_at)
        select distinct i.app_id, i.userid, $4::timestamptz
        from unnest($1::bigint[], $2::bigint[], $3::text[]) as i (app_id, run_id, userid)
        join deliveries d on d.run_id = i.run_id and d.userid = i.userid
             and coalesce(d.predicted, 'out_of_range') = 'out_of_range'
        order by 1, 2
        on conflict (app_id, userid) do update set seen_at = excluded.seen_at
        """,
        [app_id for app_id, _, _ in invalid],
        [run_id for _, run_id, _ in invalid],
        [userid for _, _, userid in invalid],
        now,
    )
