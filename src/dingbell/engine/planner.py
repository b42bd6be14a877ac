"""Planner: due firings → deliveries and batches with slots, and the send jobs that wake them.

1. Count the try, so that a firing that kills its planner is found out. Who was being planned when
   a planner died is a suspect, and is tried alone; who dies alone twice is set aside.
2. Resolve audiences and render bodies, with no transaction open.
3. In one transaction: lock the firings that are still due, lock the orgs, reserve slots, write
   batches and deliveries, move the firings on, enqueue the waves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from datetime import datetime
from typing import Any

from dingbell.domain.budget import end_of_month, month_of
from dingbell.domain.duration import format_duration
from dingbell.domain.lifecycle import Firing
from dingbell.domain.priority import Rank
from dingbell.domain.schedule import Policies
from dingbell.domain.trigger import parse_zone
from dingbell.engine.booking import Booked, Drafted, book
from dingbell.engine.context import Context, release_job, report_job
from dingbell.engine.drafting import draft
from dingbell.engine.holder import BUDGET
from dingbell.engine.solitude import Solitude
from dingbell.errors import InputError
from dingbell.planning import pace
from dingbell.planning.drafts import denied_in
from dingbell.store import alerts, batches, firings, holds, jobs, rules, spending
from dingbell.store.connection import AWAY, Connection, is_away, transaction
from dingbell.telemetry import Event, log

__all__ = ["Planner"]

_TOUCH_EVERY = 3.0
_FORGIVE_AGAIN = 1.0
# A node that leaves takes back its tries in this time, or they count.
_TAKE_BACK = 1.0
# The first try is made together with others; who does not survive two more alone is poison.
_MOST_TRIES = 3
# So many firings are drafted before others have a turn: the loop has calls to make.
_DRAFTED_AT_ONCE = 20
_OVER_THE_LINE = f"{BUDGET} bulk is held above the org's line until the month ends"


class Planner:
    """Plans chunks of firings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._apart: set[asyncio.Task[None]] = set()
        self._solitude = Solitude()

    async def plan_apart(self, firing_ids: Sequence[int]) -> None:
        """Plan firings of a Python function after the job has ended.

        However long the function takes, jobs of others need not wait for it. If this node dies the
        sweeper wakes them.
        """
        self._begin(self._plan_quietly(firing_ids))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._apart.add(task)
        task.add_done_callback(self._apart.discard)

    async def stop(self) -> None:
        """Leave the functions under way; their firings stay due for others."""
        for task in self._apart:
            task.cancel()
        await asyncio.gather(*self._apart, return_exceptions=True)

    async def _plan_quietly(self, firing_ids: Sequence[int]) -> None:
        """Plan without solitude: others need not wait for as long as a function takes."""
        try:
            await self._plan_fresh(firing_ids)
            await self._plan_suspects(firing_ids, nullcontext)
        except Exception as error:  # noqa: BLE001  the rows are unchanged and are woken again
            self._context.trouble.report(error, "planner")

    async def plan(self, firing_ids: Sequence[int]) -> None:
        """Plan those of the firings that are still due; a repeat does nothing."""
        async with self._solitude.beside():
            await self._plan_fresh(firing_ids)
        await self._plan_suspects(firing_ids, self._solitude.alone)

    async def _plan_fresh(self, firing_ids: Sequence[int]) -> None:
        """Plan together those that nobody has tried yet."""
        async with self._context.pool.acquire() as connection:
            now = self._context.clock.now()
            fresh = await firings.begin_planning(connection, firing_ids, now)
        await self._plan_counted(fresh)

    async def _plan_suspects(
        self,
        firing_ids: Sequence[int],
        solitude: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        """Plan one by one those whose planning has ended without a word before."""
        async with self._context.pool.acquire() as connection:
            now = self._context.clock.now()
            suspects = await firings.suspects(connection, firing_ids, now)
        for firing_id in suspects:
            async with solitude():
                await self._plan_counted(await self._begin_suspect(firing_id))

    async def _begin_suspect(self, firing_id: int) -> list[firings.FiringRow]:
        """Count the try of a suspect, or set it aside after too many."""
        async with self._context.pool.acquire() as connection:
            now = self._context.clock.now()
            begun = await firings.begin_suspect(connection, firing_id, now)
        if begun is None:
            return []
        if begun.tries > _MOST_TRIES:
            await self._fail(begun, "quarantined: planning never ends")
            return []
        return [begun]

    async def _plan_counted(self, due: Sequence[firings.FiringRow]) -> None:
        """Plan firings whose try is counted; what was no fault of theirs is taken back."""
        firing_ids = [firing.id for firing in due]
        try:
            await self._plan(due)
        except asyncio.CancelledError:
            await self._take_back(firing_ids)
            raise
        except AWAY as error:
            if is_away(error):
                self._begin(self._forgive(firing_ids))
            raise

    async def _plan(self, due: Sequence[firings.FiringRow]) -> None:
        if not due:
            return
        context = self._context
        async with context.pool.acquire() as connection:
            app_ids = sorted({firing.app_id for firing in due})
            paces = await pace.paces_of(connection, app_ids, context.pace, lock=False)
            denied = await denied_in(connection, {firing.org for firing in due})
        touching = asyncio.create_task(self._touch([firing.id for firing in due]))
        try:
            tried = []
            for place, firing in enumerate(due):
                if place % _DRAFTED_AT_ONCE == 0:
                    await context.clock.sleep(0)
                most = paces[firing.app_id].most_people
                tried.append(await self._draft(firing, most, denied.get(firing.org, frozenset())))
        finally:
            touching.cancel()
        drafted = [entry for entry in tried if entry is not None]
        if drafted:
            await self._write(drafted)
            await self._warm(drafted)

    async def _forgive(self, firing_ids: Sequence[int]) -> None:
        """Take back a try when the database is there again; who dies meanwhile has died once."""
        while True:
            try:
                async with self._context.pool.acquire() as connection:
                    await firings.forgive(connection, firing_ids)
            except AWAY:
                await self._context.clock.sleep(_FORGIVE_AGAIN)
            else:
                return

    async def _take_back(self, firing_ids: Sequence[int]) -> None:
        """Take back a try that this node leaves to others."""
        with suppress(*AWAY):
            async with asyncio.timeout(_TAKE_BACK), self._context.pool.acquire() as connection:
                await firings.forgive(connection, firing_ids)

    async def _touch(self, firing_ids: list[int]) -> None:
        """Show that these firings are being planned, however long an author's function takes."""
        while True:
            await self._context.clock.sleep(_TOUCH_EVERY)
            try:
                async with self._context.pool.acquire() as connection:
                    await firings.touch(connection, firing_ids, self._context.clock.now())
            except AWAY as error:
                self._context.trouble.report(error, "planner")

    async def _warm(self, drafted: list[Drafted]) -> None:
        """Have the tokens ready, so that only the call is left when the slot strikes."""
        app_ids = sorted({entry.firing.app_id for entry in drafted})
        troubles = await self._context.clients.warm(app_ids)
        fine = [_subject(app_id) for app_id, said in troubles.items() if said is None]
        now = self._context.clock.now()
        async with self._context.pool.acquire() as connection:
            await alerts.end_of(connection, "token_failing", fine, now)
            for app_id, said in troubles.items():
                if said is not None:
                    log(Event.TOKEN_FAILED, level=logging.WARNING, app=app_id, error=said[:200])
                    await alerts.raise_(connection, "token_failing", _subject(app_id), said, now)

    async def _draft(
        self, firing: firings.FiringRow, most: int, denied: frozenset[str]
    ) -> Drafted | None:
        """Draft one firing; what its author got wrong ends it, what we did not foresee waits.

        A firing that is left `due` is woken by the sweeper, alone, and set aside in the end.
        """
        try:
            drafts = await draft(self._context, firing, most=most, denied=denied)
            return Drafted(firing, drafts)
        except InputError as error:
            await self._fail(firing, str(error))
        except Exception as error:
            if is_away(error):
                raise
            log(Event.JOB_FAILED, level=logging.ERROR, firing=firing.id, error=repr(error)[:300])
        return None

    async def _fail(self, firing: firings.FiringRow, reason: str) -> None:
        log(
            Event.FIRING_FAILED,
            level=logging.ERROR,
            firing=firing.id,
            schedule=firing.schedule,
            reason=reason[:500],
        )
        async with transaction(self._context.pool) as connection:
            await firings.move(
                connection,
                [firing.id],
                Firing.FAILED,
                self._context.clock.now(),
                reason=_storable(reason),
            )
        self._context.metrics.firings.labels("failed").inc()

    async def _write(self, drafted: list[Drafted]) -> None:
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            locked = await firings.lock(
                connection, [entry.firing.id for entry in drafted], Firing.DUE
            )
            still_due = {firing.id for firing in locked}
            drafted = [entry for entry in drafted if entry.firing.id in still_due]
            app_ids = sorted({entry.firing.app_id for entry in drafted})
            paces = await pace.paces_of(connection, app_ids, self._context.pace, lock=True)
            drafted = await self._loud(connection, drafted, now)
            drafted = await self._affordable(connection, drafted, paces, now)
            booked = await book(connection, self._context, drafted, paces, now)
            refused = {one.firing.id: reason for one in booked if (reason := _refusal(one))}
            await self._refuse(connection, refused, now)
            planned = [one for one in booked if one.firing.id not in refused]
            await firings.foresee(connection, [(one.firing.id, one.forecast()) for one in booked])
            await firings.move(connection, [one.firing.id for one in planned], Firing.PLANNED, now)
            await self._report_empty(connection, planned)
            await self._alert(connection, planned, now)
        for one in planned:
            log(
                Event.FIRING_PLANNED,
                level=logging.DEBUG,
                firing=one.firing.id,
                batches=one.calls,
            )

    async def _loud(
        self, connection: Connection, drafted: list[Drafted], now: datetime
    ) -> list[Drafted]:
        """Keep what may ring when it would: follow-ups and what is late come here only.

        What a person has let go rings whenever it is.
        """
        everywhere = await rules.quiet_hours(connection)
        loud = []
        for entry in drafted:
            firing = entry.firing
            if everywhere is None and "quiet_hours" not in firing.spec:
                loud.append(entry)
                continue
            rule = Policies.of(firing.spec).quiet(everywhere)
            zone = parse_zone(firing.spec.get("timezone", "Asia/Shanghai"))
            ends = rule.end_after(max(firing.due_at, now), zone) if rule else None
            if rule is None or ends is None or firing.approved_by is not None:
                loud.append(entry)
            elif rule.then == "skip":
                await firings.move(connection, [firing.id], Firing.SKIPPED, now, reason=rule.reason)
            else:
                await holds.hold(connection, [firing.id], until=ends, reason=rule.reason, now=now)
                await jobs.enqueue(connection, [release_job([firing.id], ends)])
        return loud

    async def _affordable(
        self,
        connection: Connection,
        drafted: list[Drafted],
        paces: dict[int, pace.AppPace],
        now: datetime,
    ) -> list[Drafted]:
        """Keep what the month's calls allow; bulk is held above the line its org has drawn."""
        bulk = [entry for entry in drafted if entry.rank(paces) is Rank.BULK]
        if not bulk:
            return drafted
        usage = await spending.usage(
            connection,
            sorted({entry.firing.org for entry in bulk}),
            month_of(now),
            default_limit=self._context.allowance.monthly_calls,
        )
        held = {
            entry.firing.id
            for entry in bulk
            if usage[entry.firing.org].holds_bulk and entry.firing.approved_by is None
        }
        month_ends = end_of_month(now)
        await holds.hold(connection, sorted(held), until=month_ends, reason=_OVER_THE_LINE, now=now)
        for firing_id in sorted(held):
            log(Event.FIRING_HELD, firing=firing_id, reason=_OVER_THE_LINE)
        return [entry for entry in drafted if entry.firing.id not in held]

    async def _refuse(self, connection: Connection, refused: dict[int, str], now: datetime) -> None:
        """Send nothing of a firing whose author wants that when somebody would not be reached."""
        for firing_id, reason in refused.items():
            await firings.move(connection, [firing_id], Firing.REFUSED, now, reason=reason)
            log(Event.FIRING_REFUSED, level=logging.WARNING, firing=firing_id, reason=reason)
        await batches.cancel_queued(connection, sorted(refused))

    async def _report_empty(self, connection: Connection, planned: list[Booked]) -> None:
        empty = [one.firing.id for one in planned if one.calls == 0]
        await jobs.enqueue(connection, [report_job(empty)] if empty else [])

    async def _alert(self, connection: Connection, planned: list[Booked], now: datetime) -> None:
        for one in planned:
            if one.late_by is not None:
                detail = f"the last call is {format_duration(one.late_by)} after finish_by"
                subject = f"firing {one.firing.id}"
                await alerts.raise_(connection, "finish_late", subject, detail, now)


def _subject(app_id: int) -> str:
    """What an alert about an app is about."""
    return f"app {app_id}"


def _refusal(one: Booked) -> str | None:
    """Why a firing is not sent at all; None where it is."""
    if one.firing.spec.get("preflight") != "refuse":
        return None
    if one.late_by is not None:
        return f"preflight: the last call would be {format_duration(one.late_by)} after finish_by"
    if not one.spotless:
        told = ", ".join(f"{state} {count}" for state, count in one.foreseen.items())
        return f"preflight: {told}"
    return None


def _storable(reason: str) -> str:
    """A reason as PostgreSQL takes it: no NUL, no half characters, not endless."""
    return reason.replace("\0", "").encode(errors="replace").decode()[:500]
