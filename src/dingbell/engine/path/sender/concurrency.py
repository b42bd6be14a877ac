"""Call slots: how many calls this node has in flight, or is about to make, at a time."""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["ConcurrencyLimit"]


class ConcurrencyLimit:
    """So many slots; who wants several gets them together, in the order of asking.

    A claim is one transaction however many batches it takes: it waits for the slots of all of them,
    not for the first that is free.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def take(self, count: int) -> None:
        """Wait until there are as many free slots, and take them."""
        if not self._waiting and self._free >= count:
            self._free -= count
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self.give_back(0 if turn.cancelled() else count)
            raise

    def give_back(self, count: int = 1) -> None:
        """Free slots, and let those in who wait."""
        self._free += count
        while self._waiting:
            wanted, turn = self._waiting[0]
            if turn.done():  # given up
                self._waiting.popleft()
            elif wanted <= self._free:
                self._waiting.popleft()
                self._free -= wanted
                turn.set_result(None)
            else:
                return
