"""Table `firings`: one occurrence of a schedule, a run-now, or a manual send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dingbell.domain.lifecycle import FIRING_MOVES, Firing, origins
from dingbell.store.connection import Connection

__all__ = ["FiringRow", "NewFiring", "create", "lock", "move"]


@dataclass(frozen=True, slots=True)
class NewFiring:
    """A firing to be; unique by (schedule, kind, key)."""

    schedule_id: int | None
    schedule: str | None
    revision: int
    kind: str
    key: str
    app_id: int
    org: str
    function: str | None
    spec: dict[str, Any]
    due_at: datetime
    state: Firing = Firing.DUE
    reason: str | None = None
    occurrences: int = 1
    parent_id: int | None = None
    held_until: datetime | None = None
    requested_by: str | None = None


@dataclass(frozen=True, slots=True)
class FiringRow:
    """A firing as the engine works on it."""

    id: int
    schedule_id: int | None
    schedule: str | None
    kind: str
    app_id: int
    org: str
    function: str | None
    spec: dict[str, Any]
    due_at: datetime
    created_at: datetime
    state: str
    tries: int
    parent_id: int | None
    reason: str | None
    approved_by: str | None


_COLUMNS = """id, schedule_id, schedule, kind, app_id, org, function, spec, due_at,
    created_at, state, tries, parent_id, reason, approved_by"""


# A planner that is alive touches its firings more often than this.
PLANNING_SILENCE = timedelta(seconds=10)

# When a firing enters a state is kept; all final states share `settled_at`.
_STAMPS = {Firing.PLANNED: "planned_at", Firing.SENDING: "started_at"}


def _row(row: Mapping[str, Any]) -> FiringRow:
    return FiringRow(**row)


async def create(
    connection: Connection, firings: Sequence[NewFiring], now: datetime
) -> list[tuple[int, NewFiring]]:
    """Insert firings; those whose identity exists already are left as they are.

    Returns:
        The new ones with their ids, in the order given.
    """
    rows = await connection.fetch(
        """
        insert into firings (schedule_id, schedule, revision, kind, key, app_id, org, function,
                             spec, due_at, created_at, touched_at, settled_at, state, reason,
                             occurrences, parent_id, held_until, requested_by)
        select f.schedule_id, f.schedule, f.revision, f.kind, f.key, f.app_id, f.org, f.function,
               f.spec, f.due_at, $17::timestamptz, $17::timestamptz,
               case when f.state not in ('due', 'held') then $17::timestamptz end, f.state,
               f.reason, f.occurrences, f.parent_id, f.held_until, f.requested_by
        from unnest($1::bigint[], $2::text[], $3::int[], $4::text[], $5::text[], $6::bigint[],
                    $7::text[], $8::text[], $9::jsonb[], $10::timestamptz[], $11::text[],
                    $12::text[], $13::int[], $14::bigint[], $15::timestamptz[], $16::text[])
             with ordinality as f (schedule_id, schedule, revision, kind, key, app_id, org,
                                   function, spec, due_at, state, reason, occurrences, parent_id,
                                   held_until, requested_by, place)
        order by f.place
        on conflict (coalesce(schedule_id, 0), kind, key) do nothing
        returning id, coalesce(schedule_id, 0) as schedule_id, kind, key
        """,
        [f.schedule_id for f in firings],
        [f.schedule for f in firings],
        [f.revision for f in firings],
        [f.kind for f in firings],
        [f.key for f in firings],
        [f.app_id for f in firings],
        [f.org for f in firings],
        [f.function for f in firings],
        [f.spec for f in firings],
        [f.due_at for f in firings],
        [f.state.value for f in firings],
        [f.reason for f in firings],
        [f.occurrences for f in firings],
        [f.parent_id for f in firings],
        [f.held_until for f in firings],
        [f.requested_by for f in firings],
        now,
    )
    ids = {(row["schedule_id"], row["kind"], row["key"]): row["id"] for row in rows}
    identified = ((ids.pop((f.schedule_id or 0, f.kind, f.key), None), f) for f in firings)
    return [(firing_id, f) for firing_id, f in identified if firing_id is not None]


async def begin_planning(
    connection: Connection, ids: Sequence[int], now: datetime
) -> list[FiringRow]:
    """Take the due firings that nobody has tried to plan; count the try before anything else.

    Whoever plans for long touches them, see `touch`.
    """
    rows = await connection.fetch(
        f"""
        update firings set tries = 1, touched_at = $2 where id in (
            select id from firings where id = any($1::bigint[]) and state = 'due' and tries = 0
            order by id for update skip locked)
        returning {_COLUMNS}
        """,
        list(ids),
        now,
    )
    return sorted((_row(dict(row)) for row in rows), key=lambda firing: firing.id)


async def suspects(connection: Connection, ids: Sequence[int], now: datetime) -> list[int]:
    """Those of the firings whose planning was begun and has ended without a word."""
    rows = await connection.fetch(
        """
        select id from firings
        where id = any($1::bigint[]) and state = 'due' and tries > 0 and touched_at <= $2
        order by id
        """,
        list(ids),
        now - PLANNING_SILENCE,
    )
    return [row["id"] for row in rows]


async def begin_suspect(connection: Connection, firing_id: int, now: datetime) -> FiringRow | None:
    """Take a suspect that nobody is planning, and count the try; None where it is none any more."""
    row = await connection.fetchrow(
        f"""
        update firings set tries = tries + 1, touched_at = $2
        where id = $1 and state = 'due' and tries > 0 and touched_at <= $3
        returning {_COLUMNS}
        """,
        firing_id,
        now,
        now - PLANNING_SILENCE,
    )
    return None if row is None else _row(dict(row))


async def on_its_way(connection: Connection, firing_id: int) -> bool:
    """Whether batches of a firing may still be sent; it stays so until the transaction ends."""
    state: str | None = await connection.fetchval(
        "select state from firings where id = $1 for share", firing_id
    )
    return state in (Firing.PLANNED, Firing.SENDING)


async def forgive(connection: Connection, ids: Sequence[int]) -> None:
    """Take back a try at planning that failed for no fault of the firings."""
    await connection.execute(
        "update firings set tries = greatest(tries - 1, 0) "
        "where id = any($1::bigint[]) and state = 'due'",
        list(ids),
    )


async def touch(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Say that firings are still being planned."""
    await connection.execute(
        "update firings set touched_at = $2 where id = any($1::bigint[]) and state = 'due'",
        list(ids),
        now,
    )


