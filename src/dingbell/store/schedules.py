"""Table `schedules`: what is to be sent when, and the next instant of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from dingbell.domain.calendar.calendars import Calendars
from dingbell.domain.schedule import ScheduleSpec
from dingbell.domain.zones import DEFAULT
from dingbell.store import calendars, duty
from dingbell.store.connection import Connection

__all__ = ["CHANNEL", "Due", "Schedule", "advance", "claim_due", "next_wake"]

# Notified whenever a schedule changes, so that tickers need not ask.
CHANNEL = "dingbell_schedules"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule as it is stored.

    Attributes:
        program: whose process has registered the function of a Python schedule.
        attended: whether a node that is alive can fire it; only those with a function need one
            that has registered it.
        orphaned: whether nobody can, and the newest start of its program has not registered it.
        calendars: those that are known where it is stored.
    """

    id: int
    name: str
    app_id: int
    app: str
    org: str
    state: str
    source: str
    program: str | None
    revision: int
    spec: dict[str, Any]
    function: str | None
    attended: bool
    orphaned: bool
    next_due_at: datetime | None
    problem: str | None
    requested_by: str | None
    approved: bool
    created_at: datetime
    updated_at: datetime
    calendars: Calendars

    @property
    def timezone(self) -> str:
        """The name of its zone, also where the rest of the specification cannot be read."""
        return str(self.spec.get("timezone", DEFAULT))

    def parsed(self) -> ScheduleSpec:
        """The specification as a value."""
        return ScheduleSpec.model_validate(self.spec).on(self.calendars)


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule whose time to prepare has come."""

    id: int
    name: str
    app_id: int
    org: str
    revision: int
    spec: dict[str, Any]
    function: str | None
    next_due_at: datetime
    approved: bool
    requested_by: str | None


_SELECT = """
    select s.id, s.name, s.app_id, a.org, s.state, s.source, s.program, s.revision, s.spec,
           s.function, k.attended, s.orphaned and not k.attended as orphaned,
           s.next_due_at, s.problem, s.requested_by,
           coalesce(s.approved_revision, s.revision) = s.revision as approved,
           s.created_at, s.updated_at,
           coalesce(
               (select n.name from app_names n
                where n.name = s.spec ->> 'app' and n.app_id = s.app_id),
               (select min(n.name) from app_names n where n.app_id = s.app_id)) as app
    from schedules s join apps a on a.id = s.app_id cross join lateral (
        select s.function is null or exists (
            select from nodes n
            where n.lease_until > clock_timestamp() and s.function = any(n.functions)) as attended
    ) k
