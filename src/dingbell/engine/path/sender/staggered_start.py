"""Turns: what would begin all at once begins a few at a time.

A hundred calls that wake at one instant would all be built before the first is on the wire. A few
in each round of the loop, and DingTalk has the first while the last is being built.
"""

from __future__ import annotations

import asyncio
from collections import deque

__all__ = ["StaggeredStart"]


class StaggeredStart:
    """So many begin in a round of the event loop, in the order of asking."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._left = at_once
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Wait for one's turn; nobody waits while few ask."""
        loop = asyncio.get_running_loop()
        if self._left == self._at_once:
            loop.call_soon(self._next_round)
        if self._left > 0:
            self._left -= 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next_round(self) -> None:
        self._left = self._at_once
        while self._waiting and self._left > 0:
            turn = self._waiting.popleft()
            if not turn.done():  # not given up
                turn.set_result(None)
                self._left -= 1
        if self._left < self._at_once:
            asyncio.get_running_loop().call_soon(self._next_round)
