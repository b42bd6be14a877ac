"""Planner: due firings → deliveries and batches with slots, and the send jobs that wake them.

1. Count the try, so that a firing that kills its planner is found out.
2. Resolve audiences and render bodies, with no transaction open.
3. In one transaction: lock the firings that are still due, lock the orgs, reserve slots, write
   batches and deliveries, move the firings on, enqueue the waves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from math import floor

from dingbell.dingtalk.errors import DingTalkError
from dingbell.domain.batching import Draft, body_hash
from dingbell.domain.lifecycle import Delivery, Firing
from dingbell.engine import pace
from dingbell.engine.context import Context, report_job, send_job
from dingbell.engine.drafting import draft
from dingbell.errors import DingBellError, InputError
from dingbell.store import batches, deliveries, firings, jobs
from dingbell.store.connection import AWAY, Connection, transaction
from dingbell.telemetry import Event, log

__all__ = ["Planner"]

_WAVE_SIZE = 200
_TOUCH_EVERY = 3.0


@dataclass(frozen=True, slots=True)
class _Planned:
    firing: firings.FiringRow
    drafts: list[Draft]


class Planner:
    """Plans chunks of firings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._apart: set[asyncio.Task[None]] = set()

    async def plan_apart(self, firing_ids: Sequence[int]) -> None:
        """Plan firings of a Python function after the job has ended.

        However long the function takes, jobs of others need not wait for it. If this node dies the
        sweeper wakes them.
        """
        task = asyncio.create_task(self._plan_quietly(firing_ids))
        self._apart.add(task)
        task.add_done_callback(self._apart.discard)

    async def stop(self) -> None:
        """Leave the functions under way; their firings stay due for others."""
        for task in self._apart:
            task.cancel()
        await asyncio.gather(*self._apart, return_exceptions=True)

    async def _plan_quietly(self, firing_ids: Sequence[int]) -> None:
        try:
            await self.plan(firing_ids)
        except Exception as error:  # noqa: BLE001  the rows are unchanged and are woken again
            log(Event.JOB_FAILED, level=logging.ERROR, job="plan", error=repr(error)[:300])

    async def plan(self, firing_ids: Sequence[int]) -> None:
        """Plan those of the firings that are still due; a repeat does nothing."""
        context = self._context
        async with context.pool.acquire() as connection:
            due = await firings.begin_planning(connection, firing_ids, context.clock.now())
            app_ids = sorted({firing.app_id for firing in due})
            paces = await pace.paces_of(connection, app_ids, context.pace, lock=False)
        touching = asyncio.create_task(self._touch([firing.id for firing in due]))
        try:
            drafted = [
                await self._draft(firing, paces[firing.app_id].most_people) for firing in due
            ]
        finally:
            touching.cancel()
        planned = [entry for entry in drafted if entry is not None]
        if planned:
            await self._write(planned)
            await self._warm(planned)

    async def _touch(self, firing_ids: list[int]) -> None:
        """Show that these firings are being planned, however long an author's function takes."""
        while True:
            await self._context.clock.sleep(_TOUCH_EVERY)
            try:
                async with self._context.pool.acquire() as connection:
                    await firings.touch(connection, firing_ids, self._context.clock.now())
            except AWAY as error:
                log(Event.DATABASE_LOST, level=logging.WARNING, error=repr(error)[:200])

    async def _warm(self, planned: list[_Planned]) -> None:
        """Have the tokens ready, so that only the call is left when the slot strikes."""
        app_ids = sorted({entry.firing.app_id for entry in planned})
        await asyncio.gather(*(self._warm_app(app_id) for app_id in app_ids))

    async def _warm_app(self, app_id: int) -> None:
        try:
            await self._context.clients.refresh(app_id)
            await (await self._context.clients.of(app_id)).token()
        except (DingTalkError, DingBellError) as error:
            log(Event.TOKEN_FAILED, level=logging.WARNING, app=app_id, error=str(error)[:200])

    async def _draft(self, firing: firings.FiringRow, most: int) -> _Planned | None:
        """Draft one firing; what its author got wrong ends it, what we did not foresee waits.

        A firing that is left `due` is woken by the sweeper, alone, and set aside in the end.
        """
        try:
            return _Planned(firing, await draft(self._context, firing, most=most))
        except InputError as error:
            await self._fail(firing, str(error))
        except AWAY:
            raise
        except Exception as error:  # noqa: BLE001  a bad neighbour stops nobody
            log(Event.JOB_FAILED, level=logging.ERROR, firing=firing.id, error=repr(error)[:300])
        return None

    async def _fail(self, firing: firings.FiringRow, reason: str) -> None:
        log(
            Event.FIRING_FAILED,
            level=logging.ERROR,
            firing=firing.id,
            schedule=firing.schedule,
            reason=reason[:500],
        )
        async with transaction(self._context.pool) as connection:
            await firings.move(
                connection,
                [firing.id],
                Firing.FAILED,
                self._context.clock.now(),
                reason=_storable(reason),
            )
        self._context.metrics.firings.labels("failed").inc()

    async def _write(self, planned: list[_Planned]) -> None:
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            locked = await firings.lock(
                connection, [entry.firing.id for entry in planned], Firing.DUE
            )
            still_due = {firing.id for firing in locked}
            planned = [entry for entry in planned if entry.firing.id in still_due]
            slots = await self._reserve(connection, planned, now)
            new = await _with_waves(connection, planned, slots)
            ids = await batches.insert(connection, new)
            await deliveries.copy(connection, _ledger(new, planned, ids))
            await firings.move(connection, sorted(still_due), Firing.PLANNED, now)
            empty = [entry.firing.id for entry in planned if not entry.drafts]
            await jobs.enqueue(
                connection,
                [*_send_jobs(new), *([report_job(empty)] if empty else [])],
            )
        for entry in planned:
            log(
                Event.FIRING_PLANNED,
                level=logging.DEBUG,
                firing=entry.firing.id,
                batches=len(entry.drafts),
            )

    async def _reserve(
        self, connection: Connection, planned: list[_Planned], now: datetime
    ) -> list[list[datetime]]:
        app_ids = sorted({entry.firing.app_id for entry in planned})
        paces = await pace.paces_of(connection, app_ids, self._context.pace, lock=True)
        wanted = [
            pace.Wanted(
                entry.firing.app_id,
                entry.firing.due_at,
                tuple(one.size for one in entry.drafts),
            )
            for entry in planned
        ]
        return await pace.reserve_slots(connection, wanted, paces, now=now)


