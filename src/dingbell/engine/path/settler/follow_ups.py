"""Follower: settled runs some have not read → the runs that remind them and tell others.

A follow-up is held until its instant. Shortly before it the batches of its parent are looked at
once more; whom it goes to is decided when it is planned, by what is known then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dingbell.domain.causes import Cause, CauseKind
from dingbell.domain.followup import FollowUp, Step
from dingbell.domain.lifecycle import Run
from dingbell.domain.run import FollowUpStep, Kind
from dingbell.domain.schedule import Policies
from dingbell.engine.node.context import POLL_BEFORE, POLL_SHARE, Context
from dingbell.planning import reservation, wakeups
from dingbell.store import jobs
from dingbell.store.connection import Connection
from dingbell.store.ledger import deliveries, polling, runs
from dingbell.telemetry import Event, log

__all__ = ["prepare"]

# A follow-up may begin so much later than it was meant to: a node was down, a result was late.
_GRACE = timedelta(minutes=30)


async def prepare(connection: Connection, context: Context, settled: Sequence[int]) -> None:
    """Make the follow-ups of runs that have just settled; a repeat changes nothing."""
    for run in await runs.with_follow_up(connection, settled):
        if not await deliveries.unread(connection, run.id):
            continue
        last = await polling.last_call(connection, run.id)
        if last is not None:
            await _prepare(connection, context, run, last)


async def _prepare(
    connection: Connection, context: Context, parent: runs.RunRow, last_call: datetime
) -> None:
    now = context.clock.now()
    rule = parent.spec.follow_up
    if rule is None:
        return
    lead = await _poll_lead(connection, context, parent)
    made: list[runs.NewRun] = []
    for step, after in rule.steps():
        # Nobody is told of people who were never reminded.
        missed = now - (last_call + after) > _GRACE or any(m.state is Run.SKIPPED for m in made)
        made.append(_run(parent, rule, step, last_call + after, lead, missed=missed))
    created = await runs.create(connection, made, now)
    held = [(run_id, one.due_at) for run_id, one in created if one.state is Run.HELD]
    await jobs.enqueue(connection, [wakeups.release([one], due_at) for one, due_at in held])
    for run_id, due_at in held:
        at = max(due_at - lead, now + (due_at - now) / 2)
        looked = await polling.poll_again(connection, parent.id, at)
        if looked:
            await jobs.enqueue(connection, [wakeups.poll(looked, at)])
        log(Event.FOLLOW_UP_PLANNED, run=run_id, parent=parent.id)


async def _poll_lead(connection: Connection, context: Context, parent: runs.RunRow) -> timedelta:
    """How long before a follow-up the fresh polls begin: so long as all of them take, and more."""
    paces = await reservation.paces_of(connection, [parent.app_id], context.pace, lock=False)
    count = await polling.unread_batches(connection, parent.id)
    per_second = paces[parent.app_id].app.calls_per_second * POLL_SHARE
    return POLL_BEFORE + timedelta(seconds=count / per_second)


def _policies(parent: runs.RunRow) -> dict[str, Any]:
    """How the parent was sent, in which zone, with which values: so is what follows it."""
    names = ("timezone", "vars", *Policies.model_fields)
    return {name: getattr(parent.spec, name) for name in names}


def _run(
    parent: runs.RunRow,
    rule: FollowUp,
    step: Step,
    due_at: datetime,
    lead: timedelta,
    *,
    missed: bool,
) -> runs.NewRun:
    return runs.NewRun(
        schedule_id=parent.schedule_id,
        schedule=parent.schedule,
        revision=0,
        kind=Kind.FOLLOW_UP,
        key=f"{parent.id}:{step}",
        app_id=parent.app_id,
        org=parent.org,
        function=None,
        spec=FollowUpStep(**_policies(parent), follow_up=rule, step=step, poll_lead=lead),
        due_at=due_at,
        state=Run.SKIPPED if missed else Run.HELD,
        cause=Cause(CauseKind.FOLLOW_UP_LATE if missed else CauseKind.FOLLOW_UP, {"step": step}),
        parent_id=parent.id,
        held_until=None if missed else due_at,
    )
