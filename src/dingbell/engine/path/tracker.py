"""Tracker: accepted batches → receipts per person.

A poll asks for the progress until DingTalk is done, then for the result. The first result that
names everybody settles the batch; later polls, on a widening interval inside the 24 h window, move
`unread` to `read` until everybody has read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile

from dingbell.clock import beijing_day
from dingbell.dingtalk import Client, SendResult, errors
from dingbell.domain.budget import poll_plan
from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.domain.receipts import (
    DUPLICATE,
    Finding,
    Judgement,
    Polled,
    attribute,
    judge,
    merge,
)
from dingbell.engine.node.context import POLL_SHARE, Context
from dingbell.engine.node.spacing import Spacing
from dingbell.errors import DatabaseUnavailable, DingBellError
from dingbell.planning import wakeups
from dingbell.planning.pacedrops import queue_again
from dingbell.planning.usage import MonthlyUsage
from dingbell.store import apps, jobs, spending
from dingbell.store.connection import Connection, transaction
from dingbell.store.ledger import batches, calls, deliveries, forecasts, polling
from dingbell.store.ledger.polling import Tracked
from dingbell.telemetry import Event, log

__all__ = ["Tracker"]

_LEASE = timedelta(seconds=120)
# What is asked for within so many seconds is polled together.
_LINGER = 0.1
# So many polls, or those of so long, are written together.
_AT_ONCE = 400
_SOON = timedelta(seconds=0.5)
_EARLY = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class _Turn:
    """When a batch is polled, and how many seconds before the next of its app."""

    at: datetime
    step: float
    batch: Tracked


@dataclass(slots=True)
class _Poll:
    """What one poll of a batch found.

    Attributes:
        not_before: where it was refused for its pace, when another is allowed.
    """

    batch: Tracked
    done: bool = False
    findings: dict[str, Finding] = field(default_factory=dict)
    not_before: datetime | None = None
    spent: list[spending.Spent] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether it found nothing."""
        return not self.done and not self.findings

    def spend(self, endpoint: str) -> None:
        """Count a call that is about to be made."""
        self.spent.append((self.batch.org, endpoint, self.batch.run_id))

    def polled(self) -> Polled:
        """What it found, as far as the judgement depends on it."""
        batch = self.batch
        return Polled(
            settled=batch.state != Batch.ACCEPTED,
            polls=batch.polls,
            sent_at=batch.sent_at,
            coarse=batch.target is not None,
            done=self.done,
            findings=self.findings,
            not_before=self.not_before,
        )


@dataclass(frozen=True, slots=True)
class _Judged:
    """A batch, and what the poll changes of it."""

    batch: Tracked
    judgement: Judgement

    def receipts(self) -> Iterator[deliveries.Receipt]:
        """What is written of its people."""
        for userid, finding in self.judgement.receipts.items():
            yield deliveries.Receipt(self.batch.run_id, userid, finding.state, finding.code)