async def lock(connection: Connection, ids: Sequence[int], state: Firing) -> list[FiringRow]:
    """Lock the firings that are in a state, in order of id."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from firings where id = any($1::bigint[]) and state = $2
        order by id for update
        """,
        list(ids),
        state.value,
    )
    return [_row(dict(row)) for row in rows]


async def foresee(connection: Connection, forecasts: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Keep with firings what is expected of them."""
    await connection.execute(
        """
        update firings f set forecast = e.forecast
        from unnest($1::bigint[], $2::jsonb[]) as e (id, forecast) where f.id = e.id
        """,
        [firing_id for firing_id, _ in forecasts],
        [forecast for _, forecast in forecasts],
    )


async def move(
    connection: Connection,
    ids: Sequence[int],
    target: Firing,
    now: datetime,
    *,
    reason: str | None = None,
) -> list[int]:
    """Compare and swap the state of firings; return those that moved."""
    stamp = _STAMPS.get(target, "settled_at")
    rows = await connection.fetch(
        f"""
        update firings set state = $2, reason = coalesce($5, reason), tries = 0, {stamp} = $4
        where id = any($1::bigint[]) and state = any($3::text[]) returning id
        """,
        list(ids),
        target.value,
        origins(FIRING_MOVES, target),
        now,
        reason,
    )
    return [row["id"] for row in rows]


async def unprepare(connection: Connection, schedule_id: int, now: datetime) -> datetime | None:
    """Take back the occurrences of a schedule for which no call was made.

    Those that are held past their instant stay: see `respecify_held` and `cancel_held`.

    Returns:
        The earliest due instant taken back, to be made again under the new rule.
    """
    rows = await connection.fetch(
        """
        select f.id, f.due_at from firings f
        where f.schedule_id = $1 and f.kind = 'occurrence'
          and (f.state in ('due', 'planned') or (f.state = 'held' and f.due_at > $2))
        order by f.id for update
        """,
        schedule_id,
        now,
    )
    ids = [row["id"] for row in rows]
    for statement in (
        "delete from deliveries where firing_id = any($1::bigint[])",
        "delete from batches where firing_id = any($1::bigint[])",
        "delete from firings where id = any($1::bigint[])",
    ):
        await connection.execute(statement, ids)
    return min((row["due_at"] for row in rows), default=None)


async def respecify_held(
    connection: Connection, schedule_id: int, *, app_id: int, org: str, spec: dict[str, Any]
) -> None:
    """Let held occurrences of a schedule say what it says now."""
    await connection.execute(
        """
        update firings set app_id = $2, org = $3, spec = $4
        where schedule_id = $1 and kind = 'occurrence' and state = 'held'
        """,
        schedule_id,
        app_id,
        org,
        spec,
    )


async def cancel_held(connection: Connection, schedule_id: int, now: datetime) -> None:
    """Cancel held occurrences of a schedule that rests or is gone."""
    await connection.execute(
        """
        update firings set state = 'canceled', settled_at = $2,
            reason = 'the schedule was paused or deleted while it was held'
        where schedule_id = $1 and kind = 'occurrence' and state = 'held'
        """,
        schedule_id,
        now,
    )


async def last_due(connection: Connection, schedule_id: int) -> datetime | None:
    """The due instant of a schedule's newest occurrence."""
    due: datetime | None = await connection.fetchval(
        "select max(due_at) from firings where schedule_id = $1 and kind = 'occurrence'",
        schedule_id,
    )
    return due


async def last_forecast(connection: Connection, schedule_id: int) -> dict[str, Any] | None:
    """What was expected of a schedule's newest planned occurrence."""
    forecast: dict[str, Any] | None = await connection.fetchval(
        """
        select forecast from firings
        where schedule_id = $1 and kind = 'occurrence' and forecast is not null
        order by due_at desc limit 1
        """,
        schedule_id,
    )
    return forecast


async def settle(connection: Connection, ids: Sequence[int], now: datetime) -> list[int]:
    """Settle the firings of which every batch is final; return those that moved."""
    await connection.execute(
        "select from firings where id = any($1::bigint[]) order by id for update", list(ids)
    )
    rows = await connection.fetch(
        """
        update firings f set state = 'settled', settled_at = $2
        where id = any($1::bigint[]) and state in ('sending', 'planned') and not exists (
            select from batches b where b.firing_id = f.id
            and b.state in ('queued', 'sending', 'accepted'))
        returning id
        """,
        list(ids),
        now,
    )
    return [row["id"] for row in rows]


async def with_follow_up(connection: Connection, ids: Sequence[int]) -> list[FiringRow]:
    """Those of the firings that are to be followed up on; a follow-up itself is not."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from firings
        where id = any($1::bigint[]) and kind <> 'follow_up' and spec ? 'follow_up' order by id
        """,
        list(ids),
    )
    return [_row(dict(row)) for row in rows]


