"""Ticker: schedules whose time to prepare has come → runs, each exactly once.

Sleeps until the next schedule has to be prepared and is woken when one changes. Many due schedules
are taken in one transaction: runs inserted, schedules moved on, plan jobs enqueued.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from math import floor

from dingbell.domain.calendar.calendars import Calendars
from dingbell.domain.causes import Cause
from dingbell.domain.gates import (
    Decision,
    Gated,
    Hold,
    Proceed,
    Rules,
    Skip,
    decide,
    state_of,
)
from dingbell.domain.lifecycle import Run
from dingbell.domain.misfire import Verdict, review
from dingbell.domain.run import Kind, Occurrence
from dingbell.domain.schedule import ScheduleSpec
from dingbell.engine.node.context import Context
from dingbell.planning import wakeups
from dingbell.store import calendars, jobs, rules, schedules
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.ledger import runs
from dingbell.telemetry import Event, log

__all__ = ["Ticker"]

# Schedules of one transaction, runs of one statement, and of one plan job.
_CHUNK = 400
# So many specifications are read before others have a turn.
_READ_AT_ONCE = 20
_LONGEST_SLEEP = 30.0
# A due schedule that is locked by somebody else is asked for again after this.
_SHORTEST_SLEEP = 0.005


class Ticker:
    """Makes runs of due schedules."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Tick for ever."""
        while True:
            self.changed.clear()
            if await self.tick() < _CHUNK:
                await self._wait()

    async def _wait(self) -> None:
        clock = self._context.clock
        async with acquire(self._context.pool) as connection:
            wake = await schedules.next_wake(connection, list(self._context.functions))
        rest = (wake - clock.now()).total_seconds() if wake else _LONGEST_SLEEP
        sleep = asyncio.ensure_future(clock.sleep(min(max(rest, _SHORTEST_SLEEP), _LONGEST_SLEEP)))
        change = asyncio.ensure_future(self.changed.wait())
        try:
            await asyncio.wait({sleep, change}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()
            change.cancel()

    async def tick(self) -> int:
        """Make the runs that have come due; return how many schedules were taken."""
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            due = await schedules.claim_due(
                connection, now=now, functions=list(self._context.functions), limit=_CHUNK
            )
            if not due:
                return 0
            standing = Rules(await rules.quiet_hours(connection))
            known = await calendars.known(connection)
            made: list[runs.NewRun] = []
            steps: list[tuple[int, datetime | None, datetime | None]] = []
            for place, schedule in enumerate(due):
                if place % _READ_AT_ONCE == 0:
                    await self._context.clock.sleep(0)
                try:
                    step, occurrences = _occurrences(schedule, now, standing, known)
                except Exception as error:  # noqa: BLE001  a bad neighbour stops nobody
                    await _quarantine(connection, schedule, error)
                    continue
                steps.append(step)
                made += occurrences
            await schedules.advance(connection, steps)
            # Those of one second, and of them those of one org, are planned, and sent, together.
            made.sort(key=_place)
            for start in range(0, len(made), _CHUNK):
                await self._create(connection, made[start : start + _CHUNK], now)
        return len(due)

    async def _create(self, connection: Connection, made: list[runs.NewRun], now: datetime) -> None:
        created = await runs.create(connection, made, now)
        to_plan: dict[str | None, list[int]] = {}
        held: list[tuple[int, datetime]] = []
        for run_id, run in created:
            if run.state is Run.DUE:
                to_plan.setdefault(run.function, []).append(run_id)
            elif run.held_until is not None:
                held.append((run_id, run.held_until))
        await jobs.enqueue(
            connection,
            [wakeups.plan(ids, function) for function, ids in to_plan.items()]
            + [wakeups.release([run_id], until) for run_id, until in held],
        )


async def _quarantine(connection: Connection, schedule: schedules.Due, error: Exception) -> None:
    log(
        Event.SCHEDULE_QUARANTINED,
        level=logging.ERROR,
        schedule=schedule.name,
        error=repr(error)[:200],
    )
    await schedules.mark_problem(connection, schedule.id, f"trigger: {error}")


def _occurrences(
    schedule: schedules.Due, now: datetime, rules: Rules, known: Calendars
) -> tuple[tuple[int, datetime | None, datetime | None], list[runs.NewRun]]:
    """What a schedule has to fire now, and where it moves on to."""
    spec = ScheduleSpec.model_validate(schedule.spec)
    trigger = spec.trigger(known)
    found = review(
        trigger,
        schedule.next_due_at,
        now=now,
        until=now + spec.lead,
        policy=spec.misfire.model_copy(update={"grace": spec.grace()}),
    )
    kept = Occurrence.of(spec)
    made = []
    for verdict in found.verdicts:
        gated = Gated(
            Kind.OCCURRENCE,
            kept,
            verdict.due,
            approved=schedule.approved,
            unpublished=spec.unpublished(trigger, verdict.due),
        )
        made.append(_run(schedule, kept, verdict, _fate(gated, verdict, now, rules)))
    wake = found.following - spec.lead if found.following else None
    return (schedule.id, found.following, wake), made


def _fate(gated: Gated, verdict: Verdict, now: datetime, rules: Rules) -> Decision:
    """What becomes of an occurrence."""
    if verdict.skip is not None:
        return Skip(Cause(verdict.skip))
    return decide(gated, min(now, verdict.due), rules)


def _run(
    schedule: schedules.Due, spec: Occurrence, verdict: Verdict, fate: Decision
) -> runs.NewRun:
    return runs.NewRun(
        schedule_id=schedule.id,
        schedule=schedule.name,
        revision=schedule.revision,
        kind=Kind.OCCURRENCE,
        key=verdict.due.isoformat(),
        app_id=schedule.app_id,
        org=schedule.org,
        function=schedule.function,
        spec=spec,
        due_at=verdict.due,
        state=state_of(fate),
        cause=None if isinstance(fate, Proceed) else fate.cause,
        occurrences=verdict.occurrences,
        held_until=fate.until if isinstance(fate, Hold) else None,
        requested_by=schedule.requested_by,
    )


def _place(run: runs.NewRun) -> tuple[int, str]:
    """Where a run stands among those that are planned."""
    return floor(run.due_at.timestamp()), run.org