class Tracker:
    """Polls batches."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spacing = Spacing(context.clock)
        self._usage_of = MonthlyUsage(context.clock, context.allowance)
        self._asked: dict[int, None] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._rounds: set[asyncio.Task[None]] = set()

    async def track(self, batch_ids: Sequence[int]) -> None:
        """Poll those of the batches whose poll has come, soon; a repeat finds none.

        The polls go on after the job has ended, together with those of other jobs and at the pace
        of their app: jobs of others need not wait for them. If this node dies the sweeper hands
        them to others.
        """
        self._asked |= dict.fromkeys(batch_ids)
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.create_task(self._gather())

    async def _gather(self) -> None:
        """Begin rounds of what has been asked for, when sends leave room for polls."""
        await self._context.clock.sleep(_LINGER)
        await self._context.back_pressure.quiet()
        asked, self._asked = list(self._asked), {}
        for start in range(0, len(asked), _AT_ONCE):
            task = asyncio.create_task(self._poll_all(asked[start : start + _AT_ONCE]))
            self._rounds.add(task)
            task.add_done_callback(self._rounds.discard)

    async def stop(self) -> None:
        """Leave the polls under way to others."""
        tasks = [*self._rounds, *([self._gathering] if self._gathering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _poll_all(self, batch_ids: Sequence[int]) -> None:
        try:
            await self._in_turn(batch_ids)
        except Exception as error:  # noqa: BLE001  the rows are unchanged and are woken again
            self._context.trouble.report(error, "tracker")

    async def _in_turn(self, batch_ids: Sequence[int]) -> None:
        """Poll in the turns that the apps' lanes give, and write what was found as it comes in.

        Turns that were missed, because writing took long or the database was away, are given up
        for new ones: other nodes have missed theirs too, and would make up for them just now.
        """
        context = self._context
        now = context.clock.now()
        async with transaction(context.pool) as connection:
            taken = await polling.begin_poll(
                connection,
                batch_ids,
                node_id=context.lease.node_id,
                now=now + _EARLY,
                lease_until=now + _LEASE,
            )
            turns = await self._reserve(connection, taken, now)
            tasks = await calls.tasks(connection, [batch.id for batch in taken])
        while turns:
            turns = await self._renewed(turns)
            part = turns[: _together(turns)]
            turns = turns[len(part) :]
            polls = await asyncio.gather(
                *(self._look(turn, tasks.get(turn.batch.id, [])) for turn in part)
            )
            await self._write_each(polls)

    async def _renewed(self, turns: list[_Turn]) -> list[_Turn]:
        """The turns with new ones for those that were missed."""
        now = self._context.clock.now()
        missed = [turn.batch for turn in turns if turn.at < now - _SOON]
        if not missed:
            return turns
        async with transaction(self._context.pool) as connection:
            renewed = await self._reserve(connection, missed, now)
        return sorted([*turns[len(missed) :], *renewed], key=lambda turn: turn.at)

    async def _reserve(
        self, connection: Connection, taken: Sequence[Tracked], now: datetime
    ) -> list[_Turn]:
        """Reserve turns, the first one first, and keep the batches until then."""
        counts = Counter(batch.app_id for batch in taken)
        lanes = await apps.reserve_polls(
            connection,
            sorted(counts.items()),
            not_before=now,
            share=POLL_SHARE,
            default_calls_per_second=self._context.pace.calls_per_second,
        )
        turns = sorted(_turns(taken, lanes), key=lambda turn: turn.at)
        leases = [(turn.batch.id, turn.at + _LEASE) for turn in turns]
        await polling.prolong(connection, leases)
        return turns

    async def _look(self, turn: _Turn, tasks: list[int]) -> _Poll:
        poll = _Poll(turn.batch)
        await self._context.clock.sleep_until(turn.at)
        try:
            client = await self._context.clients.of(turn.batch.app_id)
            await self._ask(client, tasks, poll, turn.step)
        except errors.RetryLater as error:
            # What is refused for its pace does not count against the month.
            poll.spent.pop()
            poll.not_before = self._context.clock.now() + timedelta(seconds=error.after)
        except DatabaseUnavailable:
            raise
        except (errors.DingTalkError, DingBellError) as error:
            _log_failed(turn.batch, str(error))
        except Exception as error:  # noqa: BLE001  it is this batch's trouble, not the others'
            _log_failed(turn.batch, type(error).__name__)
        return poll

    async def _ask(self, client: Client, tasks: list[int], poll: _Poll, step: float) -> None:
        app_id = poll.batch.app_id
        if poll.batch.state == Batch.ACCEPTED:
            for task_id in tasks:
                await self._spacing.turn((app_id, spending.PROGRESS), step)
                poll.spend(spending.PROGRESS)
                if not (await client.progress(task_id)).done:
                    return
        poll.done = True
        if poll.batch.target is None:
            results = []
            for task_id in tasks:
                await self._spacing.turn((app_id, spending.RESULT), step)
                poll.spend(spending.RESULT)
                results.append(_findings(await client.result(task_id)))
            poll.findings = merge(results)

    async def _write_each(self, polls: list[_Poll]) -> None:
        """Write polls together; where that fails, one by one, without what cannot be written."""
        try:
            await self._write(polls)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  whichever it is, the others are written
            if len(polls) > 1:
                for poll in polls:
                    await self._write_each([poll])
            elif polls[0].empty:
                # It is left to the end of its lease.
                self._context.trouble.report(error, "tracker")
            else:
                _log_failed(polls[0].batch, repr(error))
                await self._write_each([_Poll(polls[0].batch, spent=polls[0].spent)])

    async def _write(self, polls: list[_Poll]) -> None:
        """Judge polls and write what they change, in one transaction.

        1. Read what is known of the batches, and attribute duplicates.
        2. Judge each poll.
        3. Write batches before deliveries, as everybody who locks both.
        4. Queue those again who were dropped for pace.
        """
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            judged = await self._judge(connection, polls, now)
            settled = [one for one in judged if one.judgement.settles]
            await batches.move(
                connection,
                [one.batch.id for one in settled],
                Batch.SETTLED,
                usual=Batch.ACCEPTED,
            )
            await polling.set_polls(
                connection, [(one.batch.id, one.judgement.next_at) for one in judged]
            )
            receipts = [receipt for one in judged for receipt in one.receipts()]
            await deliveries.receive(connection, receipts, now)
            await _learn(connection, polls, receipts, now)
            await jobs.enqueue(connection, _jobs(judged))
            await spending.add(connection, [spent for poll in polls for spent in poll.spent], now)
            await queue_again(
                connection,
                [poll.batch.id for poll in polls],
                {finding.code for poll in polls for finding in poll.findings.values()},
                self._context.pace,
                now=now,
            )

    async def _judge(
        self, connection: Connection, polls: list[_Poll], now: datetime
    ) -> list[_Judged]:
        """Read what is known of the batches, and judge each poll."""
        known = await deliveries.states(connection, [poll.batch.id for poll in polls])
        usage = await self._usage_of.usage(connection, {poll.batch.org for poll in polls})
        follow_ups = await polling.follow_ups(
            connection, sorted({poll.batch.run_id for poll in polls})
        )
        judged = []
        for poll in polls:
            batch, people = poll.batch, known[poll.batch.id]
            poll.findings = {u: f for u, f in poll.findings.items() if u in people}
            await _attribute(connection, poll)
            plan = [
                *(
                    batch.sent_at + rest
                    for rest in poll_plan(usage[batch.org], self._context.polls)
                ),
                *follow_ups.get(batch.run_id, ()),
            ]
            judged.append(_Judged(batch, judge(poll.polled(), people, plan, now)))
        return judged


def _log_failed(batch: Tracked, error: str) -> None:
    log(Event.POLL_FAILED, level=logging.WARNING, batch=batch.id, error=error[:200])


def _turns(taken: Sequence[Tracked], lanes: dict[int, tuple[datetime, float]]) -> Iterator[_Turn]:
    """When each poll has its turn."""
    places: Counter[int] = Counter()
    for batch in taken:
        first, step = lanes[batch.app_id]
        yield _Turn(first + timedelta(seconds=places[batch.app_id] * step), step, batch)
        places[batch.app_id] += 1


def _together(turns: Sequence[_Turn]) -> int:
    """How many of the first polls are made and written together: until their turns get late."""
    near = (turn.at - turns[0].at <= _SOON for turn in turns[:_AT_ONCE])
    return sum(takewhile(bool, near))


async def _attribute(connection: Connection, poll: _Poll) -> None:
    """Find out what duplicates mean; only a batch with an in-doubt call leaves a doubt."""
    duplicates = [userid for userid, finding in poll.findings.items() if finding.code == DUPLICATE]
    if not duplicates or poll.batch.in_doubt_since is None:
        return
    day = beijing_day(poll.batch.sent_at)
    elsewhere = await deliveries.same_words(connection, poll.batch.id, duplicates, day_start=day)
    for userid in duplicates:
        poll.findings[userid] = attribute(elsewhere.get(userid, ()), lost=True)


async def _learn(
    connection: Connection,
    polls: list[_Poll],
    receipts: list[deliveries.Receipt],
    now: datetime,
) -> None:
    """Remember whom DingTalk calls invalid, for the next forecast."""
    apps_of = {poll.batch.run_id: poll.batch.app_id for poll in polls}
    invalid = [
        (apps_of[receipt.run_id], receipt.run_id, receipt.userid)
        for receipt in receipts
        if receipt.state is Delivery.INVALID
    ]
    if invalid:
        await forecasts.learn_outsiders(connection, invalid, now)


def _findings(result: SendResult) -> dict[str, Finding]:
    """Sort the lists of a result by person."""
    found = {userid: Finding(Delivery.UNREAD) for userid in result.unread}
    found |= {userid: Finding(Delivery.READ) for userid in result.read}
    found |= {userid: Finding(Delivery.INVALID) for userid in result.invalid_userids}
    found |= {userid: Finding(Delivery.FAILED) for userid in result.failed}
    found |= {one.userid: Finding(Delivery.DROPPED, one.code or None) for one in result.forbidden}
    return found


def _jobs(judged: Sequence[_Judged]) -> list[jobs.Job]:
    """The reports of runs of which batches settled, and one job for the polls of each second."""
    run_ids = sorted({one.batch.run_id for one in judged if one.judgement.settles})
    report = [wakeups.settle(run_ids)] if run_ids else []
    again: dict[int, list[tuple[datetime, int]]] = {}
    for one in judged:
        at = one.judgement.next_at
        if at is not None:
            again.setdefault(int(at.timestamp()), []).append((at, one.batch.id))
    return report + [
        wakeups.poll([batch_id for _, batch_id in group], max(at for at, _ in group))
        for group in again.values()
    ]
