"""Planner: due runs → deliveries and batches with slots, and the send jobs that wake them.

1. Count the try, so that a run that kills its planner is found out. Who was being planned when
   a planner died is a suspect, and is tried alone; who dies alone twice is set aside.
2. Resolve audiences and render bodies, with no transaction open.
3. In one transaction: lock the runs that are still due, lock the orgs, reserve slots, write
   batches and deliveries, move the runs on, enqueue the waves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from dingbell.domain.alarms import Alarm, AlarmKind, Noun
from dingbell.domain.budget import Usage, month_of
from dingbell.domain.causes import Cause, CauseKind, of_function, of_input
from dingbell.domain.duration import format_duration
from dingbell.domain.gates import Gated, Hold, Rules, Skip, TurnedAway, decide
from dingbell.domain.lifecycle import Run
from dingbell.domain.priority import Rank
from dingbell.engine.node.authors import AuthorError
from dingbell.engine.node.context import Context
from dingbell.engine.path.planner.booking import Booked, Drafted, book
from dingbell.engine.path.planner.day_limits import within_day_limits
from dingbell.engine.path.planner.drafting import NobodyMeant, draft, uploading
from dingbell.engine.path.planner.latecomers import look_again
from dingbell.engine.path.planner.solitude import Solitude
from dingbell.errors import DatabaseUnavailable, InputError
from dingbell.planning import reservation, wakeups
from dingbell.planning.sources import SourceFailed
from dingbell.planning.turning import turn_away
from dingbell.store import jobs, rules, spending
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.ledger import alerts, runs
from dingbell.store.ledger.holds import LOCAL
from dingbell.telemetry import Event, log

__all__ = ["Planner"]

_TOUCH_EVERY = 3.0
_FORGIVE_AGAIN = 1.0
# A source that does not say whom an audience means is asked again after this.
_ASK_AGAIN = timedelta(seconds=20)
# A node that leaves takes back its tries in this time, or they count.
_TAKE_BACK = 1.0
# The first try is made together with others; who does not survive two more alone is poison.
_MOST_TRIES = 3
# Seconds in which a suspect's function is beside nobody who is counted: what hangs a node does so
# soon, and others cannot wait for as long as a function may take.
_WATCHED = 10.0
# So many runs are drafted before others have a turn: the loop has calls to make.
_DRAFTED_AT_ONCE = 20


class Planner:
    """Plans chunks of runs."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._apart: set[asyncio.Task[None]] = set()
        self._solitude = Solitude()
        self._functions = Solitude()
        self._suspicion = Solitude()
        self._under_way: set[int] = set()

    async def plan_apart(self, run_ids: Sequence[int]) -> None:
        """Plan runs of a Python function after the job has ended.

        However long the function takes, jobs of others need not wait for it. If this node dies the
        sweeper wakes them.
        """
        self._begin(self._plan_quietly(run_ids))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._apart.add(task)
        task.add_done_callback(self._apart.discard)

    async def stop(self) -> None:
        """Leave the functions under way; their runs stay due for others."""
        for task in self._apart:
            task.cancel()
        await asyncio.gather(*self._apart, return_exceptions=True)

    async def _plan_quietly(self, run_ids: Sequence[int]) -> None:
        """Plan beside what needs no function, which need not wait for as long as one takes."""
        try:
            with self._mine(run_ids) as mine:
                async with self._functions.beside():
                    await self._plan_fresh(mine)
                await self._plan_suspects(mine, self._function_alone)
        except Exception as error:  # noqa: BLE001  the rows are unchanged and are woken again
            self._context.trouble.report(error, "planner")

    async def plan(self, run_ids: Sequence[int]) -> None:
        """Plan those of the runs that are still due; a repeat does nothing.

        What this node is planning already it does not begin again, however long nobody could see
        that it is alive: an author's function would be called a second time.
        """
        with self._mine(run_ids) as mine:
            async with self._solitude.beside():
                await self._plan_fresh(mine)
            await self._plan_suspects(mine, self._alone)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Beside no other run, and beside no function that is under suspicion itself."""
        async with self._suspicion.alone(), self._solitude.alone():
            yield

    @asynccontextmanager
    async def _function_alone(self) -> AsyncIterator[None]:
        """Beside no other function and no suspect, for as long as those can wait."""
        clock = self._context.clock
        async with (
            self._functions.alone_awhile(_WATCHED, clock),
            self._suspicion.alone_awhile(_WATCHED, clock),
        ):
            yield

    @contextmanager
    def _mine(self, run_ids: Sequence[int]) -> Iterator[list[int]]:
        """Those of the runs that this node is not planning already."""
        mine = [one for one in run_ids if one not in self._under_way]
        self._under_way.update(mine)
        try:
            yield mine
        finally:
            self._under_way.difference_update(mine)

    async def _plan_fresh(self, run_ids: Sequence[int]) -> None:
        """Plan together those that nobody has tried yet."""
        async with acquire(self._context.pool) as connection:
            now = self._context.clock.now()
            fresh = await runs.begin_planning(connection, run_ids, now)
            slow = await uploading(connection, fresh)
        for run in fresh:
            if run.id in slow:
                # Others need not wait for as long as an upload takes.
                self._begin(self._plan_slow(run))
        await self._plan_counted([run for run in fresh if run.id not in slow])

    async def _plan_slow(self, run: runs.RunRow) -> None:
        """Plan a run whose files DingTalk may have to be given first."""
        try:
            await self._plan_counted([run])
        except Exception as error:  # noqa: BLE001  the row is unchanged and is woken again
            self._context.trouble.report(error, "planner")

    async def _plan_suspects(
        self,
        run_ids: Sequence[int],
        solitude: Callable[[], AbstractAsyncContextManager[None]],
    ) -> None:
        """Plan one by one those whose planning has ended without a word before."""
        async with acquire(self._context.pool) as connection:
            now = self._context.clock.now()
            suspects = await runs.suspects(connection, run_ids, now)
        for run_id in suspects:
            async with solitude():
                await self._plan_counted(await self._begin_suspect(run_id))

    async def _begin_suspect(self, run_id: int) -> list[runs.RunRow]:
        """Count the try of a suspect, or set it aside after too many."""
        async with acquire(self._context.pool) as connection:
            now = self._context.clock.now()
            begun = await runs.begin_suspect(connection, run_id, now)
        if begun is None:
            return []
        if begun.tries > _MOST_TRIES:
            cause = Cause(CauseKind.QUARANTINED, {"tries": _MOST_TRIES})
            await self._fail(begun, cause)
            return []
        return [begun]

    async def _plan_counted(self, due: Sequence[runs.RunRow]) -> None:
        """Plan runs whose try is counted; what was no fault of theirs is taken back."""
        run_ids = [run.id for run in due]
        try:
            await self._plan(due)
        except asyncio.CancelledError:
            await self._take_back(run_ids)
            raise
        except DatabaseUnavailable:
            # It was the database that failed, and the runs are no poison for that.
            self._begin(self._forgive(run_ids))
            raise

    async def _plan(self, due: Sequence[runs.RunRow]) -> None:
        if not due:
            return
        context = self._context
        async with acquire(context.pool) as connection:
            app_ids = sorted({run.app_id for run in due})
            paces = await reservation.paces_of(connection, app_ids, context.pace, lock=False)
            denied = await context.deny.of(connection, {run.org for run in due})
        touching = asyncio.create_task(self._touch([run.id for run in due]))
        try:
            tried = []
            for place, run in enumerate(due):
                if place % _DRAFTED_AT_ONCE == 0:
                    await context.clock.sleep(0)
                most = paces[run.app_id].most_people
                tried.append(await self._draft(run, most, denied.get(run.org, frozenset())))
        finally:
            touching.cancel()
        drafted = [entry for entry in tried if entry is not None]
        if drafted:
            written = await self._write_what_can_be(drafted)
            # What has been withdrawn again meanwhile may be planned anew, however long tokens take.
            self._under_way.difference_update(entry.run.id for entry in written)
            await self._warm(written)

    async def _forgive(self, run_ids: Sequence[int]) -> None:
        """Take back a try when the database is there again; who dies meanwhile has died once."""
        while True:
            try:
                async with acquire(self._context.pool) as connection:
                    await runs.forgive(connection, run_ids)
            except DatabaseUnavailable:
                await self._context.clock.sleep(_FORGIVE_AGAIN)
            else:
                return

    async def _take_back(self, run_ids: Sequence[int]) -> None:
        """Take back a try that this node leaves to others."""
        with suppress(DatabaseUnavailable, TimeoutError):
            async with asyncio.timeout(_TAKE_BACK), acquire(self._context.pool) as connection:
                await runs.forgive(connection, run_ids)

    async def _touch(self, run_ids: list[int]) -> None:
        """Show that these runs are being planned, however long an author's function takes."""
        while True:
            await self._context.clock.sleep(_TOUCH_EVERY)
            try:
                async with acquire(self._context.pool) as connection:
                    await runs.touch(connection, run_ids, self._context.clock.now())
            except DatabaseUnavailable as error:
                self._context.trouble.report(error, "planner")

    async def _warm(self, drafted: list[Drafted]) -> None:
        """Have the tokens ready, so that only the call is left when the slot strikes."""
        app_ids = sorted({entry.run.app_id for entry in drafted})
        if not app_ids:
            return
        troubles = await self._context.clients.warm(app_ids)
        fine = [str(app_id) for app_id, said in troubles.items() if said is None]
        now = self._context.clock.now()
        async with acquire(self._context.pool) as connection:
            await alerts.end_of(connection, AlarmKind.TOKEN_FAILING, fine, now)
            for app_id, said in troubles.items():
                if said is not None:
                    log(Event.TOKEN_FAILED, level=logging.WARNING, app=app_id, error=said[:200])
                    failing = Alarm(
                        AlarmKind.TOKEN_FAILING, Noun.APP, str(app_id), {"en": said, "zh": said}
                    )
                    await alerts.raise_(connection, failing, now)

    async def _draft(self, run: runs.RunRow, most: int, denied: frozenset[str]) -> Drafted | None:
        """Draft one run; what its author got wrong ends it, what we did not predict waits.

        A run that is left `due` is woken by the sweeper, alone, and set aside in the end.
        """
        try:
            made = await draft(self._context, run, most=most, denied=denied)
            return Drafted(run, made.drafts, made.directory_version)
        except NobodyMeant as nobody:
            await self._turn_away(run, Skip(_nobody(nobody)))
        except SourceFailed as failed:
            again = self._context.clock.now() + _ASK_AGAIN
            await self._turn_away(run, Hold(failed.cause, again))
        except InputError as error:
            await self._fail(run, _cause(error))
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  a bad neighbour stops nobody
            log(Event.JOB_FAILED, level=logging.ERROR, run=run.id, error=repr(error)[:300])
        return None

    async def _turn_away(self, run: runs.RunRow, decision: TurnedAway) -> None:
        """Hold or skip a run that is still due; it is not sent to half of those it means."""
        async with transaction(self._context.pool) as connection:
            now = self._context.clock.now()
            for locked in await runs.lock(connection, [run.id], Run.DUE):
                await turn_away(connection, {locked.id: decision}, now)

    async def _fail(self, run: runs.RunRow, cause: Cause) -> None:
        async with transaction(self._context.pool) as connection:
            await runs.move(
                connection,
                [run.id],
                Run.FAILED,
                self._context.clock.now(),
                cause=cause,
                usual=Run.DUE,
            )

    async def _write_what_can_be(self, drafted: list[Drafted]) -> list[Drafted]:
        """Write together; where one cannot be written, each by itself: it holds up no other.

        The one that fails stays `due`, like one that cannot be drafted.
        """
        try:
            await self._write(drafted)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  a bad neighbour stops nobody
            if len(drafted) > 1:
                parts = [await self._write_what_can_be([one]) for one in drafted]
                return [one for part in parts for one in part]
            log(
                Event.JOB_FAILED,
                level=logging.ERROR,
                run=drafted[0].run.id,
                error=repr(error)[:300],
            )
            return []
        return drafted

    async def _write(self, drafted: list[Drafted]) -> None:
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            locked = await runs.lock(connection, [entry.run.id for entry in drafted], Run.DUE)
            still_due = {run.id for run in locked}
            still_due -= await self._drafted_again(connection, locked)
            drafted = [entry for entry in drafted if entry.run.id in still_due]
            app_ids = sorted({entry.run.app_id for entry in drafted})
            paces = await reservation.paces_of(connection, app_ids, self._context.pace, lock=True)
            drafted = await self._let_through(connection, drafted, paces, now)
            drafted = await within_day_limits(connection, drafted, now)
            booked = await book(connection, self._context, drafted, paces, now)
            await runs.predict(connection, [(one.run.id, one.forecast()) for one in booked])
            refused = self._refused(booked, now)
            await turn_away(connection, refused, now)
            planned = [one for one in booked if one.run.id not in refused]
            await runs.move(
                connection,
                [one.run.id for one in planned],
                Run.PLANNED,
                now,
                usual=Run.DUE,
            )
            await look_again(connection, planned, now)
            await self._report_empty(connection, planned)
            await self._alert(connection, planned, now)

    async def _drafted_again(self, connection: Connection, due: Sequence[runs.RunRow]) -> set[int]:
        """Have those drafted once more whose template has changed in between."""
        ids = await runs.outworded(connection, [run.id for run in due])
        if ids:
            await runs.forgive(connection, sorted(ids))
            again = [run for run in due if run.id in ids]
            await jobs.enqueue(
                connection, [wakeups.plan([run.id], run.function, again=True) for run in again]
            )
        return ids

    async def _let_through(
        self,
        connection: Connection,
        drafted: list[Drafted],
        paces: dict[int, reservation.AppPace],
        now: datetime,
    ) -> list[Drafted]:
        """Ask the gates: follow-ups and what is late come here only, and bulk costs money."""
        standing = Rules(await rules.quiet_hours(connection))
        usage = await self._usage(connection, drafted, paces, now)
        away: dict[int, TurnedAway] = {}
        for entry in drafted:
            one = entry.run
            gated = Gated(
                one.kind,
                one.spec,
                one.due_at,
                released_by=one.approved_by,
                rank=entry.rank(paces),
            )
            decision = decide(gated, now, standing, usage.get(one.org))
            if isinstance(decision, TurnedAway):
                away[one.id] = decision
        await turn_away(connection, away, now)
        return [entry for entry in drafted if entry.run.id not in away]

    async def _usage(
        self,
        connection: Connection,
        drafted: list[Drafted],
        paces: dict[int, reservation.AppPace],
        now: datetime,
    ) -> dict[str, Usage]:
        """What the orgs have spent whose bulk is planned; others are not asked about."""
        orgs = {one.run.org for one in drafted if one.rank(paces) is Rank.BULK}
        if not orgs:
            return {}
        return await spending.usage(
            connection,
            sorted(orgs),
            month_of(now),
            default_limit=self._context.allowance.monthly_calls,
        )

    def _refused(self, booked: list[Booked], now: datetime) -> dict[int, TurnedAway]:
        """Those that would not reach everybody in time, where their authors want that."""
        refused: dict[int, TurnedAway] = {}
        for one in booked:
            gated = Gated(
                one.run.kind,
                one.run.spec,
                one.run.due_at,
                released_by=LOCAL,
                expected=one.predicted,
                late_by=one.late_by,
            )
            decision = decide(gated, now, Rules())
            if isinstance(decision, TurnedAway):
                refused[one.run.id] = decision
        return refused

    async def _report_empty(self, connection: Connection, planned: list[Booked]) -> None:
        empty = [one.run.id for one in planned if one.calls == 0]
        await jobs.enqueue(connection, [wakeups.settle(empty)] if empty else [])

    async def _alert(self, connection: Connection, planned: list[Booked], now: datetime) -> None:
        for one in planned:
            if one.late_by is not None:
                late = Alarm(
                    AlarmKind.FINISH_LATE,
                    Noun.RUN,
                    str(one.run.id),
                    {"late": format_duration(one.late_by)},
                )
                await alerts.raise_(connection, late, now)


def _nobody(nobody: NobodyMeant) -> Cause:
    return Cause(CauseKind.NOBODY, {"day": nobody.day.isoformat()})


def _cause(error: InputError) -> Cause:
    """What the author got wrong, with the end of the traceback where it was a function's."""
    return of_function(error, error.trace) if isinstance(error, AuthorError) else of_input(error)
