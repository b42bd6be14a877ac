"""Table `runs`: one occurrence of a schedule, a run by hand, a send, a follow-up, an alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import asyncpg

from dingbell.domain.causes import Cause
from dingbell.domain.lifecycle import Run
from dingbell.domain.run import Kind, RunSpec, parse_spec
from dingbell.store.connection import Connection
from dingbell.store.states import BATCH_OPEN, RUN_OPEN, RUN_UNDER_WAY
from dingbell.store.transitions import RUNS, Given, entered, noted_new
from dingbell.store.transitions import move as move_rows

__all__ = ["NewRun", "RunRow", "create", "lock", "move"]


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be; unique by (schedule, kind, key)."""

    schedule_id: int | None
    schedule: str | None
    revision: int
    kind: Kind
    key: str
    app_id: int
    org: str
    function: str | None
    spec: RunSpec
    due_at: datetime
    state: Run = Run.DUE
    cause: Cause | None = None
    occurrences: int = 1
    parent_id: int | None = None
    held_until: datetime | None = None
    requested_by: str | None = None

    def columns(self) -> tuple[Any, ...]:
        """What is inserted, in the order of `_NEW`."""
        return (
            self.schedule_id,
            self.schedule,
            self.revision,
            self.kind.value,
            self.key,
            self.app_id,
            self.org,
            self.function,
            self.spec.to_dict(),
            self.due_at,
            self.state.value,
            self.cause.kind.value if self.cause else None,
            dict(self.cause.params) if self.cause else None,
            self.occurrences,
            self.parent_id,
            self.held_until,
            self.requested_by,
            self.spec.on_ambiguous,
            getattr(self.spec, "expires_after", None),
            self.spec.follow_up is not None and self.kind is not Kind.FOLLOW_UP,
            getattr(self.spec, "poll_lead", None),
        )


# Columns and their types; the state comes with them, and with it when the run ended.
_NEW = {
    "schedule_id": "bigint",
    "schedule": "text",
    "revision": "int",
    "kind": "text",
    "key": "text",
    "app_id": "bigint",
    "org": "text",
    "function": "text",
    "spec": "jsonb",
    "due_at": "timestamptz",
    "state": "text",
    "cause": "text",
    "cause_params": "jsonb",
    "occurrences": "int",
    "parent_id": "bigint",
    "held_until": "timestamptz",
    "requested_by": "text",
    "on_ambiguous": "text",
    "expires_after": "interval",
    "follows_up": "boolean",
    "poll_lead": "interval",
}


@dataclass(frozen=True)
class RunRow:
    """A run as the engine works on it."""

    id: int
    schedule_id: int | None
    schedule: str | None
    kind: Kind
    app_id: int
    org: str
    function: str | None
    stored: Mapping[str, Any]
    due_at: datetime
    created_at: datetime
    state: Run
    tries: int
    parent_id: int | None
    cause: Cause | None
    approved_by: str | None

    @cached_property
    def spec(self) -> RunSpec:
        """What it is to do.

        Raises:
            InputError: it cannot be read, or does not work any more.
        """
        return parse_spec(self.kind, self.stored)


_COLUMNS = """id, schedule_id, schedule, kind, app_id, org, function, spec as stored, due_at,
    created_at, state, tries, parent_id, cause, cause_params, approved_by"""


# A planner that is alive touches its runs more often than this.
PLANNING_SILENCE = timedelta(seconds=10)


def _row(row: asyncpg.Record) -> RunRow:
    values = dict(row)
    params = values.pop("cause_params")
    return RunRow(
        **{
            **values,
            "kind": Kind(values["kind"]),
            "state": Run(values["state"]),
            "cause": Cause.stored(values["cause"], params),
        }
    )


async def create(
    connection: Connection, runs: Sequence[NewRun], now: datetime
) -> list[tuple[int, NewRun]]:
    """Insert runs; those whose identity exists already are left as they are.

    Returns:
        The new ones with their ids, in the order given.
    """
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(_NEW.values(), 2))
    names = ", ".join(_NEW)
    columns = zip(*(one.columns() for one in runs), strict=True)
    rows = await connection.fetch(
        f"""
        with entered as (
            insert into runs ({names}, created_at, touched_at, settled_at)
            select {", ".join(f"f.{name}" for name in _NEW)}, $1::timestamptz, $1::timestamptz,
                   case when f.state not in {RUN_OPEN} then $1::timestamptz end
            from unnest({arrays}) with ordinality as f ({names}, place)
            order by f.place
            on conflict (coalesce(schedule_id, 0), kind, key) do nothing
            returning id, coalesce(schedule_id, 0) as schedule_id, kind, key, state, cause,
                      cause_params, requested_by
        ), {noted_new("entered")}
        select id, schedule_id, kind, key from entered
        """,
        now,
        *(list(column) for column in columns),
    )
    ids = {(row["schedule_id"], row["kind"], row["key"]): row["id"] for row in rows}
    identified = ((ids.pop((f.schedule_id or 0, f.kind, f.key), None), f) for f in runs)
    created = [(run_id, f) for run_id, f in identified if run_id is not None]
    entered([(run_id, f.state, f.cause) for run_id, f in created])
    return created


