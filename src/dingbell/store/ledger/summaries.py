"""Table `runs`, as a person sees it: one, or the newest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from dingbell.domain.causes import Cause
from dingbell.domain.lifecycle import Delivery
from dingbell.store.connection import Connection

__all__ = ["Summary", "find", "newest"]


@dataclass(frozen=True, slots=True)
class Summary:
    """A run as a person sees it."""

    id: int
    schedule: str | None
    kind: str
    app: str | None
    due_at: datetime
    created_at: datetime
    planned_at: datetime | None
    started_at: datetime | None
    settled_at: datetime | None
    state: str
    cause: Cause | None
    occurrences: int
    parent_id: int | None
    held_until: datetime | None
    requested_by: str | None
    forecast: dict[str, Any] | None
    totals: dict[str, int] | None
    template: str | None
    template_version: int | None
    rows: str | None
    rows_version: int | None


_SUMMARY = """
    select f.id, f.schedule, f.kind, f.due_at, f.created_at, f.planned_at, f.started_at,
           f.settled_at, f.state, f.cause, f.cause_params, f.occurrences, f.parent_id, f.held_until,
           f.requested_by, f.forecast, f.totals, f.template, f.template_version,
           f.spec ->> 'rows' as rows, f.rows_version,
           coalesce(
               (select n.name from schedules s join app_names n on n.name = s.spec ->> 'app'
                where s.id = f.schedule_id and n.app_id = f.app_id),
               (select min(n.name) from app_names n where n.app_id = f.app_id)) as app
    from runs f
"""


def _summary(row: asyncpg.Record) -> Summary:
    values = dict(row)
    params = values.pop("cause_params")
    return Summary(**{**values, "cause": Cause.stored(values["cause"], params)})


async def newest(
    connection: Connection,
    *,
    limit: int,
    schedule: str | None = None,
    state: str | None = None,
    unknown: bool = False,
    before: int | None = None,
) -> list[Summary]:
    """The newest runs first: created last; those that were created before another one."""
    rows = await connection.fetch(
        f"""
        {_SUMMARY}
        where ($2::text is null or f.schedule = $2) and ($3::text is null or f.state = $3)
          and (not $4 or exists (
              select from batches b
              join deliveries d on d.batch_id = b.id and d.state = {Delivery.UNKNOWN:sql}
              where b.run_id = f.id and b.unknown))
          and ($5::bigint is null or f.id < $5)
        order by f.id desc limit $1
        """,
        limit,
        schedule,
        state,
        unknown,
        before,
    )
    return [_summary(row) for row in rows]


async def find(connection: Connection, run_id: int) -> Summary | None:
    """One run."""
    row = await connection.fetchrow(f"{_SUMMARY} where f.id = $1", run_id)
    return _summary(row) if row else None
