"""Sentinel: what should have happened and did not → alerts, told to whoever wants to know.

Every half minute one node (by advisory lock) looks at the rows. What is wrong is one alert for as
long as it lasts; it ends by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta

from dingbell.domain.alarms import Alarm, AlarmKind, Noun
from dingbell.domain.budget import WARN_AT
from dingbell.engine.node.context import Context
from dingbell.engine.upkeep.notifier import Notifier
from dingbell.planning.usage import MonthlyUsage
from dingbell.store import apps, duty
from dingbell.store.connection import Connection, transaction
from dingbell.store.duty import Duty
from dingbell.store.ledger import alerts, watch
from dingbell.telemetry import Event, log

__all__ = ["WATCH_EVERY", "Sentinel"]

WATCH_EVERY = 30.0  # seconds
# A schedule that is due and untouched for so long has been missed by everybody.
_MISSED_AFTER = timedelta(seconds=60)
_STUCK_AFTER = timedelta(minutes=2)
_JUMP = 2.0  # seconds
# For so long a jump is an alert; the next one is another.
_JUMP_STANDS = timedelta(minutes=10)
# So long a run that failed, or reached nobody, is an alert, unless a later one does better.
_FAILURE_STANDS = timedelta(hours=1)


class Sentinel:
    """Looks for what is missing."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._usage_of = MonthlyUsage(context.clock, context.allowance)
        self._notifier = Notifier(context)
        self._skew = self._wall_over_monotonic()

    async def watch(self) -> None:
        """Look once, and notify about what was found."""
        await self.look()
        await self._notifier.tell()

    async def look(self) -> None:
        """Look once; whatever is found is raised, whatever is over is ended."""
        async with transaction(self._context.pool) as connection:
            await self._look_at_clock(connection)
            if not await duty.taken(connection, Duty.WATCH):
                return
            now = self._context.clock.now()
            found = {
                AlarmKind.OCCURRENCE_MISSED: await watch.missed(connection, now - _MISSED_AFTER),
                AlarmKind.SCHEDULE_QUARANTINED: await watch.quarantined(connection),
                AlarmKind.RUN_STUCK: await watch.stuck(connection, now, _STUCK_AFTER),
                AlarmKind.RUN_FAILED: await watch.failed(connection, now - _FAILURE_STANDS),
                AlarmKind.NOBODY_REACHED: await watch.unreached(connection, now - _FAILURE_STANDS),
                AlarmKind.BUDGET_LOW: await self._low_budgets(connection),
            }
            for kind, alarms in found.items():
                await self._raise(connection, alarms)
                await alerts.end(connection, kind, [alarm.subject for alarm in alarms], now)
            await alerts.end_seen_before(connection, AlarmKind.CLOCK_JUMPED, now - _JUMP_STANDS)
            await alerts.end_of_final_runs(connection, AlarmKind.FINISH_LATE, now)

    async def _raise(self, connection: Connection, alarms: Iterable[Alarm]) -> None:
        now = self._context.clock.now()
        for alarm in alarms:
            if await alerts.raise_(connection, alarm, now):
                log(
                    Event.ALERT,
                    level=logging.ERROR,
                    kind=alarm.kind.value,
                    noun=alarm.noun.value,
                    subject=alarm.subject,
                    detail=str(alarm.text()),
                )
                self._context.metrics.alerts.labels(alarm.kind.value).inc()

    async def _low_budgets(self, connection: Connection) -> list[Alarm]:
        orgs = sorted({app.org for app in await apps.all_apps(connection)})
        usage = await self._usage_of.usage(connection, orgs)
        return [
            Alarm(AlarmKind.BUDGET_LOW, Noun.ORG, org, {"used": spent.used, "limit": spent.limit})
            for org, spent in usage.items()
            if spent.share >= WARN_AT
        ]

    async def _look_at_clock(self, connection: Connection) -> None:
        """Notice that this node's time was set, which moves every instant it acts at."""
        skew = self._wall_over_monotonic()
        jump, self._skew = skew - self._skew, skew
        if abs(jump) > _JUMP:
            node = str(self._context.lease.node_id)
            jumped = Alarm(AlarmKind.CLOCK_JUMPED, Noun.NODE, node, {"seconds": round(jump, 1)})
            await self._raise(connection, [jumped])

    def _wall_over_monotonic(self) -> float:
        clock = self._context.clock
        return clock.now().timestamp() - clock.monotonic()