async def identified(
    connection: Connection, schedule_id: int | None, kind: Kind, key: str
) -> int | None:
    """The id of the run of an identity."""
    found: int | None = await connection.fetchval(
        "select id from runs where coalesce(schedule_id, 0) = $1 and kind = $2 and key = $3",
        schedule_id or 0,
        kind.value,
        key,
    )
    return found


async def begin_planning(connection: Connection, ids: Sequence[int], now: datetime) -> list[RunRow]:
    """Take the due runs that nobody has tried to plan; count the try before anything else.

    Whoever plans for long touches them, see `touch`.
    """
    rows = await connection.fetch(
        f"""
        update runs set tries = 1, touched_at = $2 where id in (
            select id from runs
            where id = any($1::bigint[]) and state = {Run.DUE:sql} and tries = 0
            order by id for update skip locked)
        returning {_COLUMNS}
        """,
        list(ids),
        now,
    )
    return sorted((_row(row) for row in rows), key=lambda run: run.id)


async def suspects(connection: Connection, ids: Sequence[int], now: datetime) -> list[int]:
    """Those of the runs whose planning was begun and has ended without a word."""
    rows = await connection.fetch(
        f"""
        select id from runs
        where id = any($1::bigint[]) and state = {Run.DUE:sql} and tries > 0 and touched_at <= $2
        order by id
        """,
        list(ids),
        now - PLANNING_SILENCE,
    )
    return [row["id"] for row in rows]


async def begin_suspect(connection: Connection, run_id: int, now: datetime) -> RunRow | None:
    """Take a suspect that nobody is planning, and count the try; None where it is none any more."""
    row = await connection.fetchrow(
        f"""
        update runs set tries = tries + 1, touched_at = $2
        where id = $1 and state = {Run.DUE:sql} and tries > 0 and touched_at <= $3
        returning {_COLUMNS}
        """,
        run_id,
        now,
        now - PLANNING_SILENCE,
    )
    return None if row is None else _row(row)


async def find(connection: Connection, run_id: int) -> RunRow | None:
    """A run by its id."""
    rows = await connection.fetch(f"select {_COLUMNS} from runs where id = $1", run_id)
    return _row(rows[0]) if rows else None


async def on_its_way(connection: Connection, run_id: int) -> bool:
    """Whether batches of a run may still be sent; it stays so until the transaction ends."""
    state: str | None = await connection.fetchval(
        "select state from runs where id = $1 for share", run_id
    )
    return state in (Run.PLANNED, Run.SENDING)


async def forgive(connection: Connection, ids: Sequence[int]) -> None:
    """Take back a try at planning that failed for no fault of the runs."""
    await connection.execute(
        "update runs set tries = greatest(tries - 1, 0) "
        f"where id = any($1::bigint[]) and state = {Run.DUE:sql}",
        list(ids),
    )


async def touch(connection: Connection, ids: Sequence[int], now: datetime) -> None:
    """Say that runs are still being planned."""
    await connection.execute(
        f"update runs set touched_at = $2 where id = any($1::bigint[]) and state = {Run.DUE:sql}",
        list(ids),
        now,
    )


async def lock(connection: Connection, ids: Sequence[int], state: Run) -> list[RunRow]:
    """Lock the runs that are in a state, in order of id."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from runs where id = any($1::bigint[]) and state = $2
        order by id for update
        """,
        list(ids),
        state.value,
    )
    return [_row(row) for row in rows]


