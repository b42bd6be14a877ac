"""Retention: the people of old firings are forgotten, their totals are not."""

from __future__ import annotations

from datetime import datetime, timedelta

from dingbell.store.connection import Connection
from dingbell.store.states import RUN_OPEN

__all__ = ["YOUNGEST", "forget"]

_STEP = 100  # firings at once
# What DingTalk may still be asked about, or be asked to take back, with a day to spare.
YOUNGEST = timedelta(days=2)


async def forget(connection: Connection, before: datetime) -> int:
    """Forget the people of up to 100 firings that ended before an instant.

    Call it with an instant at least `YOUNGEST` ago: recalls, resends and the pace need what is
    younger.

    Their totals and the number of their calls are written into the firing first. A firing that
    others follow up on, or that may still be sent, is left alone.

    Returns:
        How many firings; 0 when there is nothing left to forget.
    """
    ids = await connection.fetchval(
        f"""
        select coalesce(array_agg(id), '{{}}') from (
            select id from firings
            where settled_at < $1 and totals is null
              and state not in {RUN_OPEN}
              and not exists (
                  select from firings c where c.parent_id = firings.id
                  and c.state in {RUN_OPEN})
            order by settled_at limit $2 for update skip locked
        ) as old
        """,
        before,
        _STEP,
    )
    await connection.execute(
        """
        update firings f set
            totals = (
                select coalesce(jsonb_object_agg(t.state, t.people), '{}') from (
                    select d.state, sum(d.people) as people from deliveries d
                    where d.firing_id = f.id group by d.state) as t),
            calls = (
                select count(*) from calls c join batches b on b.id = c.batch_id
                where b.firing_id = f.id),
            cause_params = f.cause_params - 'trace'
        where f.id = any($1::bigint[])
        """,
        ids,
    )
    await connection.execute(
        "delete from calls where batch_id in "
        "(select id from batches where firing_id = any($1::bigint[]))",
        ids,
    )
    for table in ("deliveries", "batches"):
        await connection.execute(f"delete from {table} where firing_id = any($1::bigint[])", ids)
    return len(ids)
