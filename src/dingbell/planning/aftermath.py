"""Aftermath: what was decided after a call that was not accepted → rows."""

from __future__ import annotations

import logging
from datetime import datetime

from dingbell.domain.after_call import Called, GiveUp, InDoubt, Known, SendLater
from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.planning import wakeups, waves
from dingbell.store import jobs
from dingbell.store.connection import Connection
from dingbell.store.ledger import batches, calls, deliveries, runs
from dingbell.telemetry import Event, log

__all__ = ["carry_out", "known_of"]


async def known_of(connection: Connection, batch: Called, *, again: bool) -> Known:
    """What the tables say of a batch whose call has been written.

    Args:
        connection: in the transaction that writes what is decided.
        batch: which.
        again: whether it may be sent again; its run is locked then, so that it stays on its way.
    """
    return Known(
        times_in_doubt=await calls.times_in_doubt(connection, batch.id),
        on_its_way=not again or await runs.on_its_way(connection, batch.run_id),
    )


async def carry_out(
    connection: Connection,
    batch: Called,
    decision: SendLater | InDoubt | GiveUp,
    *,
    code: str | None,
) -> bool:
    """Write a decision; False, and nothing written, when the batch is not this attempt's."""
    match decision:
        case GiveUp(state):
            return await _give_up(connection, batch, state, code)
        case SendLater(slot_at):
            ours = await _requeue(connection, batch, slot_at, code, in_doubt_since=None)
            if ours:
                log(Event.BATCH_GIVEN_BACK, batch=batch.id, code=code)
        case InDoubt(slot_at):
            ours = await _requeue(connection, batch, slot_at, code, in_doubt_since=batch.sent_at)
            if ours:
                log(Event.BATCH_IN_DOUBT, level=logging.WARNING, batch=batch.id, code=code)
    return ours


async def _requeue(
    connection: Connection,
    batch: Called,
    slot_at: datetime,
    code: str | None,
    *,
    in_doubt_since: datetime | None,
) -> bool:
    cut = await waves.cut(connection, [(slot_at, batch.rank)])
    ours = await batches.requeue(
        connection,
        batch.id,
        attempt=batch.attempt,
        slot_at=slot_at,
        wave=cut.numbers[0],
        code=code,
        in_doubt_since=in_doubt_since,
    )
    if ours:
        await jobs.enqueue(connection, cut.jobs)
    return ours


async def _give_up(connection: Connection, batch: Called, state: Batch, code: str | None) -> bool:
    ours = await batches.give_up(
        connection, batch.id, attempt=batch.attempt, target=state, code=code
    )
    if ours:
        await deliveries.move_batches(connection, [batch.id], Delivery(state.value), code)
        await jobs.enqueue(connection, [wakeups.settle([batch.run_id])])
    return ours
