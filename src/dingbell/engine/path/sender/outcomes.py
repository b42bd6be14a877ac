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
from datetime import datetime

from dingbell.clients import CALL_TIMEOUT
from dingbell.domain.after_call import (
    Accept,
    Called,
    Decision,
    Known,
    Next,
    Verdict,
    after_call,
)
from dingbell.engine.node.context import Context
from dingbell.errors import DatabaseUnavailable
from dingbell.planning import wakeups
from dingbell.planning.aftermath import carry_out, known_of
from dingbell.store import apps, jobs, media, spending
from dingbell.store.connection import Connection, transaction
from dingbell.store.ledger import batches, calls, deliveries
from dingbell.store.ledger.claims import Claimed
from dingbell.telemetry import Event, log

__all__ = ["Outcome", "Outcomes"]

_MOST = 300
# DingTalk does not know a file any more that it was given: it is given it again next time.
_BAD_MEDIA = "40007"
_LINGER = 0.005


@dataclass(frozen=True, slots=True)
class Outcome:
    """A claimed batch and how its call ended."""

    batch: Claimed
    verdict: Verdict

    @property
    def called(self) -> Called:
        """The batch, as far as what becomes of it depends on it."""
        batch = self.batch
        return Called(
            id=batch.id,
            run_id=batch.run_id,
            attempt=batch.attempt,
            sent_at=batch.sent_at,
            coarse=batch.target is not None,
            on_ambiguous=batch.on_ambiguous,
            rank=batch.rank,
            in_doubt_since=batch.in_doubt_since,
        )


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
            except Exception as error:  # noqa: BLE001  the stage goes on, whatever it was
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
        """Write outcomes in one transaction; a repeat changes nothing.

        Apps are locked before runs, and runs before batches, as at the claim.
        """
        part = sorted(part, key=lambda outcome: outcome.batch.id)
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            await calls.complete(connection, [_answer(outcome) for outcome in part])
            for outcome in part:
                await _pause(connection, outcome.batch.app_id, outcome.verdict, now)
            decided = [(one, await _decide(connection, one, now)) for one in part]
            await _accept(connection, [(o, d) for o, d in decided if isinstance(d, Accept)])
            for outcome, decision in decided:
                if not isinstance(decision, Accept):
                    code = outcome.verdict.code
                    await carry_out(connection, outcome.called, decision, code=code)
                    if code == _BAD_MEDIA:
                        await media.forget_ids(connection, outcome.batch.app_id, outcome.batch.body)
            await spending.add(connection, [*_spent(part)], now)
        for ended, count in Counter(outcome.verdict.outcome for outcome in part).items():
            self._context.metrics.calls.labels(ended).inc(count)


async def _decide(connection: Connection, outcome: Outcome, now: datetime) -> Decision:
    """Decide what becomes of a batch; of one that was accepted nothing has to be read."""
    batch, verdict = outcome.called, outcome.verdict
    known = Known()
    if verdict.next is not Next.ACCEPTED:
        again = verdict.next in (Next.LATER, Next.IN_DOUBT)
        known = await known_of(connection, batch, again=again)
    return after_call(batch, verdict, known, now, arrives_within=CALL_TIMEOUT)


async def _accept(connection: Connection, accepted: Sequence[tuple[Outcome, Accept]]) -> None:
    """Write what was accepted: its batches, its people, and when their results are asked for."""
    if not accepted:
        return
    polls = {outcome.batch.id: decision.poll_at for outcome, decision in accepted}
    moved = set(
        await batches.accept(
            connection,
            [
                (o.batch.id, o.verdict.task_id or 0, o.batch.sent_at, polls[o.batch.id])
                for o, _ in accepted
            ],
        )
    )
    await deliveries.sent(
        connection, [(o.batch.id, o.batch.sent_at) for o, _ in accepted if o.batch.id in moved]
    )
    if moved:
        due = sorted((polls[batch_id], batch_id) for batch_id in moved)
        await jobs.enqueue(connection, [*_track_jobs(due)])


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
            yield outcome.batch.org, spending.SEND, outcome.batch.run_id


def _track_jobs(due: list[tuple[datetime, int]]) -> list[jobs.Job]:
    """One job for the polls of each second."""
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
