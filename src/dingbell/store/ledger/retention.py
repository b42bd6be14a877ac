"""Retention: the people of old runs are forgotten, their totals are not."""

from __future__ import annotations

from datetime import datetime, timedelta

from dingbell.store.connection import Connection
from dingbell.store.states import RUN_OPEN

__all__ = ["YOUNGEST", "forget"]

_STEP = 100  # runs at once
# What DingTalk may still be asked about, or be asked to take back, with a day to spare.
YOUNGEST = timedelta(days=2)


async def forget(connection: Connection, before: datetime) -> int:
    """Forget the people of up to 100 runs that ended before an instant.

    Call it with an instant at least `YOUNGEST` ago: recalls, resends and the pace need what is
    younger.

    Their totals and the number of their calls are written into the run first. A run that
    others follow up on, or that may still be sent, is left alone.

    Returns:
        How many runs; 0 when there is nothing left to forget.
    """
    ids = await connection.fetchval(
        f"""
        select coalesce(array_agg(id), '{{}}') from (
            select id from runs
            where settled_at < $1 and totals is null
              and state not in {RUN_OPEN}
              and not exists (
                  select from runs c where c.parent_id = runs.id
                  and c.state in {RUN_OPEN})
            order by settled_at limit $2 for update skip locked
        ) as old
        """,
        before,
        _STEP,
    )
    await connection.execute(
        """
        update runs f set
            totals = (
                select coalesce(jsonb_object_agg(t.state, t.people), '{}') from (
                    select d.state, sum(d.people) as people from deliveries d
                    where d.run_id = f.id group by d.state) as t),
            calls = (
                select count(*) from calls c join batches b on b.id = c.batch_id
                where b.run_id = f.id),
            cause_params = f.cause_params - 'trace'
        where f.id = any($1::bigint[])
        """,
        ids,
    )
    await connection.execute(
        "delete from calls where batch_id in "
        "(select id from batches where run_id = any($1::bigint[]))",
        ids,
    )
    for table in ("deliveries", "batches"):
        await connection.execute(f"delete from {table} where run_id = any($1::bigint[])", ids)
    return len(ids)
