"""Archivist: once a day, the people of old runs → forgotten; their totals stay."""

from __future__ import annotations

from datetime import timedelta

from dingbell.domain.budget import month_of
from dingbell.engine.node.context import Context
from dingbell.store import datasets, duty, media, spending
from dingbell.store.connection import transaction
from dingbell.store.duty import Duty
from dingbell.store.ledger import outbox, retention
from dingbell.telemetry import Event, log

__all__ = ["FIRST_FORGETTING", "FORGET_EVERY", "Archivist"]

# Seconds after the start, and between two times.
FIRST_FORGETTING = 60.0
FORGET_EVERY = 86_400.0
_PAUSE = 0.2
# A file that nothing names any more.
_MEDIA_KEPT = timedelta(days=30)


class Archivist:
    """Forgets."""

    def __init__(self, context: Context, *, keep: timedelta, keep_outbox: timedelta) -> None:
        self._context = context
        self._keep = keep
        self._keep_outbox = keep_outbox

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
            await outbox.forget(connection, self._context.clock.now() - self._keep_outbox)
            await media.forget(connection, self._context.clock.now() - _MEDIA_KEPT)
            await datasets.forget(connection, before)
            return await retention.forget(connection, before)