async def predict(connection: Connection, forecasts: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Keep with runs what is expected of them."""
    await connection.execute(
        """
        update runs f set forecast = e.forecast
        from unnest($1::bigint[], $2::jsonb[]) as e (id, forecast) where f.id = e.id
        """,
        [run_id for run_id, _ in forecasts],
        [forecast for _, forecast in forecasts],
    )


async def move(
    connection: Connection,
    ids: Sequence[int],
    target: Run,
    now: datetime,
    *,
    cause: Cause | None = None,
    actor: str | None = None,
    usual: Run | None = None,
) -> list[int]:
    """Compare and swap the state of runs; return those that moved.

    A cause replaces the one before; without one that stays.
    """
    rows = await move_rows(
        connection,
        RUNS,
        target,
        Given.of(ids, now=("timestamptz", now)),
        changes="cause = coalesce(g.cause_kind, t.cause), "
        "cause_params = case when g.cause_kind is null then t.cause_params else g.cause_params end",
        cause=cause,
        actor=actor,
        usual=usual,
    )
    return [row["id"] for row in rows]


async def withdraw_batches(
    connection: Connection, ids: Sequence[int], now: datetime
) -> list[RunRow]:
    """Have planned runs planned anew: their batches go, they are `due` again.

    Returns:
        Those that no call had been made of.
    """
    moved = await move(connection, ids, Run.DUE, now, usual=Run.PLANNED)
    for table in ("deliveries", "batches"):
        await connection.execute(f"delete from {table} where run_id = any($1::bigint[])", moved)
    return await lock(connection, moved, Run.DUE)


async def in_state(connection: Connection, state: Run) -> list[int]:
    """Every run that is in a state, oldest first."""
    rows = await connection.fetch("select id from runs where state = $1 order by id", state.value)
    return [row["id"] for row in rows]


async def note_template(connection: Connection, run_id: int, used: tuple[str, int] | None) -> None:
    """Note which version of which template a run's words are from."""
    name, version = used or (None, None)
    await connection.execute(
        "update runs set template = $2, template_version = $3 where id = $1", run_id, name, version
    )


async def outworded(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the runs whose template has changed since they were drafted.

    No template of theirs changes any more until the transaction ends.
    """
    rows = await connection.fetch(
        """
        select r.id, t.version is distinct from r.template_version as changed
        from runs r left join lateral (
            select version from templates where name = r.template for share) t on true
        where r.id = any($1::bigint[]) and r.template is not null
        """,
        list(ids),
    )
    return {row["id"] for row in rows if row["changed"]}


async def of_ids(connection: Connection, ids: Sequence[int]) -> list[RunRow]:
    """Some runs, by id."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from runs where id = any($1::bigint[]) order by id", list(ids)
    )
    return [_row(row) for row in rows]


async def settle(connection: Connection, ids: Sequence[int], now: datetime) -> list[int]:
    """Settle the runs of which every batch is final; return those that moved."""
    await connection.execute(
        "select from runs where id = any($1::bigint[]) order by id for update", list(ids)
    )
    rows = await move_rows(
        connection,
        RUNS,
        Run.SETTLED,
        Given.of(ids, now=("timestamptz", now)),
        only=f"not exists (select from batches b where b.run_id = t.id "
        f"and b.state in {BATCH_OPEN})",
        usual=Run.SENDING,
    )
    return [row["id"] for row in rows]


async def with_follow_up(connection: Connection, ids: Sequence[int]) -> list[RunRow]:
    """Those of the runs that are to be followed up on."""
    rows = await connection.fetch(
        f"""
        select {_COLUMNS} from runs
        where id = any($1::bigint[]) and follows_up order by id
        """,
        list(ids),
    )
    return [_row(row) for row in rows]


async def cancelable(connection: Connection) -> list[int]:
    """Runs of which something may still be sent."""
    rows = await connection.fetch(f"select id from runs where state in {RUN_OPEN} order by id")
    return [row["id"] for row in rows]


async def unplanned(
    connection: Connection, *, now: datetime, functions: Sequence[str]
) -> list[tuple[int, str | None]]:
    """Due runs that nobody has touched for a while: (id, function)."""
    rows = await connection.fetch(
        f"""
        select id, function from runs
        where state = {Run.DUE:sql} and touched_at < $1
          and (function is null or function = any($2::text[]))
        order by id limit 200
        """,
        now - PLANNING_SILENCE,
        list(functions),
    )
    return [(row["id"], row["function"]) for row in rows]


async def unsettled(connection: Connection, before: datetime) -> list[int]:
    """Runs on their way since a while of which every batch is final."""
    rows = await connection.fetch(
        f"""
        select f.id from runs f where f.state in {RUN_UNDER_WAY}
        and coalesce(f.started_at, f.planned_at) < $1
        and not exists (select from batches b where b.run_id = f.id
                        and b.state in {BATCH_OPEN})
        limit 200
        """,
        before,
    )
    return [row["id"] for row in rows]
