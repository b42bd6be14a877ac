"""Archivist: once a day, the people of old runs → forgotten; their totals stay."""

from __future__ import annotations

from datetime import timedelta

from dingbell.domain.budget import month_of
from dingbell.engine.node.context import Context
from dingbell.store import datasets, duty, spending
from dingbell.store.connection import transaction
from dingbell.store.duty import Duty
from dingbell.store.ledger import outbox, retention
from dingbell.telemetry import Event, log

__all__ = ["FIRST_FORGETTING", "FORGET_EVERY", "Archivist"]

# Seconds after the start, and between two times.
FIRST_FORGETTING = 60.0
FORGET_EVERY = 86_400.0
_PAUSE = 0.2
# So long whoever feeds on the outbox may lag behind.
_OUTBOX_KEPT = timedelta(days=7)


class Archivist:
    """Forgets."""

    def __init__(self, context: Context, *, keep: timedelta) -> None:
        self._context = context
        self._keep = keep

    async def forget(self) -> int:
        """Forget all that is old enough, in small steps; return how many runs."""
        total = 0
        while count := await self._step():
            total += count
            await self._context.clock.sleep(_PAUSE)
        if total:
            log(Event.RUN_FORGOTTEN, runs=total)
        return total

    async def _step(self) -> int:
        before = self._context.clock.now() - self._keep
        async with transaction(self._context.pool) as connection:
            if not await duty.taken(connection, Duty.FORGET):
                return 0
            await spending.fold(connection, month_of(before))
            await outbox.forget(connection, self._context.clock.now() - _OUTBOX_KEPT)
            await datasets.forget(connection, before)
            return await retention.forget(connection, before)
