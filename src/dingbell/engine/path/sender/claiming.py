"""Claiming: queued batches whose slots have come → batches this node may call.

One transaction, under the locks of their orgs: the runs that would begin are judged once more,
the pace is checked against the calls really made, and the intent of every call is written. What may
not go yet is moved back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from dingbell.clock import beijing_day
from dingbell.domain.gates import (
    Decision,
    Gated,
    Hold,
    Rules,
    TurnedAway,
    decide,
    is_questionable,
)
from dingbell.domain.lifecycle import Run
from dingbell.domain.misfire import LATE
from dingbell.engine.node.context import Context
from dingbell.planning import reservation, wakeups, waves
from dingbell.planning.denial import take_out
from dingbell.planning.resend import may_resend
from dingbell.planning.turning import turn_away
from dingbell.store import jobs
from dingbell.store.connection import Connection, transaction
from dingbell.store.ledger import batches, claims, runs
from dingbell.store.ledger.claims import Candidate, Claimed, Queued
from dingbell.store.ledger.holds import LOCAL
from dingbell.telemetry import Event, log

__all__ = ["claim"]

# Sends of the same words to the same person wait while an earlier call is ambiguous.
_WAIT_FOR_DOUBT = timedelta(seconds=5)
_NOW = timedelta(0)
# What another claim has moved further into the future than this has its turn there.
_AHEAD = timedelta(seconds=1)
# So much of what is late is moved back at once.
_MOST_MOVED = 1_000


async def claim(context: Context, wanted: Sequence[Queued]) -> list[Claimed]:
    """Claim batches in one transaction; what may not go yet is moved back."""
    async with transaction(context.pool) as connection:
        app_ids = sorted({batch.app_id for batch in wanted})
        paces = await reservation.paces_of(connection, app_ids, context.pace, lock=True)
        now = context.clock.now()
        found = await claims.candidates(
            connection,
            [batch.id for batch in wanted],
            doubt_since=beijing_day(now) - timedelta(days=1),
        )
        found = [one for one in found if one.batch.slot_at - now < _AHEAD]
        found = await _may_begin(connection, found, now)
        queued = await _may_go(connection, found, now)
        checked = await reservation.admit(connection, queued, paces, now=now)
        await claims.reslot(connection, [(b.id, slot, b.wave) for b, slot in checked.nudged])
        await _reslot(connection, checked.waiting)
        await _move_back(connection, checked.early, paces, now)
        denied = await context.deny.of(connection, sorted({one.org for one in paces.values()}))
        admitted = await take_out(connection, checked.admitted, denied)
        beginning = {one.batch.run_id for one in found if one.begins}
        return await claims.claim(
            connection,
            [batch.id for batch in admitted],
            begins=sorted(beginning & {batch.run_id for batch in admitted}),
            node_id=context.lease.node_id,
            now=now,
        )


async def _may_begin(
    connection: Connection, found: list[Candidate], now: datetime
) -> list[Candidate]:
    """Judge the runs that would begin once more; keep what goes on, and what may begin."""
    slots: dict[int, datetime] = {}
    blocked: dict[int, bool] = {}
    questionable: set[int] = set()
    for one in found:
        if one.begins:
            run_id, slot_at = one.batch.run_id, one.batch.slot_at
            slots[run_id] = min(slots.get(run_id, slot_at), slot_at)
            blocked[run_id] = one.blocked
            late = is_questionable(one.due_at, slots[run_id], now)
            if one.blocked or one.perishable or late:
                questionable.add(run_id)
    if not questionable:
        return found
    away: dict[int, TurnedAway] = {}
    for run in await runs.lock(connection, sorted(questionable), Run.PLANNED):
        decision = _judged(run, now, slot_at=slots[run.id], blocked=blocked[run.id])
        if isinstance(decision, Hold):
            # It keeps its batches, and asks again a moment later.
            own = await claims.queued_of(connection, run.id)
            await _reslot(connection, [(batch, decision.until or now) for batch in own])
        elif isinstance(decision, TurnedAway):
            away[run.id] = decision
        else:
            questionable.discard(run.id)
    await turn_away(connection, away, now)
    return [one for one in found if one.batch.run_id not in questionable]


def _judged(run: runs.RunRow, now: datetime, *, slot_at: datetime, blocked: bool) -> Decision:
    """Ask the gates once more.

    A slot that lies late because the pace put it there is no misfire. Quiet hours have been asked
    when it was planned: what was let go then is not stopped on its way.
    """
    gated = Gated(
        run.kind,
        run.spec,
        run.due_at,
        since=max(run.due_at, slot_at),
        released_by=LOCAL,
        blocked=blocked,
        caught_up=run.created_at - run.due_at > LATE,
    )
    return decide(gated, now, Rules())


async def _may_go(
    connection: Connection, found: Sequence[Candidate], now: datetime
) -> list[Queued]:
    """Keep back what waits for a call in doubt, and give up what may not be resent any more."""
    queued = [one.batch for one in found]
    expired = {
        batch.id
        for batch in queued
        if batch.in_doubt_since and not may_resend(max(batch.slot_at, now), batch.in_doubt_since)
    }
    if expired:
        await batches.expire(connection, sorted(expired))
        run_ids = sorted({b.run_id for b in queued if b.id in expired})
        await jobs.enqueue(connection, [wakeups.settle(run_ids)])
    # Only a call of today or yesterday can still be on its way to these people.
    doubt = any(one.doubt_near for one in found)
    waiting = (
        await claims.in_doubt_elsewhere(connection, queued, beijing_day(now)) if doubt else set()
    )
    later = now + _WAIT_FOR_DOUBT
    await _reslot(connection, [(b, later) for b in queued if b.id in waiting])
    return [batch for batch in queued if batch.id not in expired | waiting]


async def _move_back(
    connection: Connection,
    early: list[Queued],
    paces: dict[int, reservation.AppPace],
    now: datetime,
) -> None:
    """Give batches that would overfill a window the next slots that do not."""
    paused = [(b, until) for b in early if (until := paces[b.app_id].paused_until) and until > now]
    # Where a pause is the reason, the claim after it will see to the pace.
    await _reslot(connection, [(b, until + max(b.slot_at - now, _NOW)) for b, until in paused])
    resting = {batch.id for batch, _ in paused}
    early = [batch for batch in early if batch.id not in resting]
    if not early:
        return
    early = await _with_all_late(connection, early, now)
    wanted = [
        reservation.Wanted(batch.app_id, batch.slot_at, (batch.size,), batch.rank)
        for batch in early
    ]
    slots = await reservation.reserve_slots(
        connection, wanted, paces, now=now, without=[batch.id for batch in early]
    )
    await _reslot(connection, [(batch, slot) for batch, (slot,) in zip(early, slots, strict=True)])
    log(Event.BATCH_MOVED_BACK, level=logging.DEBUG, batches=len(early))


async def _with_all_late(
    connection: Connection, early: list[Queued], now: datetime
) -> list[Queued]:
    """Where one has lost its turn, all have that are as late: they move together, and only once."""
    before = now - reservation.TURN_LOST
    app_ids = sorted({batch.app_id for batch in early if batch.slot_at < before})
    if not app_ids:
        return early
    late = await claims.late(connection, app_ids, before=before, most=_MOST_MOVED)
    every = {batch.id: batch for batch in [*early, *late]}
    return sorted(every.values(), key=lambda batch: (batch.slot_at, batch.id))


async def _reslot(connection: Connection, slots: list[tuple[Queued, datetime]]) -> None:
    """Move batches to later slots; those of one second share a wave."""
    if not slots:
        return
    cut = await waves.cut(connection, [(slot_at, batch.rank) for batch, slot_at in slots])
    await claims.reslot(
        connection,
        [
            (batch.id, slot_at, wave)
            for (batch, slot_at), wave in zip(slots, cut.numbers, strict=True)
        ],
    )
    await jobs.enqueue(connection, cut.jobs)
