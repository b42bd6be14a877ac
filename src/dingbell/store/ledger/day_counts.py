"""How many notices people have of one Beijing day: had, on their way, or about to be called."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg

from dingbell.domain.day_limit import DayLimit
from dingbell.domain.forecast import Reason
from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.domain.run import Kind
from dingbell.store.connection import Connection
from dingbell.store.rules import DAY_LIMIT
from dingbell.store.states import any_of

__all__ = ["counts", "limits", "put_off"]

# Whoever is in one of these has the notice, has had it, or is to be sent to.
_COUNTED = any_of(
    (
        Delivery.PLANNED,
        Delivery.SENT,
        Delivery.UNREAD,
        Delivery.READ,
        Delivery.UNKNOWN,
        Delivery.RECALLED,
    )
)
_OF_SCHEDULE = f"({Kind.OCCURRENCE:sql}, {Kind.RUN:sql})"
_DAY = timedelta(days=1)


async def limits(
    connection: Connection, app_ids: Sequence[int]
) -> tuple[DayLimit | None, dict[int, DayLimit]]:
    """The limit that holds for everything, and those of some apps."""
    rows = await connection.fetch(
        """
        select a.id, a.per_person_per_day, a.over_limit, r.content
        from apps a left join rules r on r.name = $2
        where a.id = any($1::bigint[])
        """,
        list(app_ids),
        DAY_LIMIT,
    )
    everywhere = next((row["content"] for row in rows if row["content"] is not None), None)
    return (
        None if everywhere is None else DayLimit.model_validate(everywhere),
        {row["id"]: _of_app(row) for row in rows},
    )


def _of_app(row: asyncpg.Record) -> DayLimit:
    return DayLimit(per_person_per_day=row["per_person_per_day"], over_limit=row["over_limit"])


async def counts(
    connection: Connection, org: str, day: datetime, userids: Sequence[str]
) -> list[tuple[str, int, str | None, int]]:
    """(userid, app id, schedule, notices) of a day, by app and schedule.

    A batch counts on the day of its call, and before it is called on that of its slot. Who was sent
    to again in a run has one notice of it: there is one row. A schedule is named for its own
    occurrences and runs by hand, not for what follows them.

    Args:
        connection: where the org is locked, so that nobody else plans for it.
        org: whose people.
        day: when the day begins.
        userids: who is asked about.
    """
    rows = await connection.fetch(
        f"""
        with of_day as materialized (
            select b.id, b.app_id, b.run_id from apps a join batches b on b.app_id = a.id
            where a.org = $1 and b.sent_at >= $2 and b.sent_at < $3 and b.target is null
            union
            select b.id, b.app_id, b.run_id from batches b
            where b.org = $1 and b.state = {Batch.QUEUED:sql} and b.sent_at is null
              and b.slot_at >= $2 and b.slot_at < $3 and b.target is null
        )
        select d.userid, t.app_id,
               case when r.kind in {_OF_SCHEDULE} then r.schedule end as schedule,
               count(*)::int as notices
        from of_day t join runs r on r.id = t.run_id
        join deliveries d on d.batch_id = t.id and d.state in {_COUNTED}
        join unnest($4::text[]) as w (userid) on w.userid = d.userid
        group by 1, 2, 3
        """,
        org,
        day,
        day + _DAY,
        list(userids),
    )
    return [(row["userid"], row["app_id"], row["schedule"], row["notices"]) for row in rows]


async def put_off(
    connection: Connection, run_ids: Sequence[int]
) -> dict[int, tuple[datetime, list[str]]]:
    """Who of some runs is held for the next day, and until when, by run."""
    rows = await connection.fetch(
        f"""
        select b.run_id, b.slot_at, array_agg(d.userid order by d.userid) as userids
        from batches b join deliveries d on d.batch_id = b.id
        where b.run_id = any($1::bigint[]) and b.state = {Batch.CANCELED:sql} and b.code = $2
        group by b.run_id, b.slot_at
        """,
        list(run_ids),
        Reason.DAY_HELD.value,
    )
    return {row["run_id"]: (row["slot_at"], row["userids"]) for row in rows}