def _storable(reason: str) -> str:
    """A reason as PostgreSQL takes it: no NUL, no half characters, not endless."""
    return reason.replace("\0", "").encode(errors="replace").decode()[:500]


async def _with_waves(
    connection: Connection, planned: list[_Planned], slots: list[list[datetime]]
) -> list[batches.NewBatch]:
    """Turn drafts into batches; those of one second of slots share a wave."""
    timed = sorted(
        (
            (slot, entry.firing, ordinal, one)
            for entry, own in zip(planned, slots, strict=True)
            for ordinal, (one, slot) in enumerate(zip(entry.drafts, own, strict=True))
        ),
        key=lambda item: (item[0], item[1].id, item[2]),
    )
    parts = [
        second[start : start + _WAVE_SIZE]
        for _, group in groupby(timed, key=lambda item: floor(item[0].timestamp()))
        for second in [list(group)]
        for start in range(0, len(second), _WAVE_SIZE)
    ]
    waves = await batches.next_waves(connection, len(parts))
    return [
        batches.NewBatch(
            firing_id=firing.id,
            ordinal=ordinal,
            app_id=firing.app_id,
            org=firing.org,
            body=one.body,
            body_hash=body_hash(one.body),
            size=one.size,
            target=one.target,
            slot_at=slot,
            wave=wave,
        )
        for wave, part in zip(waves, parts, strict=True)
        for slot, firing, ordinal, one in part
    ]


def _ledger(
    new: list[batches.NewBatch], planned: list[_Planned], ids: list[int]
) -> Iterator[tuple[int, str, int, int, str]]:
    drafts = {entry.firing.id: entry.drafts for entry in planned}
    for batch, batch_id in zip(new, ids, strict=True):
        one = drafts[batch.firing_id][batch.ordinal]
        for userid in one.userids:
            yield batch.firing_id, userid, batch_id, 1, Delivery.PLANNED.value
        if one.target is not None:
            yield batch.firing_id, _target(one), batch_id, one.size, Delivery.PLANNED.value


def _target(one: Draft) -> str:
    """The name under which a coarse target stands in the ledger."""
    departments = (one.target or {}).get("departments")
    return f"departments:{','.join(map(str, departments))}" if departments else "everyone"


def _send_jobs(new: list[batches.NewBatch]) -> Iterator[jobs.Job]:
    first: dict[int, datetime] = {}
    for batch in new:
        first.setdefault(batch.wave, batch.slot_at)
    for wave, slot_at in first.items():
        yield send_job(wave, slot_at)
