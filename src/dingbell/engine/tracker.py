"""Tracker: accepted batches → receipts per person.

A look asks for the progress until DingTalk is done, then for the result. The first result that
names everybody settles the batch; later looks, on a widening interval inside the 24 h window, move
`unread` to `read` until everybody has read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dingbell.clock import beijing_day
from dingbell.dingtalk import Client, SendResult, errors
from dingbell.domain.budget import look_plan
from dingbell.domain.lifecycle import Batch, Delivery
from dingbell.domain.receipts import DUPLICATE, PACE_CODES, Finding, attribute, merge
from dingbell.engine.context import LOOK_SHARE, Context
from dingbell.engine.meter import Meter
from dingbell.errors import DingBellError
from dingbell.planning import wakeups
from dingbell.planning.repair import repair
from dingbell.store import (
    apps,
    batches,
    broken,
    calls,
    deliveries,
    foresight,
    jobs,
    spending,
    tracking,
)
from dingbell.store.connection import Connection, transaction
from dingbell.store.tracking import Tracked
from dingbell.telemetry import Event, log

__all__ = ["RESULT_WINDOW", "Tracker"]

# `getsendresult` answers for 24 h (result page, read 2026-08); the last look falls inside.
RESULT_WINDOW = timedelta(hours=24)
_LEASE = timedelta(seconds=120)
_NOT_DONE = (1.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0, 900.0)
# DingTalk is done but does not name somebody: after this many looks nobody knows.
_PATIENCE = 5
# What is asked for within so many seconds is looked at together.
_LINGER = 0.1
# So many looks, or those of so long, are written together.
_AT_ONCE = 400
_SOON = timedelta(seconds=0.5)
_EARLY = timedelta(milliseconds=500)
# People dropped for pace are sent to again after a window of DingTalk's, so many times.
_WINDOW = timedelta(seconds=60)
_MOST_REPAIRS = 5


@dataclass(slots=True)
class _Look:
    """What one look at a batch found."""

    batch: Tracked
    done: bool = False
    findings: dict[str, Finding] = field(default_factory=dict)
    next_at: datetime | None = None
    spent: list[spending.Spent] = field(default_factory=list)

    def spend(self, endpoint: str) -> None:
        """Count a call that is about to be made."""
        self.spent.append((self.batch.org, endpoint, self.batch.firing_id))


class Tracker:
    """Looks at batches."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._meter = Meter(context.clock, context.allowance)
        self._asked: dict[int, None] = {}
        self._gathering: asyncio.Task[None] | None = None
        self._rounds: set[asyncio.Task[None]] = set()

    async def track(self, batch_ids: Sequence[int]) -> None:
        """Look at those of the batches whose look has come, soon; a repeat finds none.

        The looks go on after the job has ended, together with those of other jobs and at the pace
        of their app: jobs of others need not wait for them. If this node dies the sweeper hands
        them to others.
        """
        self._asked |= dict.fromkeys(batch_ids)
        if self._gathering is None or self._gathering.done():
            self._gathering = asyncio.create_task(self._gather())

    async def _gather(self) -> None:
        """Begin rounds of what has been asked for, when sends leave room for looks."""
        await self._context.clock.sleep(_LINGER)
        await self._context.traffic.quiet()
        asked, self._asked = list(self._asked), {}
        for start in range(0, len(asked), _AT_ONCE):
            task = asyncio.create_task(self._look_at_all(asked[start : start + _AT_ONCE]))
            self._rounds.add(task)
            task.add_done_callback(self._rounds.discard)

    async def stop(self) -> None:
        """Leave the looks under way to others."""
        tasks = [*self._rounds, *([self._gathering] if self._gathering else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_at_all(self, batch_ids: Sequence[int]) -> None:
        try:
            await self._in_turn(batch_ids)
        except Exception as error:  # noqa: BLE001  the rows are unchanged and are woken again
            self._context.trouble.report(error, "tracker")

    async def _in_turn(self, batch_ids: Sequence[int]) -> None:
        """Look in the turns that the apps' lanes give, and write what was found as it comes in."""
        context = self._context
        now = context.clock.now()
        async with transaction(context.pool) as connection:
            taken = await tracking.begin_look(
                connection,
                batch_ids,
                node_id=context.lease.node_id,
                now=now + _EARLY,
                lease_until=now + _LEASE,
            )
            counts = Counter(batch.app_id for batch in taken)
            lanes = await apps.reserve_looks(
                connection,
                sorted(counts.items()),
                not_before=now,
                share=LOOK_SHARE,
                default_calls_per_second=context.pace.calls_per_second,
            )
            turns = sorted(_turns(taken, lanes), key=lambda turn: turn[0])
            await tracking.prolong(connection, [(batch.id, at + _LEASE) for at, batch in turns])
            tasks = await calls.tasks(connection, [batch.id for batch in taken])
        for part in _together(turns):
            looks = await asyncio.gather(
                *(self._look(batch, tasks.get(batch.id, []), at) for at, batch in part)
            )
            await self._write(list(looks))

    async def _look(self, batch: Tracked, tasks: list[int], at: datetime) -> _Look:
        look = _Look(batch)
        await self._context.clock.sleep_until(at)
        try:
            client = await self._context.clients.of(batch.app_id)
            await self._ask(client, tasks, look)
        except errors.RetryLater as error:
            # What is refused for its pace does not count against the month.
            look.spent.pop()
            look.next_at = self._context.clock.now() + timedelta(seconds=error.after)
        except (errors.DingTalkError, DingBellError) as error:
            log(Event.LOOK_FAILED, level=logging.WARNING, batch=batch.id, error=str(error)[:200])
        return look

    async def _ask(self, client: Client, tasks: list[int], look: _Look) -> None:
        if look.batch.state == Batch.ACCEPTED:
            for task_id in tasks:
                look.spend(spending.PROGRESS)
                if not (await client.progress(task_id)).done:
                    return
        look.done = True
        if look.batch.target is None:
            results = []
            for task_id in tasks:
                look.spend(spending.RESULT)
                results.append(_findings(await client.result(task_id)))
            look.findings = merge(results)

    async def _write(self, looks: list[_Look]) -> None:
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            known = await deliveries.states(connection, [look.batch.id for look in looks])
            usage = await self._meter.usage(connection, {look.batch.org for look in looks})
            follow_ups = await tracking.follow_ups(
                connection, sorted({look.batch.firing_id for look in looks})
            )
            receipts: list[deliveries.Receipt] = []
            settled: list[_Look] = []
            for look in looks:
                people = known[look.batch.id]
                await _attribute(connection, look)
                own = _receipts(look, people, now)
                receipts += own
                after = people | {receipt.userid: receipt.state.value for receipt in own}
                if look.batch.state == Batch.ACCEPTED and _complete(look, after, now):
                    settled.append(look)
                plan = [
                    look.batch.sent_at + rest
                    for rest in look_plan(usage[look.batch.org], self._context.looks)
                ]
                plan += follow_ups.get(look.batch.firing_id, ())
                _plan_next(look, after, plan, now, settled=look in settled)
            # Batches before deliveries, as everybody who locks both.
            await batches.move(
                connection,
                [look.batch.id for look in settled],
                Batch.SETTLED,
                usual=Batch.ACCEPTED,
            )
            await tracking.set_looks(connection, [(look.batch.id, look.next_at) for look in looks])
            await deliveries.receive(connection, receipts, now)
            await _learn(connection, looks, receipts, now)
            await jobs.enqueue(connection, _jobs(looks, settled))
            await spending.add(connection, [spent for look in looks for spent in look.spent], now)
            await self._repair(connection, looks, now)

    async def _repair(self, connection: Connection, looks: list[_Look], now: datetime) -> None:
        """Queue those again whom DingTalk dropped because too many were sent to in a minute."""
        codes = {finding.code for look in looks for finding in look.findings.values()}
        if PACE_CODES.isdisjoint(codes):
            return
        people = await broken.dropped_for_pace(
            connection, [look.batch.id for look in looks], most_generations=_MOST_REPAIRS
        )
        repaired = await repair(
            connection, people, self._context.pace, not_before=now + _WINDOW, now=now
        )
        if repaired:
            log(Event.BATCH_REPAIRED, level=logging.WARNING, people=repaired)


def _plan_next(
    look: _Look, people: dict[str, str], plan: list[datetime], now: datetime, *, settled: bool
) -> None:
    """Decide when to look again, by the plan; None is never."""
    batch = look.batch
    if batch.state == Batch.ACCEPTED and not settled:
        pause = _NOT_DONE[min(batch.looks, len(_NOT_DONE)) - 1]
        look.next_at = look.next_at or now + timedelta(seconds=pause)
        return
    if Delivery.UNREAD not in people.values() and Delivery.UNKNOWN not in people.values():
        look.next_at = None
        return
    planned = min((at for at in plan if at > now), default=None)
    look.next_at = max(look.next_at, planned) if look.next_at and planned else planned


def _turns(
    taken: list[Tracked], lanes: dict[int, tuple[datetime, float]]
) -> Iterator[tuple[datetime, Tracked]]:
    """When each look has its turn."""
    places: Counter[int] = Counter()
    for batch in taken:
        first, step = lanes[batch.app_id]
        yield first + timedelta(seconds=places[batch.app_id] * step), batch
        places[batch.app_id] += 1


def _together(
    turns: Sequence[tuple[datetime, Tracked]],
) -> Iterator[list[tuple[datetime, Tracked]]]:
    """Looks in parts that are made and written together; a part ends when its turns get late."""
    part: list[tuple[datetime, Tracked]] = []
    for at, batch in turns:
        if part and (len(part) == _AT_ONCE or at - part[0][0] > _SOON):
            yield part
            part = []
        part.append((at, batch))
    if part:
        yield part


async def _attribute(connection: Connection, look: _Look) -> None:
    """Find out what duplicates mean; only a batch with a lost call leaves a doubt."""
    duplicates = [userid for userid, finding in look.findings.items() if finding.code == DUPLICATE]
    if not duplicates or look.batch.lost_at is None:
        return
    day = beijing_day(look.batch.sent_at)
    elsewhere = await deliveries.same_words(connection, look.batch.id, duplicates, day_start=day)
    for userid in duplicates:
        look.findings[userid] = attribute(elsewhere.get(userid, ()), lost=True)


async def _learn(
    connection: Connection,
    looks: list[_Look],
    receipts: list[deliveries.Receipt],
    now: datetime,
) -> None:
    """Remember whom DingTalk calls invalid, for the next forecast."""
    apps_of = {look.batch.firing_id: look.batch.app_id for look in looks}
    invalid = [
        (apps_of[receipt.firing_id], receipt.firing_id, receipt.userid)
        for receipt in receipts
        if receipt.state is Delivery.INVALID
    ]
    if invalid:
        await foresight.learn_outsiders(connection, invalid, now)


def _findings(result: SendResult) -> dict[str, Finding]:
    """Sort the lists of a result by person."""
    found = {userid: Finding(Delivery.UNREAD) for userid in result.unread}
    found |= {userid: Finding(Delivery.READ) for userid in result.read}
    found |= {userid: Finding(Delivery.INVALID) for userid in result.invalid_userids}
    found |= {userid: Finding(Delivery.FAILED) for userid in result.failed}
    found |= {one.userid: Finding(Delivery.DROPPED, one.code or None) for one in result.forbidden}
    return found


def _receipts(look: _Look, people: dict[str, str], now: datetime) -> list[deliveries.Receipt]:
    """What changes for the people of a batch."""
    batch = look.batch
    found = {userid: f for userid, f in look.findings.items() if userid in people}
    gone = now - batch.sent_at > RESULT_WINDOW
    if batch.state == Batch.ACCEPTED and (gone or (look.done and batch.looks >= _PATIENCE)):
        for userid, state in people.items():
            if state == Delivery.SENT and userid not in found:
                found[userid] = Finding(Delivery.UNKNOWN, "no_receipt")
    return [
        deliveries.Receipt(batch.firing_id, userid, finding.state, finding.code)
        for userid, finding in found.items()
        if people[userid] != finding.state or finding.code == DUPLICATE
    ]


def _complete(look: _Look, people: dict[str, str], now: datetime) -> bool:
    """Whether everybody of the batch is accounted for."""
    if look.batch.target is not None:
        return look.done or now - look.batch.sent_at > RESULT_WINDOW
    named = look.findings.keys()
    return all(
        userid in named or state != Delivery.SENT
        for userid, state in people.items()
        if state != Delivery.PLANNED
    )


def _jobs(looks: list[_Look], settled: list[_Look]) -> list[jobs.Job]:
    firing_ids = sorted({look.batch.firing_id for look in settled})
    report = [wakeups.settle(firing_ids)] if firing_ids else []
    again: dict[int, list[_Look]] = {}
    for look in looks:
        if look.next_at is not None:
            again.setdefault(int(look.next_at.timestamp()), []).append(look)
    return report + [
        wakeups.poll(
            [look.batch.id for look in group], max(look.next_at for look in group if look.next_at)
        )
        for group in again.values()
    ]
