"""Sender: waves of queued batches → calls.

1. The job comes a second early; the handler waits for the first slot on its own timer.
2. It claims no more batches than there are free call slots, see `claiming`.
3. It calls. Outcomes are written by `Outcomes`, coalesced.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from dingbell.engine.node.context import Context
from dingbell.engine.path.sender.calling import call, not_made
from dingbell.engine.path.sender.claiming import claim
from dingbell.engine.path.sender.concurrency import ConcurrencyLimit
from dingbell.engine.path.sender.outcomes import Outcome, Outcomes
from dingbell.engine.path.sender.staggered_start import StaggeredStart
from dingbell.store.connection import acquire
from dingbell.store.ledger import claims
from dingbell.store.ledger.claims import Claimed, Queued
from dingbell.telemetry import Event, log

__all__ = ["Sender"]

# Claims commit this long before the slot, so that only the call is left when it strikes.
CLAIM_LEAD = timedelta(milliseconds=300)
_CLAIM = 100
# More claims side by side only wait for each other's locks.
_CLAIMS_AT_ONCE = 8
# So many calls of one instant leave in a round of the loop.
_AT_ONCE = 8
# A call that did not leave this long after its slot is given back: this host was frozen.
_STALE = 3.0


class Sender:
    """Sends waves."""

    def __init__(self, context: Context, outcomes: Outcomes, *, most_calls: int = 600) -> None:
        self._context = context
        self._outcomes = outcomes
        self._slots = ConcurrencyLimit(most_calls)
        self._turns = StaggeredStart(_AT_ONCE)
        self._claims = asyncio.Semaphore(_CLAIMS_AT_ONCE)
        self._calls: set[asyncio.Task[None]] = set()
        context.metrics.in_flight.set_function(lambda: len(self._calls))
        self.draining = False

    async def send(self, wave: int) -> None:
        """Send what still waits in a wave; a repeat finds nothing.

        What was nudged to a moment later stays in the wave and comes round again.
        """
        last: list[Queued] | None = None
        while True:
            async with acquire(self._context.pool) as connection:
                queued = await claims.of_wave(connection, wave)
            if not queued or queued == last:
                return
            await self._send_round(queued)
            last = queued

    async def _send_round(self, queued: list[Queued]) -> None:
        clock = self._context.clock
        while queued:
            await clock.sleep_until(queued[0].slot_at - CLAIM_LEAD)
            horizon = clock.now() + CLAIM_LEAD
            ready = sum(batch.slot_at <= horizon for batch in queued[:_CLAIM]) or 1
            await self._context.clients.address.room()
            await self._slots.take(ready)
            if self.draining or not self._context.lease.valid:
                self._slots.give_back(ready)
                return
            part, queued = queued[:ready], queued[ready:]
            with self._context.back_pressure.sending():
                await self._claim_and_call(part)

    async def drain(self) -> None:
        """Let the calls in flight end, and their outcomes be written."""
        self.draining = True
        while self._calls:
            await asyncio.wait(self._calls)
        await self._outcomes.drain()

    async def _claim_and_call(self, part: Sequence[Queued]) -> None:
        claimed: list[Claimed] = []
        try:
            async with self._claims:
                claimed = await claim(self._context, part)
        finally:
            self._slots.give_back(len(part) - len(claimed))
        for batch in claimed:
            task = asyncio.create_task(self._call(batch))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _call(self, batch: Claimed) -> None:
        with self._context.back_pressure.sending():
            await self._call_now(batch)

    async def _call_now(self, batch: Claimed) -> None:
        context = self._context
        lead = max((batch.sent_at - context.clock.now()).total_seconds(), 0.0)
        latest = context.clock.monotonic() + lead + _STALE
        try:
            client = await context.clients.of(batch.app_id)
            await context.clock.sleep_until(batch.sent_at)
            await self._turns.take()
            if context.clock.monotonic() > latest or not context.lease.valid:
                verdict = not_made(context.clock, "stale")
            else:
                late = (context.clock.now() - batch.slot_at).total_seconds()
                context.metrics.lateness.observe(max(late, 0.0))
                verdict = await call(client, batch, context.clock)
        except Exception as error:  # noqa: BLE001  whatever it was, the batch is not left behind
            log(Event.JOB_FAILED, level=logging.ERROR, batch=batch.id, error=type(error).__name__)
            verdict = replace(
                not_made(context.clock, type(error).__name__), after=timedelta(seconds=5)
            )
        finally:
            self._slots.give_back()
        self._outcomes.add(Outcome(batch, verdict))