"""


def _schedule(row: asyncpg.Record, known: Calendars) -> Schedule:
    return Schedule(**dict(row), calendars=known)


async def all_schedules(connection: Connection) -> list[Schedule]:
    """Every schedule, by name."""
    rows = await connection.fetch(f"{_SELECT} order by s.name")
    known = await calendars.known(connection)
    return [_schedule(row, known) for row in rows]


async def page(connection: Connection, *, limit: int, after: str) -> list[Schedule]:
    """So many schedules by name, behind a name."""
    rows = await connection.fetch(
        f"{_SELECT} where s.name > $2 order by s.name limit $1", limit, after
    )
    known = await calendars.known(connection)
    return [_schedule(row, known) for row in rows]


async def named(connection: Connection, name: str, *, lock: bool = False) -> Schedule | None:
    """The schedule of a name, locked against other changes where that is asked for."""
    suffix = " for update of s" if lock else ""
    row = await connection.fetchrow(f"{_SELECT} where s.name = $1{suffix}", name)
    return _schedule(row, await calendars.known(connection)) if row else None


async def insert(
    connection: Connection,
    *,
    name: str,
    app_id: int,
    source: str,
    spec: ScheduleSpec,
    next_due_at: datetime | None,
    now: datetime,
    by: str | None = None,
    approved: bool = True,
    program: str | None = None,
) -> int:
    """Add a schedule and wake the tickers; one that is not approved fires held occurrences."""
    schedule_id: int = await connection.fetchval(
        """
        insert into schedules (name, app_id, state, source, spec, function, next_due_at, wake_at,
                               created_at, updated_at, requested_by, approved_revision, program)
        values ($1, $2, 'active', $3, $4, $5, $6, $6::timestamptz - $7::interval, $8, $8, $9,
                case when $10 then null else 0 end, $11)
        returning id
        """,
        name,
        app_id,
        source,
        spec.to_dict(),
        spec.function,
        next_due_at,
        spec.lead,
        now,
        by,
        approved,
        program,
    )
    await _notify(connection)
    return schedule_id


async def update(
    connection: Connection,
    schedule_id: int,
    *,
    app_id: int,
    spec: ScheduleSpec,
    next_due_at: datetime | None,
    now: datetime,
    by: str | None = None,
    approved: bool = True,
    program: str | None = None,
) -> None:
    """Replace what a schedule says; its revision grows, a problem is forgotten."""
    await connection.execute(
        """
        update schedules set app_id = $2, spec = $3, function = $4, next_due_at = $5,
            wake_at = $5::timestamptz - $6::interval, revision = revision + 1, problem = null,
            updated_at = $7, requested_by = $8, program = $10,
            approved_revision = case when $9 then null
                                     else coalesce(approved_revision, revision) end
        where id = $1
        """,
        schedule_id,
        app_id,
        spec.to_dict(),
        spec.function,
        next_due_at,
        spec.lead,
        now,
        by,
        approved,
        program,
    )
    await _notify(connection)


async def reserve(connection: Connection, names: Sequence[str]) -> None:
    """Let nobody else create or change schedules of these names until the transaction ends.

    Several processes of one program start at once, on a database that has none of them yet.
    """
    await duty.awaited(connection, [f"schedule:{name}" for name in names])


async def mark_orphans(connection: Connection, program: str, names: Sequence[str]) -> None:
    """Note which schedules of a program it has registered at its start, and which no longer."""
    await connection.execute(
        "update schedules set orphaned = name <> all($2::text[]) "
        "where program = $1 and orphaned = (name = any($2::text[]))",
        program,
        list(names),
    )


async def set_state(
    connection: Connection,
    schedule_id: int,
    state: str,
    *,
    next_due_at: datetime | None,
    lead: timedelta,
    now: datetime,
) -> None:
    """Pause or resume a schedule."""
    await connection.execute(
        """
        update schedules set state = $2, next_due_at = $3,
            wake_at = $3::timestamptz - $4::interval, problem = null, updated_at = $5
        where id = $1
        """,
        schedule_id,
        state,
        next_due_at,
        lead,
        now,
    )
    await _notify(connection)


async def approve(connection: Connection, schedule_id: int) -> None:
    """Approve the present revision of a schedule."""
    await connection.execute(
        "update schedules set approved_revision = revision where id = $1", schedule_id
    )
    await _notify(connection)


async def delete(connection: Connection, schedule_id: int) -> None:
    """Remove a schedule; its runs stay."""
    await connection.execute("delete from schedules where id = $1", schedule_id)
    await _notify(connection)


async def _notify(connection: Connection) -> None:
    await connection.execute(f"select pg_notify('{CHANNEL}', '')")


_MINE = "(function is null or function = any($1::text[]))"


async def next_wake(connection: Connection, functions: Sequence[str]) -> datetime | None:
    """When the next schedule has to be prepared by a process that knows these functions."""
    wake: datetime | None = await connection.fetchval(
        f"""
        select min(wake_at) from schedules
        where state = 'active' and problem is null and {_MINE}
        """,
        list(functions),
    )
    return wake


async def claim_due(
    connection: Connection, *, now: datetime, functions: Sequence[str], limit: int
) -> list[Due]:
    """Lock the schedules whose time to prepare has come; those locked elsewhere are passed over."""
    rows = await connection.fetch(
        f"""
        select s.id, s.name, s.app_id, a.org, s.revision, s.spec, s.function, s.next_due_at,
               s.requested_by,
               coalesce(s.approved_revision, s.revision) = s.revision as approved
        from schedules s join apps a on a.id = s.app_id
        where s.state = 'active' and s.problem is null and s.wake_at <= $2 and {_MINE}
        order by s.wake_at limit $3
        for update of s skip locked
        """,
        list(functions),
        now,
        limit,
    )
    return [Due(**dict(row)) for row in rows]


async def advance(
    connection: Connection, steps: Sequence[tuple[int, datetime | None, datetime | None]]
) -> None:
    """Move schedules on: (schedule id, next due instant, when to prepare it)."""
    await connection.execute(
        """
        update schedules s set next_due_at = n.due, wake_at = n.wake
        from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) as n (id, due, wake)
        where s.id = n.id
        """,
        [schedule_id for schedule_id, _, _ in steps],
        [due for _, due, _ in steps],
        [wake for _, _, wake in steps],
    )


async def mark_problem(connection: Connection, schedule_id: int, problem: str) -> None:
    """Set a schedule aside because its rule raised; an edit or resume clears it."""
    await connection.execute(
        "update schedules set problem = $2 where id = $1", schedule_id, problem[:500]
    )
