"""Holder: held firings whose time has come → due again, with the job that plans them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dingbell.domain.lifecycle import Firing
from dingbell.domain.misfire import too_late
from dingbell.domain.schedule import ScheduleSpec
from dingbell.engine.context import Context, plan_job
from dingbell.store import firings, holds, jobs
from dingbell.store.connection import Connection, transaction
from dingbell.store.firings import FiringRow
from dingbell.telemetry import Event, log

__all__ = ["BUDGET", "Holder"]

# How the reason of a hold begins that only money can end.
BUDGET = "budget:"
# What was asked for by hand is not sent so long after.
_GRACE = timedelta(days=1)


class Holder:
    """Lets held firings go."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def release(self, firing_ids: Sequence[int]) -> None:
        """Let those go whose hold has ended; a repeat finds none."""
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            await self._skip_stale(connection, firing_ids)
            released = await holds.release_due(connection, firing_ids, now)
            await jobs.enqueue(
                connection, [plan_job([one], function) for one, function in released]
            )
        for firing_id, _ in released:
            log(Event.FIRING_RELEASED, firing=firing_id)

    async def _skip_stale(self, connection: Connection, firing_ids: Sequence[int]) -> None:
        """A new month is no reason to send what belonged to the old one."""
        now = self._context.clock.now()
        held = await firings.lock(connection, firing_ids, Firing.HELD)
        stale = [firing.id for firing in held if _is_stale(firing, now)]
        await firings.move(
            connection, stale, Firing.SKIPPED, now, reason="budget: held for longer than its grace"
        )


def _is_stale(firing: FiringRow, now: datetime) -> bool:
    if not (firing.reason or "").startswith(BUDGET):
        return False
    occurrence = firing.kind == "occurrence"
    grace = ScheduleSpec.model_validate(firing.spec).grace() if occurrence else _GRACE
    return too_late(firing.due_at, now, grace)
