"""Settler: runs of which every batch is final → settled, and followed up on."""

from __future__ import annotations

from collections.abc import Sequence

from dingbell.engine.node.context import Context
from dingbell.engine.path.settler.follow_ups import prepare
from dingbell.engine.path.settler.next_day import put_off
from dingbell.store.connection import transaction
from dingbell.store.ledger import runs

__all__ = ["Settler"]


class Settler:
    """Settles runs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def report(self, run_ids: Sequence[int]) -> None:
        """Settle what has come to its end; folded again it comes to the same."""
        async with transaction(self._context.pool) as connection:
            settled = await runs.settle(connection, run_ids, self._context.clock.now())
            await prepare(connection, self._context, settled)
            await put_off(connection, self._context, settled)
