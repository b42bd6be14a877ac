"""Latecomers: who joined an audience, or left it, between planning and the first call.

1. A planned run that depends on the directory keeps the version it was planned by.
2. A second before its first slot the versions are compared; mostly nothing has changed.
3. Else its audience is found again. Who has left is taken out of the batches that wait; who has
   joined gets batches of his own, with slots of their own. Whoever is called already stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from math import floor

from dingbell.domain.batching import Draft
from dingbell.domain.forecast import Reason
from dingbell.domain.lifecycle import Run
from dingbell.domain.run import FollowUpStep
from dingbell.engine.node.context import Context
from dingbell.engine.path.planner.booking import Booked, Drafted, book
from dingbell.engine.path.planner.day_limits import within_day_limits
from dingbell.engine.path.planner.drafting import draft_joined, whom
from dingbell.errors import DatabaseUnavailable, DingBellError
from dingbell.planning import reservation, wakeups
from dingbell.planning.denial import cancel_empty
from dingbell.store import jobs
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.ledger import batches, deliveries, latecomers, runs
from dingbell.telemetry import Event, log

__all__ = ["Latecomers", "look_again"]

# Runs that are looked at side by side; the calls of others want the database, too.
_AT_ONCE = 4


async def look_again(connection: Connection, planned: Sequence[Booked], now: datetime) -> None:
    """Keep by which directory runs were planned, and wake whoever looks at it once more.

    Args:
        connection: in the transaction that plans them.
        planned: runs with their slots.
        now: the present instant; what begins in less than a second is fresh enough.
    """
    living = [one for one in planned if one.directory_version is not None]
    if not living:
        return
    await latecomers.note_versions(
        connection, [(one.run.id, one.directory_version) for one in living]
    )
    ahead = [
        (one.begin_at, one.run.id)
        for one in living
        if one.begin_at is not None and one.begin_at - wakeups.JOIN_LEAD > now
    ]
    await _wake(connection, ahead)


async def _wake(connection: Connection, ahead: Sequence[tuple[datetime, int]]) -> None:
    """One job for the runs that begin in one second."""
    await jobs.enqueue(
        connection,
        [
            wakeups.join([run_id for _, run_id in own], own[0][0])
            for _, group in groupby(sorted(ahead), key=lambda one: floor(one[0].timestamp()))
            for own in [list(group)]
        ],
    )


class Latecomers:
    """Lets people join planned runs, and leave them."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def join(self, run_ids: Sequence[int]) -> None:
        """Look once more at the directory for runs that are about to begin; a repeat is harmless.

        What cannot be done is left: the run goes out to whom it was planned for.
        """
        async with acquire(self._context.pool) as connection:
            stale = await latecomers.stale(connection, run_ids)
        now = self._context.clock.now()
        # The pace has moved it back: whoever joins until then is in it, too.
        later = [one for one in stale if one.begins_at - 2 * wakeups.JOIN_LEAD > now]
        if later:
            async with transaction(self._context.pool) as connection:
                await _wake(connection, [(one.begins_at, one.run_id) for one in later])
        turns = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._try(one.run_id, turns) for one in stale if one not in later))

    async def _try(self, run_id: int, turns: asyncio.Semaphore) -> None:
        try:
            async with turns:
                await self._look(run_id)
        except DatabaseUnavailable:
            raise
        except DingBellError as error:
            log(Event.JOB_FAILED, level=logging.WARNING, run=run_id, error=str(error)[:300])

    async def _look(self, run_id: int) -> None:
        """Find the audience of a run again, and write down who has joined and who has left."""
        async with acquire(self._context.pool) as connection:
            run = await runs.find(connection, run_id)
        if run is None or isinstance(run.spec, FollowUpStep):
            return
        meant = await whom(self._context, run, run.spec.to, ask=False)
        if meant is None:
            return
        async with acquire(self._context.pool) as connection:
            before = await latecomers.people(connection, run_id)
        joined = [userid for userid in meant.userids if userid not in before]
        left = sorted(before.keys() - set(meant.userids))
        if joined or left:
            drafts = await self._drafts(run, joined) if joined else []
            await self._write(Drafted(run, drafts, meant.version), {u: before[u] for u in left})

    async def _drafts(self, run: runs.RunRow, joined: Sequence[str]) -> list[Draft]:
        context = self._context
        async with acquire(context.pool) as connection:
            paces = await reservation.paces_of(connection, [run.app_id], context.pace, lock=False)
            denied = await context.deny.of(connection, [run.org])
        return await draft_joined(
            context,
            run,
            joined,
            most=paces[run.app_id].most_people,
            denied=denied.get(run.org, frozenset()),
        )

    async def _write(self, entry: Drafted, left: Mapping[str, int]) -> None:
        """Write who has joined and who has left (userid → batch), unless the run has begun.

        Locks are taken in the order of the sender, which claims at the same time: orgs, then runs.
        """
        run, now = entry.run, self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            paces = await reservation.paces_of(
                connection, [run.app_id], self._context.pace, lock=True
            )
            if not await runs.lock(connection, [run.id], Run.PLANNED):
                return
            batch_ids, userids = sorted(set(left.values())), sorted(left)
            hit = await deliveries.take_out(connection, batch_ids, userids, Reason.MOVED_OUT)
            emptied = await cancel_empty(connection, hit)
            if entry.drafts:
                first = await batches.last_ordinal(connection, run.id) + 1
                joined = replace(entry, first=first)
                kept = await within_day_limits(connection, [joined], now)
                await book(connection, self._context, kept, paces, now)
            await latecomers.note_versions(connection, [(run.id, entry.directory_version)])
            if emptied:
                await jobs.enqueue(connection, [wakeups.settle([run.id])])
