"""Outcomes: verdicts of calls → rows, many in one transaction.

Everything that waits goes into one transaction. While the database is away, verdicts wait here and
are written when it is back: an answer that was received is never forgotten.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.engine.ambiguity import Lost, recover
from dingbell.engine.calling import Next, Verdict
from dingbell.engine.context import Context
from dingbell.errors import DatabaseUnavailable
from dingbell.planning import wakeups, waves
from dingbell.store import apps, batches, calls, deliveries, firings, jobs, spending
from dingbell.store.claims import Claimed
from dingbell.store.connection import Connection, transaction
from dingbell.telemetry import Event, log

__all__ = ["LOOK_AFTER", "Outcome", "Outcomes"]

# DingTalk publishes no figure; clients in the field see results after about a second.
LOOK_AFTER = timedelta(seconds=1.5)
_MOST = 300
_LINGER = 0.005
_MOST_ATTEMPTS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """A claimed batch and how its call ended."""

    batch: Claimed
    verdict: Verdict


class Outcomes:
    """Writes outcomes, coalesced."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: list[Outcome] = []
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, outcome: Outcome) -> None:
        """Have an outcome written."""
        self._waiting.append(outcome)
        self._idle.clear()
        self._arrived.set()

    async def drain(self) -> None:
        """Wait until everything is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._arrived.wait()
            await self._context.clock.sleep(_LINGER)
            part, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            if not self._waiting:
                self._arrived.clear()
            await self._write_surely(part)
            if not self._waiting:
                self._idle.set()

    async def _write_surely(self, part: list[Outcome]) -> None:
        """Write, however long the database is away; leave out one that it will not take."""
        pause = 0.1
        while True:
            try:
                await self.write(part)
            except DatabaseUnavailable as error:
                self._context.trouble.report(error, "outcomes")
                await self._context.clock.sleep(pause)
                pause = min(pause * 2, 2.0)
                continue
            except Exception as error:  # noqa: BLE001  the room goes on, whatever it was
                await self._write_singly(part, error)
            return

    async def _write_singly(self, part: list[Outcome], error: Exception) -> None:
        """Find the one that cannot be written; it stays `sending` until it is taken for lost."""
        if len(part) == 1:
            log(
                Event.OUTCOME_REFUSED,
                level=logging.CRITICAL,
                batch=part[0].batch.id,
                error=repr(error)[:200],
            )
            return
        for outcome in part:
            await self._write_surely([outcome])

    async def write(self, part: Sequence[Outcome]) -> None:
        """Write outcomes in one transaction; a repeat changes nothing."""
        part = sorted(part, key=lambda outcome: outcome.batch.id)
        accepted = [o for o in part if o.verdict.next is Next.ACCEPTED]
        async with transaction(self._context.pool) as connection:
            await calls.complete(connection, [_answer(outcome) for outcome in part])
            if accepted:
                await self._accept(connection, accepted)
            for outcome in part:
                if outcome.verdict.next is not Next.ACCEPTED:
                    await self._not_accepted(connection, outcome)
            await spending.add(connection, [*_spent(part)], self._context.clock.now())
        for ended, count in Counter(outcome.verdict.outcome for outcome in part).items():
            self._context.metrics.calls.labels(ended).inc(count)

    async def _accept(self, connection: Connection, accepted: list[Outcome]) -> None:
        looks = {o.batch.id: o.verdict.answered_at + LOOK_AFTER for o in accepted}
        moved = set(
            await batches.accept(
                connection,
                [
                    (o.batch.id, o.verdict.task_id or 0, o.batch.sent_at, looks[o.batch.id])
                    for o in accepted
                ],
            )
        )
        await deliveries.sent(
            connection, [(o.batch.id, o.batch.sent_at) for o in accepted if o.batch.id in moved]
        )
        if moved:
            due = sorted((looks[batch_id], batch_id) for batch_id in moved)
            await jobs.enqueue(connection, [*_track_jobs(due)])

    async def _not_accepted(self, connection: Connection, outcome: Outcome) -> None:
        batch, verdict = outcome.batch, outcome.verdict
        now = self._context.clock.now()
        await _pause(connection, batch.app_id, verdict, now)
        if verdict.next is Next.LOST:
            lost = Lost(
                batch.id,
                batch.firing_id,
                batch.attempt,
                batch.sent_at,
                batch.target is not None,
                batch.on_ambiguous,
                batch.rank,
            )
            await recover(connection, lost, now, code=verdict.code)
        elif verdict.next is Next.LATER and batch.attempt < _MOST_ATTEMPTS:
            await _send_later(connection, batch, verdict, now)
        else:
            await _fail(connection, batch, verdict.code)


def _answer(outcome: Outcome) -> calls.Answer:
    verdict = outcome.verdict
    return calls.Answer(
        outcome.batch.call_id,
        verdict.outcome,
        verdict.answered_at,
        verdict.task_id,
        verdict.code,
    )


def _spent(part: Sequence[Outcome]) -> Iterator[spending.Spent]:
    """The calls that count against the month: not those that were refused for their pace."""
    for outcome in part:
        verdict = outcome.verdict
        if verdict.outcome != "not_sent" and verdict.next is not Next.LATER:
            yield outcome.batch.org, spending.SEND, outcome.batch.firing_id


def _track_jobs(due: list[tuple[datetime, int]]) -> list[jobs.Job]:
    """One job for the looks of each second."""
    groups: dict[int, list[tuple[datetime, int]]] = {}
    for at, batch_id in due:
        groups.setdefault(int(at.timestamp()), []).append((at, batch_id))
    return [
        wakeups.poll([batch_id for _, batch_id in group], max(at for at, _ in group))
        for group in groups.values()
    ]


async def _pause(connection: Connection, app_id: int, verdict: Verdict, now: datetime) -> None:
    if verdict.pause is None:
        return
    app = await apps.by_id(connection, app_id)
    await apps.pause(
        connection,
        until=now + verdict.pause,
        reason=verdict.code or "",
        app_id=app_id,
        oapi_url=app.oapi_url if app and verdict.pause_address else None,
    )
    log(Event.APP_PAUSED, level=logging.ERROR, app=app_id, code=verdict.code)


async def _send_later(
    connection: Connection, batch: Claimed, verdict: Verdict, now: datetime
) -> None:
    """Give a batch back that certainly was not sent; under a canceled firing it ends with it."""
    if not await firings.on_its_way(connection, batch.firing_id):
        await _end(connection, batch, Batch.CANCELED, verdict.code)
        return
    slot_at = now + verdict.after
    cut = await waves.cut(connection, [(slot_at, batch.rank)])
    if await batches.requeue(
        connection,
        batch.id,
        attempt=batch.attempt,
        slot_at=slot_at,
        wave=cut.numbers[0],
        code=verdict.code,
        lost_at=None,
    ):
        await jobs.enqueue(connection, cut.jobs)
        log(Event.BATCH_GIVEN_BACK, batch=batch.id, code=verdict.code)


async def _fail(connection: Connection, batch: Claimed, code: str | None) -> None:
    await _end(connection, batch, Batch.FAILED, code)


async def _end(connection: Connection, batch: Claimed, target: Batch, code: str | None) -> None:
    """Give a batch up; where an earlier call was lost nobody knows who was reached."""
    if batch.lost_at is not None or await calls.times_lost(connection, batch.id):
        target = Batch.UNKNOWN
    if await batches.give_up(connection, batch.id, attempt=batch.attempt, target=target, code=code):
        await deliveries.move_batches(connection, [batch.id], Delivery(target.value), code)
        await jobs.enqueue(connection, [wakeups.settle([batch.firing_id])])
