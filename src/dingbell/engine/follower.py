"""Follower: settled firings some have not read → the firings that remind them and tell others.

A follow-up is held until its instant. Shortly before it the batches of its parent are looked at
once more; whom it goes to is decided when it is planned, by what is known then.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dingbell.domain.followup import FollowUp
from dingbell.domain.lifecycle import Firing
from dingbell.engine.context import LOOK_BEFORE, Context, release_job, track_job
from dingbell.store import deliveries, firings, jobs, tracking
from dingbell.store.connection import Connection
from dingbell.telemetry import Event, log

__all__ = ["prepare"]


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
    made = [
        _firing(parent, step, last_call + after)
        for step, after in rule.steps()
        # Nothing is made up for that a repair has settled anew, hours later.
        if last_call + after > now
    ]
    created = await firings.create(connection, made, now)
    await jobs.enqueue(
        connection, [release_job([firing_id], firing.due_at) for firing_id, firing in created]
    )
    for firing_id, firing in created:
        at = max(firing.due_at - LOOK_BEFORE, now + (firing.due_at - now) / 2)
        looked = await tracking.look_again(connection, parent.id, at)
        if looked:
            await jobs.enqueue(connection, [track_job(looked, at)])
        log(Event.FOLLOW_UP_PLANNED, firing=firing_id, parent=parent.id)


def _firing(parent: firings.FiringRow, step: str, due_at: datetime) -> firings.NewFiring:
    return firings.NewFiring(
        schedule_id=parent.schedule_id,
        schedule=parent.schedule,
        revision=0,
        kind="follow_up",
        key=f"{parent.id}:{step}",
        app_id=parent.app_id,
        org=parent.org,
        function=None,
        spec={**parent.spec, "step": step},
        due_at=due_at,
        state=Firing.HELD,
        reason=f"{step}: waits for its time",
        parent_id=parent.id,
        held_until=due_at,
    )
