"""Pacing: questions to DingTalk about the directory, each API at the rate it takes."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from dingbell.clock import Clock
from dingbell.dingtalk import errors

__all__ = ["Pacer", "Turn", "together"]

# Questions to one API that are under way at once: a slow answer does not slow the pace.
_AT_ONCE = 24
# In any second an API takes so many calls of one app; the rest is the spread of travel times.
_WINDOW = 1.05
# What was missed is caught up by so much faster than even, never all at once.
_CATCHING_UP = 1.2
_RETRIES = 6
T = TypeVar("T")

# Awaited before each request of a question that takes several.
Turn = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Call:
    """When a request goes, or went; seconds of the monotonic clock."""

    at: float


class Pacer:
    """Asks in turn, page by page; waits and begins again where DingTalk is busy.

    Args:
        clock: whose time passes.
        calls_per_second: what one API takes of one app.
    """

    def __init__(self, clock: Clock, calls_per_second: int) -> None:
        self._most = calls_per_second
        self._clock = clock
        self._rooms: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
        self._calls: dict[str, deque[_Call]] = defaultdict(deque)

    async def ask(self, api: str, call: Callable[[Turn], Awaitable[T]]) -> T:
        """Ask something of an API; the call awaits its turn before each of its requests.

        Raises:
            DingTalkError: it was refused, or never answered.
        """

        async def turn() -> None:
            await self._turn(api)

        for attempt in range(_RETRIES):
            try:
                async with self._rooms[api]:
                    return await call(turn)
            except errors.RetryLater as error:
                await self._clock.sleep(error.after)
            except (errors.Ambiguous, errors.NotSent):
                if attempt == _RETRIES - 1:
                    raise
                await self._clock.sleep(0.2 * 2**attempt)
        return await call(turn)

    async def once(self, api: str, call: Callable[[], Awaitable[T]]) -> T:
        """Ask something that takes one request.

        Raises:
            DingTalkError: it was refused, or never answered.
        """

        async def in_turn(turn: Turn) -> T:
            await turn()
            return await call()

        return await self.ask(api, in_turn)

    async def _turn(self, api: str) -> None:
        """Wait until a window has room; what a busy host has missed is caught up.

        A call counts from when it really went: a loop that was late sends it later than it was due.
        """
        calls, now = self._calls[api], self._clock.monotonic()
        before = calls.popleft() if len(calls) == self._most else None
        at = now
        if calls:
            at = max(at, calls[-1].at + 1 / (self._most * _CATCHING_UP))
        if before is not None:
            at = max(at, before.at + _WINDOW)
        own = _Call(at)
        calls.append(own)
        # The one before may have gone later than it was to when this one was put behind it.
        while (wait := max(at, before.at + _WINDOW if before else at) - now) > 0:
            await self._clock.sleep(wait)
            now = self._clock.monotonic()
        own.at = max(at, now)


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do work side by side; when a part fails, the rest does not go on behind its back."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
