"""Sender: waves of queued batches → calls.

1. The job comes a second early; the handler waits for the first slot on its own timer.
2. It claims no more batches than there are free call slots, in one transaction that starts their
   firings, checks the pace against the calls really made, and writes the intent of every call.
3. It calls. Outcomes are written by `Outcomes`, coalesced.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import floor

from dingbell.clock import beijing_day
from dingbell.domain.lifecycle import Firing
from dingbell.domain.misfire import LATE, too_late
from dingbell.domain.schedule import ScheduleSpec
from dingbell.engine.calling import call, not_made
from dingbell.engine.context import Context, report_job, send_job
from dingbell.engine.outcomes import Outcome, Outcomes
from dingbell.planning import pace
from dingbell.planning.repair import may_resend
from dingbell.store import batches, claims, firings, jobs
from dingbell.store.claims import Claimed, Queued
from dingbell.store.connection import Connection, transaction
from dingbell.telemetry import Event, log

__all__ = ["Sender"]

# Claims commit this long before the slot, so that only the call is left when it strikes.
CLAIM_LEAD = timedelta(milliseconds=200)
_CLAIM = 50
# A call that did not leave this long after its slot is given back: this host was frozen.
_STALE = 3.0
# Sends of the same words to the same person wait while an earlier call is ambiguous.
_WAIT_FOR_LOST = timedelta(seconds=5)
# What a person asked for by hand is not sent when it could not begin for so long.
_MANUAL_GRACE = timedelta(minutes=30)
_QUEUE_RETRY = timedelta(seconds=1)
_NOW = timedelta(0)


class Sender:
    """Sends waves."""

    def __init__(self, context: Context, outcomes: Outcomes, *, most_calls: int = 300) -> None:
        self._context = context
        self._outcomes = outcomes
        self._free = asyncio.Semaphore(most_calls)
        self._calls: set[asyncio.Task[None]] = set()
        context.metrics.in_flight.set_function(lambda: len(self._calls))
        self.draining = False

    async def send(self, wave: int) -> None:
        """Send what still waits in a wave; a repeat finds nothing.

        What was nudged to a moment later stays in the wave and comes round again.
        """
        last: list[Queued] | None = None
        while True:
            async with self._context.pool.acquire() as connection:
                queued = await claims.of_wave(connection, wave)
            if not queued or queued == last:
                return
            await self._send_round(queued)
            last = queued

    async def _send_round(self, queued: list[Queued]) -> None:
        while queued:
            await self._context.clock.sleep_until(queued[0].slot_at - CLAIM_LEAD)
            horizon = self._context.clock.now() + CLAIM_LEAD
            ready = sum(batch.slot_at <= horizon for batch in queued[:_CLAIM]) or 1
            await self._context.clients.address.room()
            room = await self._take_room(ready)
            if self.draining or not self._context.lease.valid:
                self._give_room_back(room)
                return
            part, queued = queued[:room], queued[room:]
            with self._context.traffic.sending():
                await self._claim_and_call(part)

    async def drain(self) -> None:
        """Let the calls in flight end, and their outcomes be written."""
        self.draining = True
        while self._calls:
            await asyncio.wait(self._calls)
        await self._outcomes.drain()

    async def _take_room(self, most: int) -> int:
        """Take at least one free call slot, and as many as there are up to `most`."""
        await self._free.acquire()
        taken = 1
        while taken < most and not self._free.locked():
            await self._free.acquire()
            taken += 1
        return taken

    def _give_room_back(self, count: int) -> None:
        for _ in range(count):
            self._free.release()

    async def _claim_and_call(self, part: Sequence[Queued]) -> None:
        claimed: list[Claimed] = []
        try:
            claimed = await self.claim(part)
        finally:
            self._give_room_back(len(part) - len(claimed))
        for batch in claimed:
            task = asyncio.create_task(self._call(batch))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _call(self, batch: Claimed) -> None:
        with self._context.traffic.sending():
            await self._call_now(batch)

    async def _call_now(self, batch: Claimed) -> None:
        context = self._context
        lead = max((batch.sent_at - context.clock.now()).total_seconds(), 0.0)
        latest = context.clock.monotonic() + lead + _STALE
        try:
            client = await context.clients.of(batch.app_id)
            await context.clock.sleep_until(batch.sent_at)
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
            self._free.release()
        self._outcomes.add(Outcome(batch, verdict))

    async def claim(self, wanted: Sequence[Queued]) -> list[Claimed]:
        """Claim batches in one transaction; what may not go yet is moved back."""
        context = self._context
        async with transaction(context.pool) as connection:
            app_ids = sorted({batch.app_id for batch in wanted})
            paces = await pace.paces_of(connection, app_ids, context.pace, lock=True)
            now = context.clock.now()
            await self._start_firings(connection, wanted, now)
            queued = await self._may_go(connection, wanted, now)
            checked = await pace.admit(connection, queued, paces, now=now)
            await claims.reslot(connection, [(b.id, slot) for b, slot in checked.nudged])
            await _reslot(connection, checked.waiting)
            await self._move_back(connection, checked.early, paces, now)
            return await claims.claim(
                connection,
                [batch.id for batch in checked.admitted],
                node_id=context.lease.node_id,
                now=now,
            )

    async def _start_firings(
        self, connection: Connection, wanted: Sequence[Queued], now: datetime
    ) -> None:
        """Start the firings whose first batches these are; judge each once more."""
        slots: dict[int, datetime] = {}
        for batch in wanted:
            slots[batch.firing_id] = min(slots.get(batch.firing_id, batch.slot_at), batch.slot_at)
        start: list[int] = []
        for firing, blocked in await firings.starting(connection, sorted(slots)):
            reason, waits = _judged(firing, now, slot_at=slots[firing.id], blocked=blocked)
            if reason:
                await _skip(connection, firing, reason, now)
            elif waits:
                own = await claims.queued_of(connection, firing.id)
                await _reslot(connection, [(batch, now + _QUEUE_RETRY) for batch in own])
            else:
                start.append(firing.id)
        if start:
            await firings.move(connection, start, Firing.SENDING, now)

    async def _may_go(
        self, connection: Connection, wanted: Sequence[Queued], now: datetime
    ) -> list[Queued]:
        """Keep back what must wait for a lost call, and give up what may not be resent any more."""
        today = beijing_day(now)
        queued, doubt = await claims.still_queued(
            connection, [batch.id for batch in wanted], doubts_since=today - timedelta(days=1)
        )
        expired = {
            batch.id
            for batch in queued
            if batch.lost_at and not may_resend(max(batch.slot_at, now), batch.lost_at)
        }
        if expired:
            await claims.expire(connection, sorted(expired))
            firing_ids = sorted({b.firing_id for b in queued if b.id in expired})
            await jobs.enqueue(connection, [report_job(firing_ids)])
        # Only a call of today or yesterday can still be on its way to these people.
        waiting = await claims.lost_elsewhere(connection, queued, today) if doubt else set()
        later = now + _WAIT_FOR_LOST
        await _reslot(connection, [(b, later) for b in queued if b.id in waiting])
        return [batch for batch in queued if batch.id not in expired | waiting]

    async def _move_back(
        self,
        connection: Connection,
        early: list[Queued],
        paces: dict[int, pace.AppPace],
        now: datetime,
    ) -> None:
        """Give batches that would overfill a window the next slots that do not."""
        paused = [
            (b, until) for b in early if (until := paces[b.app_id].paused_until) and until > now
        ]
        # Where a pause is the reason, the claim after it will see to the pace.
        await _reslot(connection, [(b, until + max(b.slot_at - now, _NOW)) for b, until in paused])
        resting = {batch.id for batch, _ in paused}
        early = [batch for batch in early if batch.id not in resting]
        if not early:
            return
        wanted = [
            pace.Wanted(batch.app_id, batch.slot_at, (batch.size,), batch.rank) for batch in early
        ]
        slots = await pace.reserve_slots(
            connection, wanted, paces, now=now, without=[batch.id for batch in early]
        )
        await _reslot(
            connection, [(batch, slot) for batch, (slot,) in zip(early, slots, strict=True)]
        )
        log(Event.BATCH_MOVED_BACK, level=logging.DEBUG, batches=len(early))


def _judged(
    firing: firings.FiringRow, now: datetime, *, slot_at: datetime, blocked: bool
) -> tuple[str | None, bool]:
    """Why a firing is skipped after all, or whether it waits for an earlier one.

    A slot that lies late because the pace put it there is no misfire. What was late already when
    it was made is being caught up with: one after the other.
    """
    if firing.kind != "occurrence":
        late = too_late(max(firing.due_at, slot_at), now, _MANUAL_GRACE)
        return ("expired: it could not be sent for 30 minutes" if late else None), False
    on_time = now - max(firing.due_at, slot_at) <= LATE and "useless_after" not in firing.spec
    if on_time and not blocked:
        return None, False
    spec = ScheduleSpec.model_validate(firing.spec)
    useless = spec.useless_after is not None and now - firing.due_at > spec.useless_after
    if useless or too_late(max(firing.due_at, slot_at), now, spec.misfire.grace):
        return "misfire: later than the grace", False
    caught_up = firing.created_at - firing.due_at > LATE
    if blocked and spec.overlap == "skip" and not caught_up:
        return "overlap: an earlier occurrence is still being sent", False
    return None, blocked and spec.overlap != "allow"


async def _skip(
    connection: Connection, firing: firings.FiringRow, reason: str, now: datetime
) -> None:
    await firings.move(connection, [firing.id], Firing.SKIPPED, now, reason=reason)
    await batches.cancel_queued(connection, [firing.id])
    log(Event.FIRING_SKIPPED, firing=firing.id, schedule=firing.schedule, reason=reason)


async def _reslot(connection: Connection, slots: list[tuple[Queued, datetime]]) -> None:
    """Move batches to later slots; those of one second share a wave."""
    if not slots:
        return
    seconds: dict[int, list[tuple[int, datetime]]] = {}
    for batch, slot_at in slots:
        seconds.setdefault(floor(slot_at.timestamp()), []).append((batch.id, slot_at))
    waves = await claims.next_waves(connection, len(seconds))
    for wave, part in zip(waves, seconds.values(), strict=True):
        await claims.reslot(connection, part, wave)
    await jobs.enqueue(
        connection,
        [
            send_job(wave, min(slot_at for _, slot_at in part))
            for wave, part in zip(waves, seconds.values(), strict=True)
        ],
    )