async def cancelable(connection: Connection) -> list[int]:
    """Firings of which something may still be sent."""
    rows = await connection.fetch(
        "select id from firings where state in ('due', 'held', 'planned', 'sending') order by id"
    )
    return [row["id"] for row in rows]


async def ask_recall(connection: Connection, firing_id: int, now: datetime | None) -> None:
    """Note that a firing is to be recalled, or with None that this has been done."""
    await connection.execute(
        "update firings set recall_asked_at = $2 where id = $1", firing_id, now
    )


async def recall_asked(connection: Connection, firing_id: int) -> bool:
    """Lock a firing; whether it is to be recalled."""
    asked: datetime | None = await connection.fetchval(
        "select recall_asked_at from firings where id = $1 for update", firing_id
    )
    return asked is not None


async def recall_pending(connection: Connection, firing_id: int) -> bool:
    """Whether a recall that was asked for has not been carried out yet."""
    asked: datetime | None = await connection.fetchval(
        "select recall_asked_at from firings where id = $1", firing_id
    )
    return asked is not None


async def recalls_lost(connection: Connection, before: datetime) -> list[int]:
    """Firings whose recall was asked for a while ago and is not done."""
    rows = await connection.fetch("select id from firings where recall_asked_at < $1", before)
    return [row["id"] for row in rows]


async def planning_lost(
    connection: Connection, *, now: datetime, functions: Sequence[str]
) -> list[tuple[int, str | None]]:
    """Due firings that nobody has touched for a while: (id, function)."""
    rows = await connection.fetch(
        """
        select id, function from firings
        where state = 'due' and touched_at < $1
          and (function is null or function = any($2::text[]))
        order by id limit 200
        """,
        now - PLANNING_SILENCE,
        list(functions),
    )
    return [(row["id"], row["function"]) for row in rows]


async def settling_lost(connection: Connection, before: datetime) -> list[int]:
    """Firings on their way since a while of which every batch is final."""
    rows = await connection.fetch(
        """
        select f.id from firings f where f.state in ('planned', 'sending')
        and coalesce(f.started_at, f.planned_at) < $1
        and not exists (select from batches b where b.firing_id = f.id
                        and b.state in ('queued', 'sending', 'accepted'))
        limit 200
        """,
        before,
    )
    return [row["id"] for row in rows]
