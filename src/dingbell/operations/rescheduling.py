"""Rescheduling: what calendars decide, decided anew after one of them has changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.lifecycle import Run
from dingbell.domain.misfire import too_late
from dingbell.domain.run import Occurrence
from dingbell.errors import InputError
from dingbell.operations.actor import Operation
from dingbell.operations.context import Operations
from dingbell.planning import wakeups
from dingbell.store import jobs, schedules
from dingbell.store.connection import Connection
from dingbell.store.ledger import holds, runs, schedule_runs
from dingbell.store.ledger.runs import RunRow
from dingbell.store.schedules import Schedule

__all__ = ["by_calendars", "reschedule"]

_TINY = timedelta(microseconds=1)


def by_calendars(found: Sequence[Schedule]) -> list[Schedule]:
    """The active schedules that come due when calendars say so.

    Raises:
        InputError: one of them names a calendar that is not there, or a holiday it has not.
    """
    kept = []
    for one in found:
        if one.state != "active" or one.problem:
            continue
        try:
            if one.parsed().trigger().calendars:
                kept.append(one)
        except InputError as error:
            error.where = f"schedules.{one.name}"
            raise
    return kept


async def reschedule(ops: Operations, connection: Connection) -> None:
    """Ask calendars anew when schedules come due; what is prepared and not called is taken back.

    Args:
        ops: where, and who asks.
        connection: in the transaction that has changed a calendar.

    Raises:
        InputError: a schedule cannot do with what has changed.
    """
    ops.may(Operation.CALENDARS_PUT)
    now = ops.clock.now()
    for one in by_calendars(await schedules.all_schedules(connection)):
        await _again(ops, connection, one, now)
        await _settle_held(connection, one, now)


async def _again(ops: Operations, connection: Connection, one: Schedule, now: datetime) -> None:
    spec = one.parsed()
    trigger = spec.trigger()
    expected = one.next_due_at
    ahead = await schedule_runs.prepared(connection, one.id, now)
    if not ahead and expected == trigger.next_after(now):
        return
    taken_back = await schedule_runs.withdraw(connection, ahead, actor=ops.actor.name)
    # What has come already and the ticker has not seen yet is still the ticker's to judge.
    earlier = [instant - _TINY for instant in (taken_back, expected) if instant is not None]
    due = trigger.next_after(min([now, *earlier]))
    await schedules.set_state(
        connection, one.id, "active", next_due_at=due, lead=spec.lead, now=now
    )


async def _settle_held(connection: Connection, one: Schedule, now: datetime) -> None:
    """Let those go that waited for the calendar and that it confirms; skip the others."""
    trigger = one.parsed().trigger()
    waiting = await holds.waiting_for(connection, one.id, CauseKind.CALENDAR_UNKNOWN)
    freed, late, moved = [], [], []
    for run in waiting:
        if trigger.unknown_year(run.due_at) is not None:
            continue
        if trigger.next_after(run.due_at - _TINY) != run.due_at:
            moved.append(run.id)
        elif too_late(run.due_at, now, _grace(run)):
            late.append(run.id)
        else:
            freed.append(run.id)
    for ids, kind in ((moved, CauseKind.CALENDAR_CHANGED), (late, CauseKind.MISFIRE_GRACE)):
        await runs.move(connection, ids, Run.SKIPPED, now, cause=Cause(kind))
    released = await holds.let_go(connection, freed, now)
    await jobs.enqueue(
        connection, [wakeups.plan([run_id], function) for run_id, function in released]
    )


def _grace(run: RunRow) -> timedelta:
    return run.spec.grace if isinstance(run.spec, Occurrence) else timedelta(0)
