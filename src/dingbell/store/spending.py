"""Table `spending`: calls that count against an org's month, by endpoint and run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime

import asyncpg

from dingbell.domain.budget import Usage, month_of
from dingbell.store.connection import Connection

__all__ = ["Spent", "add", "by_endpoint", "by_schedule", "fold", "usage"]

# (org, endpoint, run id; 0 where it was for none).
Spent = tuple[str, str, int]

SEND = "asyncsend_v2"
PROGRESS = "getsendprogress"
RESULT = "getsendresult"
RECALL = "recall"
STATUS_BAR = "status_bar/update"
UPLOAD = "media/upload"


async def add(connection: Connection, spent: Sequence[Spent], now: datetime) -> None:
    """Count calls; in order of key, so that two transactions cannot block each other."""
    if not spent:
        return
    counted = sorted(Counter(spent).items())
    await connection.execute(
        """
        insert into spending as s (org, month, endpoint, run_id, calls)
        select c.org, $5, c.endpoint, c.run_id, c.calls
        from unnest($1::text[], $2::text[], $3::bigint[], $4::int[])
             as c (org, endpoint, run_id, calls)
        order by 1, 3, 4
        on conflict (org, month, endpoint, run_id)
        do update set calls = s.calls + excluded.calls
        """,
        [org for (org, _, _), _ in counted],
        [endpoint for (_, endpoint, _), _ in counted],
        [run_id for (_, _, run_id), _ in counted],
        [calls for _, calls in counted],
        month_of(now),
    )


async def usage(
    connection: Connection,
    orgs: Sequence[str],
    month: date,
    *,
    default_limit: int | None,
    only_limited: bool = False,
) -> dict[str, Usage]:
    """What orgs have spent in a month, against their limits.

    Args:
        connection: to ask.
        orgs: whose.
        month: by its first day.
        default_limit: of orgs that have none of their own.
        only_limited: do not add up for orgs that have no limit at all.
    """
    rows = await connection.fetch(
        """
        select o.name, coalesce(o.monthly_calls, $3) as monthly_calls, o.hold_bulk_at,
               coalesce(s.used, 0) as used
        from orgs o left join lateral (
            select sum(s.calls)::int as used from spending s
            where s.org = o.name and s.month = $2
              and (not $4 or coalesce(o.monthly_calls, $3) is not null)) s on true
        where o.name = any($1::text[])
        """,
        list(orgs),
        month,
        default_limit,
        only_limited,
    )
    return {
        row["name"]: Usage(row["used"], row["monthly_calls"], row["hold_bulk_at"]) for row in rows
    }


async def by_endpoint(connection: Connection, org: str, month: date) -> dict[str, int]:
    """What each endpoint cost an org in a month."""
    rows = await connection.fetch(
        """
        select endpoint, sum(calls)::int as calls from spending
        where org = $1 and month = $2 group by endpoint order by endpoint
        """,
        org,
        month,
    )
    return {row["endpoint"]: row["calls"] for row in rows}


async def by_schedule(
    connection: Connection, org: str, month: date, limit: int
) -> list[asyncpg.Record]:
    """What cost most: (schedule, kind, runs, calls); `schedule` is null for manual sends."""
    return await connection.fetch(
        """
        select f.schedule, case when f.schedule is null then f.kind end as kind,
               count(distinct s.run_id)::int as runs, sum(s.calls)::int as calls
        from spending s left join runs f on f.id = s.run_id
        where s.org = $1 and s.month = $2
        group by 1, 2 order by calls desc limit $3
        """,
        org,
        month,
        limit,
    )


async def fold(connection: Connection, before: date) -> None:
    """Forget which run spent what in months before one; the sums stay."""
    await connection.execute(
        """
        with old as (
            delete from spending where month < $1 and run_id <> 0
            returning org, month, endpoint, calls
        )
        insert into spending as s (org, month, endpoint, run_id, calls)
        select org, month, endpoint, 0, sum(calls)::int from old group by 1, 2, 3
        on conflict (org, month, endpoint, run_id)
        do update set calls = s.calls + excluded.calls
        """,
        before,
    )
