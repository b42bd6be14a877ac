"""Sweeper: rows that nobody has moved for too long → a fresh wake-up, or the ambiguous path.

Jobs are only wake-ups and can be lost; nodes can die with calls in flight. Every few seconds one
node (by advisory lock) looks for rows that should have moved.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from dingbell.clients import CALL_TIMEOUT
from dingbell.engine.node.context import Context
from dingbell.planning import wakeups
from dingbell.planning.in_doubt import recover
from dingbell.store import duty, jobs, nodes
from dingbell.store.connection import Connection, acquire, transaction
from dingbell.store.duty import Duty
from dingbell.store.ledger import calls, claims, holds, overdue, polling, recalls, runs
from dingbell.telemetry import Event, log

__all__ = ["SWEEP_EVERY", "Sweeper"]

SWEEP_EVERY = 5.0  # seconds
_SEND_LATE = timedelta(seconds=5)
# No call takes so long, whatever became of its answer.
_CALL_LATE = timedelta(minutes=5)
_POLL_LATE = timedelta(seconds=20)
_SETTLE_LATE = timedelta(seconds=15)
_RECALL_LATE = timedelta(seconds=15)
_RELEASE_LATE = timedelta(seconds=5)
_LOG_KEPT = timedelta(hours=6)
_PRUNE_EVERY = 60.0


class Sweeper:
    """Wakes what was forgotten."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._prune_at = float("-inf")

    async def sweep(self) -> None:
        """Sweep once, unless another node is at it."""
        async with acquire(self._context.pool) as connection:
            late = await overdue.anything(connection, self._late())
        if late:
            await self._sweep()
        await self._prune()

    async def _sweep(self) -> None:
        async with transaction(self._context.pool) as connection:
            if not await duty.taken(connection, Duty.SWEEP):
                return
            woken = await self._wake(connection)
            if self._context.lease.judges and await nodes.leases_can_be_judged(connection):
                woken += await self._reap(connection)
        if woken:
            log(Event.ROWS_WOKEN, level=logging.WARNING, rows=woken)

    def _late(self) -> overdue.Late:
        now = self._context.clock.now()
        return overdue.Late(
            slots=now - _SEND_LATE,
            polls=now - _POLL_LATE,
            ends=now - _SETTLE_LATE,
            recalls=now - _RECALL_LATE,
            holds=now - _RELEASE_LATE,
            plans=now - runs.PLANNING_SILENCE,
            calls=now - _CALL_LATE,
        )

    async def _prune(self) -> None:
        """Delete steps of PgQueuer's log now and then, until nothing old is left."""
        now = self._context.clock.monotonic()
        if now < self._prune_at:
            return
        async with acquire(self._context.pool) as connection:
            deleted = await jobs.prune_log(connection, self._context.clock.now() - _LOG_KEPT)
        self._prune_at = now + (0 if deleted else _PRUNE_EVERY)

    async def _wake(self, connection: Connection) -> int:
        now, late = self._context.clock.now(), self._late()
        waves = await claims.late_waves(connection, late.slots)
        polls = await polling.late_polls(connection, late.polls)
        settling = await runs.unsettled(connection, late.ends)
        unrecalled = await recalls.overdue(connection, late.recalls)
        held = await holds.overdue(connection, late.holds)
        await jobs.enqueue(
            connection,
            [
                *(wakeups.send(wave) for wave in waves),
                *([wakeups.poll(polls, now)] if polls else []),
                *([wakeups.settle(settling)] if settling else []),
                *(wakeups.recall(one) for one in unrecalled),
                *([wakeups.release(held, now)] if held else []),
            ],
        )
        woken = len(waves) + len(polls) + len(settling) + len(unrecalled) + len(held)
        return woken + await self._replan(connection)

    async def _replan(self, connection: Connection) -> int:
        """Have runs planned again that nobody has planned, each by a job of its own."""
        now = self._context.clock.now()
        unplanned = await runs.unplanned(
            connection, now=now, functions=list(self._context.functions)
        )
        await jobs.enqueue(
            connection,
            [wakeups.plan([run_id], function, alone=True) for run_id, function in unplanned],
        )
        return len(unplanned)

    async def _reap(self, connection: Connection) -> int:
        """Take over what dead nodes were sending: nobody knows what of it arrived."""
        dead = await nodes.dead(connection)
        now = self._context.clock.now()
        orphans = await claims.orphans(connection, dead, before=self._late().calls)
        await calls.doubt(connection, [batch.id for batch in orphans], arrives_within=CALL_TIMEOUT)
        for batch in orphans:
            await recover(connection, batch, now, code="node_died")
        looked = await polling.take_over(connection, dead, now)
        await jobs.enqueue(connection, [wakeups.poll(looked, now)] if looked else [])
        await nodes.prune(connection, dead)
        return len(orphans) + len(looked)
