"""Follower: settled firings some have not read → the firings that remind them and tell others.

A follow-up is held until its instant. Shortly before it the batches of its parent are looked at
once more; whom it goes to is decided when it is planned, by what is known then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dingbell.domain.followup import FollowUp
from dingbell.domain.lifecycle import Firing
from dingbell.engine.context import LOOK_BEFORE, LOOK_SHARE, Context, release_job, track_job
from dingbell.planning import pace
from dingbell.store import deliveries, firings, jobs, tracking
from dingbell.store.connection import Connection
from dingbell.telemetry import Event, log

__all__ = ["prepare"]

# A follow-up may begin so much later than it was meant to: a node was down, a result was late.
_GRACE = timedelta(minutes=30)


async def prepare(connection: Connection, context: Context, settled: Sequence[int]) -> None:
    """Make the follow-ups of firings that have just settled; a repeat changes nothing."""
    for firing in await firings.with_follow_up(connection, settled):
        if not await deliveries.unread(connection, firing.id):
            continue
        last = await tracking.last_call(connection, firing.id)
        if last is not None:
            await _prepare(connection, context, firing, last)


async def _prepare(
    connection: Connection, context: Context, parent: firings.FiringRow, last_call: datetime
) -> None:
    now = context.clock.now()
    rule = FollowUp.model_validate(parent.spec["follow_up"])
    lead = await _look_lead(connection, context, parent)
    made: list[firings.NewFiring] = []
    for step, after in rule.steps():
        # Nobody is told of people who were never reminded.
        missed = now - (last_call + after) > _GRACE or any(m.state is Firing.SKIPPED for m in made)
        made.append(_firing(parent, step, last_call + after, lead, missed=missed))
    created = await firings.create(connection, made, now)
    held = [(firing_id, one.due_at) for firing_id, one in created if one.state is Firing.HELD]
    await jobs.enqueue(connection, [release_job([one], due_at) for one, due_at in held])
    for firing_id, due_at in held:
        at = max(due_at - lead, now + (due_at - now) / 2)
        looked = await tracking.look_again(connection, parent.id, at)
        if looked:
            await jobs.enqueue(connection, [track_job(looked, at)])
        log(Event.FOLLOW_UP_PLANNED, firing=firing_id, parent=parent.id)


async def _look_lead(
    connection: Connection, context: Context, parent: firings.FiringRow
) -> timedelta:
    """How long before a follow-up the fresh looks begin: so long as all of them take, and more."""
    paces = await pace.paces_of(connection, [parent.app_id], context.pace, lock=False)
    count = await tracking.unread_batches(connection, parent.id)
    per_second = paces[parent.app_id].app.calls_per_second * LOOK_SHARE
    return LOOK_BEFORE + timedelta(seconds=count / per_second)


def _firing(
    parent: firings.FiringRow, step: str, due_at: datetime, lead: timedelta, *, missed: bool
) -> firings.NewFiring:
    return firings.NewFiring(
        schedule_id=parent.schedule_id,
        schedule=parent.schedule,
        revision=0,
        kind="follow_up",
        key=f"{parent.id}:{step}",
        app_id=parent.app_id,
        org=parent.org,
        function=None,
        spec={**parent.spec, "step": step, "look_lead": lead.total_seconds()},
        due_at=due_at,
        state=Firing.SKIPPED if missed else Firing.HELD,
        reason=f"{step}: its time had passed" if missed else f"{step}: waits for its time",
        parent_id=parent.id,
        held_until=None if missed else due_at,
    )
