"""Recaller: runs a person wants back → every batch taken off the phones, inside 24 h."""

from __future__ import annotations

import logging
from functools import partial

import asyncpg

from dingbell.clients import patiently
from dingbell.domain.lifecycle import Batch, Delivery, Run
from dingbell.engine.node.context import Context
from dingbell.planning import wakeups
from dingbell.store import jobs, spending
from dingbell.store.connection import acquire, transaction
from dingbell.store.ledger import batches, calls, deliveries, recalls, runs, summaries
from dingbell.telemetry import Event, log

__all__ = ["Recaller"]

# A call may be in flight while the recall is asked for; its batch is recalled on the next round.
_ROUNDS = 15
_RETRY = 1.0
# How often a recall is asked for while DingTalk is busy.
_TRIES = 15


class Recaller:
    """Recalls runs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def recall(self, run_id: int) -> None:
        """Recall every batch of a run that DingTalk took; a repeat recalls what is left."""
        for _ in range(_ROUNDS):
            async with acquire(self._context.pool) as connection:
                rows = await batches.of_run(connection, run_id)
                summary = await summaries.find(connection, run_id)
            if summary is None:
                return
            for row in rows:
                if row["state"] in (Batch.ACCEPTED, Batch.SETTLED) and row["recall_code"] is None:
                    await self._recall(run_id, summary.app, row["id"])
            if await self._finish(run_id):
                return
            await self._context.clock.sleep(_RETRY)
        await self._finish(run_id, surely=True)

    async def _recall(self, run_id: int, app: str | None, batch_id: int) -> None:
        async with acquire(self._context.pool) as connection:
            app_id, org = await batches.sender_of(connection, batch_id)
            tasks = (await calls.tasks(connection, [batch_id])).get(batch_id, [])
        client = await self._context.clients.of(app_id)
        failure: str | None = None
        spent: list[spending.Spent] = []
        for task_id in tasks:
            code = await patiently(
                partial(client.recall, task_id), self._context.clock, tries=_TRIES
            )
            if code is None:
                spent.append((org, spending.RECALL, run_id))
                continue
            failure = failure or code
            log(
                Event.RECALL_FAILED,
                level=logging.ERROR,
                run=run_id,
                app=app,
                batch=batch_id,
                code=code,
            )
        await self._write(batch_id, failure, spent)

    async def _write(self, batch_id: int, failure: str | None, spent: list[spending.Spent]) -> None:
        async with transaction(self._context.pool) as connection:
            await spending.add(connection, spent, self._context.clock.now())
            if failure:
                await batches.note_recall(connection, batch_id, failure)
                return
            await batches.move(connection, [batch_id], Batch.RECALLED)
            await deliveries.move_batches(connection, [batch_id], Delivery.RECALLED)

    async def _finish(self, run_id: int, *, surely: bool = False) -> bool:
        """A run is recalled when one of its batches was; what could not be says so itself.

        Returns:
            False where something is still on its way, or was queued meanwhile.
        """
        now = self._context.clock.now()
        async with transaction(self._context.pool) as connection:
            await recalls.asked(connection, run_id)
            rows = await batches.of_run(connection, run_id)
            if not surely and any(_is_left(row) for row in rows):
                return False
            if any(row["state"] == Batch.RECALLED for row in rows):
                await runs.move(connection, [run_id], Run.RECALLED, now)
            else:
                await jobs.enqueue(connection, [wakeups.settle([run_id])])
            await recalls.ask(connection, run_id, None)
        return True


def _is_left(row: asyncpg.Record) -> bool:
    """Whether a batch may still be recalled: it is on its way, or nobody has tried."""
    if row["state"] in (Batch.SENDING, Batch.QUEUED):
        return True
    return row["state"] in (Batch.ACCEPTED, Batch.SETTLED) and row["recall_code"] is None
