"""Ambiguous calls: nobody knows whether DingTalk took the batch.

DingTalk has no idempotency key, but it drops an identical body to the same person on the same
Beijing day (143106, send and result pages, read 2026-08). So the same bytes may be sent again that
day; who was reached by the lost call comes back as a duplicate and is attributed by the tracker.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.domain.priority import Rank
from dingbell.planning import wakeups, waves
from dingbell.planning.repair import may_resend
from dingbell.store import batches, calls, deliveries, firings, jobs
from dingbell.store.connection import Connection
from dingbell.telemetry import Event, log

__all__ = ["Lost", "recover"]

_BACKOFF = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0)


@dataclass(frozen=True, slots=True)
class Lost:
    """A batch whose call went out and never came back."""

    id: int
    firing_id: int
    attempt: int
    sent_at: datetime
    coarse: bool
    on_ambiguous: str
    rank: Rank


async def recover(connection: Connection, batch: Lost, now: datetime, *, code: str | None) -> bool:
    """Queue a lost batch again with the same bytes, or leave it to a person as `unknown`.

    The duplicate rule covers the Beijing day on which the call was *sent*, however late its loss
    is noticed.

    Returns:
        Whether the batch was still this attempt's.
    """
    times = await calls.times_lost(connection, batch.id)
    slot_at = now + timedelta(seconds=_BACKOFF[min(max(times, 1), len(_BACKOFF)) - 1])
    resend = (
        batch.on_ambiguous == "resend"
        and not batch.coarse
        and times <= len(_BACKOFF)
        and may_resend(slot_at, batch.sent_at)
        and await firings.on_its_way(connection, batch.firing_id)
    )
    if not resend:
        return await _give_up(connection, batch, code)
    cut = await waves.cut(connection, [(slot_at, batch.rank)])
    ours = await batches.requeue(
        connection,
        batch.id,
        attempt=batch.attempt,
        slot_at=slot_at,
        wave=cut.numbers[0],
        code=code,
        lost_at=batch.sent_at,
    )
    if ours:
        await jobs.enqueue(connection, cut.jobs)
        log(Event.BATCH_LOST, level=logging.WARNING, batch=batch.id, code=code)
    return ours


async def _give_up(connection: Connection, batch: Lost, code: str | None) -> bool:
    ours = await batches.give_up(
        connection, batch.id, attempt=batch.attempt, target=Batch.UNKNOWN, code=code
    )
    if ours:
        await deliveries.move_batches(connection, [batch.id], Delivery.UNKNOWN, code)
        await jobs.enqueue(connection, [wakeups.settle([batch.firing_id])])
    return ours
