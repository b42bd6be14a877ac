"""Table `runs`, those in state `held`: until when, why, and how they are let go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.lifecycle import Run
from dingbell.domain.run import Kind
from dingbell.store.connection import Connection
from dingbell.store.ledger import runs, schedule_runs
from dingbell.store.ledger.runs import RunRow
from dingbell.store.transitions import RUNS, Given, move

__all__ = ["LOCAL", "hold", "let_go", "overdue", "waiting_for"]

# Who lets something go on the command line of the machine itself.
LOCAL = "local"
# (run id, function): what a plan job needs to know.
Released = tuple[int, str | None]


async def hold(
    connection: Connection,
    run_ids: Sequence[int],
    *,
    until: datetime | None,
    cause: Cause,
    now: datetime,
) -> list[int]:
    """Hold runs until an instant, or with None until a person lets them go.

    One that is held already is held on, for what holds it now.
    """
    held = await connection.fetch(
        f"""
        update runs set held_until = $2, cause = $3, cause_params = $4
        where id = any($1::bigint[]) and state = {Run.HELD:sql} returning id
        """,
        list(run_ids),
        until,
        cause.kind.value,
        dict(cause.params),
    )
    rows = await move(
        connection,
        RUNS,
        Run.HELD,
        Given.of(run_ids, now=("timestamptz", now), until=("timestamptz", until)),
        usual=Run.DUE,
        changes="held_until = g.until, cause = g.cause_kind, cause_params = g.cause_params",
        cause=cause,
    )
    return [row["id"] for row in (*held, *rows)]


async def let_go(
    connection: Connection, run_ids: Sequence[int], now: datetime, *, by: str | None = None
) -> list[Released]:
    """Make held runs due again.

    Args:
        connection: in a transaction.
        run_ids: which; those that are not held are left as they are.
        now: the present instant.
        by: who lets them go, whatever holds them; None where their time has come.
    """
    approved = (
        ""
        if by is None
        else (
            ", approved_by = g.actor, "
            f"due_at = case when t.kind = {Kind.OCCURRENCE:sql} then t.due_at else g.now end"
        )
    )
    rows = await move(
        connection,
        RUNS,
        Run.DUE,
        Given.of(run_ids, now=("timestamptz", now)),
        source=[Run.HELD],
        changes=f"held_until = null, cause = null, cause_params = null{approved}",
        returning="t.function",
        actor=by,
    )
    return [(row["id"], row["function"]) for row in rows]


async def overdue(connection: Connection, before: datetime) -> list[int]:
    """Runs whose hold ended a while ago and that nobody has let go."""
    rows = await connection.fetch(
        f"select id from runs where state = {Run.HELD:sql} and held_until < $1 "
        "order by id limit 500",
        before,
    )
    return [row["id"] for row in rows]


async def ended(connection: Connection, run_ids: Sequence[int], now: datetime) -> list[RunRow]:
    """Lock those of some held runs whose hold has ended, and what ended with them.

    Occurrences of one schedule that quiet hours held end together, whichever of them is asked for.
    """
    rows = await connection.fetch(
        f"""
        select distinct h.id from runs f join runs h
          on h.id = f.id or (
             h.schedule_id = f.schedule_id and h.kind = {Kind.OCCURRENCE:sql}
             and h.state = {Run.HELD:sql} and h.cause = $3 and f.cause = $3)
        where f.id = any($1::bigint[]) and f.state = {Run.HELD:sql} and f.held_until <= $2
          and h.held_until <= $2
        """,
        list(run_ids),
        now,
        CauseKind.QUIET_HOURS.value,
    )
    return await runs.lock(connection, [row["id"] for row in rows], Run.HELD)


async def held_for(connection: Connection, kind: CauseKind) -> list[int]:
    """Every run that is held for one kind of cause."""
    rows = await connection.fetch(
        f"select id from runs where state = {Run.HELD:sql} and cause = $1 order by id",
        kind.value,
    )
    return [row["id"] for row in rows]


async def waiting_for(connection: Connection, schedule_id: int, kind: CauseKind) -> list[RunRow]:
    """Lock the occurrences of a schedule that are held for one kind of cause."""
    held = await schedule_runs.held_of(connection, schedule_id)
    return [one for one in held if one.cause is not None and one.cause.kind is kind]
