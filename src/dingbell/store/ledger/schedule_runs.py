"""Runs of one schedule: those prepared, those held, those that a change of it stops."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dingbell.domain.causes import Cause, CauseKind, ScheduleChange
from dingbell.domain.lifecycle import Delivery, Run
from dingbell.domain.run import Kind, RunSpec
from dingbell.store.connection import Connection
from dingbell.store.ledger import batches
from dingbell.store.ledger.runs import RunRow, move, of_ids
from dingbell.store.states import RUN_OPEN

__all__ = [
    "held_of",
    "last_due",
    "last_forecast",
    "prepared",
    "respecify_held",
    "stop",
    "withdraw",
]


async def prepared(connection: Connection, schedule_id: int, now: datetime) -> list[int]:
    """Lock the occurrences of a schedule for which no call was made.

    Those that are held past their instant are none of them: see `held_of`.
    """
    rows = await connection.fetch(
        f"""
        select id from runs
        where schedule_id = $1 and kind = {Kind.OCCURRENCE:sql}
          and (state in ({Run.DUE:sql}, {Run.PLANNED:sql})
               or (state = {Run.HELD:sql} and due_at > $2))
        order by id for update
        """,
        schedule_id,
        now,
    )
    return [row["id"] for row in rows]


async def withdraw(
    connection: Connection, ids: Sequence[int], *, actor: str | None = None
) -> datetime | None:
    """Delete runs for which no call was made, with all that was prepared for them.

    Returns:
        The earliest due instant, to be made again under the new rule.
    """
    for table in ("deliveries", "batches"):
        await connection.execute(f"delete from {table} where run_id = any($1::bigint[])", list(ids))
    earliest: datetime | None = await connection.fetchval(
        """
        with gone as (delete from runs where id = any($1::bigint[]) returning id, state, due_at),
        noted as (
            insert into outbox (noun, run_id, old, new, actor)
            select 'run', id, state, null, $2::text from gone)
        select min(due_at) from gone
        """,
        list(ids),
        actor,
    )
    return earliest


async def held_of(connection: Connection, schedule_id: int) -> list[RunRow]:
    """Lock the held occurrences of a schedule, the earliest first."""
    rows = await connection.fetch(
        f"""
        select id from runs
        where schedule_id = $1 and kind = {Kind.OCCURRENCE:sql} and state = {Run.HELD:sql}
        order by id for update
        """,
        schedule_id,
    )
    held = await of_ids(connection, [row["id"] for row in rows])
    return sorted(held, key=lambda run: (run.due_at, run.id))


async def stop(
    connection: Connection,
    schedule_id: int,
    now: datetime,
    change: ScheduleChange,
    *,
    actor: str | None = None,
) -> None:
    """Cancel all runs of a schedule that rests or is gone; what is claimed counts as sent."""
    rows = await connection.fetch(
        f"""
        select f.id, coalesce(sum(d.people), 0)::int as people,
               coalesce(sum(d.people) filter (where d.state <> {Delivery.PLANNED:sql}), 0)::int
                   as sent
        from runs f left join deliveries d on d.run_id = f.id
        where f.schedule_id = $1 and f.state in {RUN_OPEN}
        group by f.id order by f.id
        """,
        schedule_id,
    )
    for row in rows:
        params = {"change": change.value, "sent": row["sent"], "people": row["people"]}
        cause = Cause(CauseKind.SCHEDULE_CHANGED, params)
        await move(connection, [row["id"]], Run.CANCELED, now, cause=cause, actor=actor)
    await batches.cancel_queued(connection, [row["id"] for row in rows], actor=actor)


async def respecify_held(
    connection: Connection,
    schedule_id: int,
    *,
    app_id: int,
    org: str,
    spec: RunSpec,
    function: str | None,
) -> None:
    """Let held occurrences of a schedule say what it says now."""
    await connection.execute(
        f"""
        update runs set app_id = $2, org = $3, spec = $4, on_ambiguous = $5,
            expires_after = $6, follows_up = $7, function = $8
        where schedule_id = $1 and kind = {Kind.OCCURRENCE:sql} and state = {Run.HELD:sql}
        """,
        schedule_id,
        app_id,
        org,
        spec.to_dict(),
        spec.on_ambiguous,
        getattr(spec, "expires_after", None),
        spec.follow_up is not None,
        function,
    )


async def last_due(connection: Connection, schedule_id: int) -> datetime | None:
    """The due instant of a schedule's newest occurrence."""
    due: datetime | None = await connection.fetchval(
        f"select max(due_at) from runs where schedule_id = $1 and kind = {Kind.OCCURRENCE:sql}",
        schedule_id,
    )
    return due


async def last_forecast(connection: Connection, schedule_id: int) -> dict[str, Any] | None:
    """What was expected of a schedule's newest planned occurrence."""
    forecast: dict[str, Any] | None = await connection.fetchval(
        f"""
        select forecast from runs
        where schedule_id = $1 and kind = {Kind.OCCURRENCE:sql} and forecast is not null
        order by due_at desc limit 1
        """,
        schedule_id,
    )
    return forecast
