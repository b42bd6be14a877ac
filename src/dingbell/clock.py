"""The only reader of time, and the only sleeper.

`SystemClock` reads the wall once, counts from there, and is corrected by what the database's clock
says, so that all nodes of a cluster agree and a host whose clock is set rings nobody early;
`VirtualClock` stands still until a test moves it.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

__all__ = ["SHANGHAI", "Clock", "SystemClock", "VirtualClock", "beijing_day"]

SHANGHAI = ZoneInfo("Asia/Shanghai")

# Differences between clocks below this are left alone.
_JITTER = timedelta(milliseconds=5)
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def beijing_day(instant: datetime) -> datetime:
    """The beginning of the Beijing day of an instant: the day by which DingTalk counts."""
    return instant.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)


class Clock(Protocol):
    """Reads and waits for time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards and count while the host is suspended."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        ...

    async def sleep_until(self, instant: datetime) -> None:
        """Wait for an instant; return at once when it has passed."""
        ...


class SystemClock:
    """Real time, counted since the clock was made. `offset` is what has to be added to it."""

    def __init__(self) -> None:
        self.offset = timedelta(0)
        self._made = datetime.now(UTC)  # noqa: TID251
        self._made_at = self.monotonic()

    def now(self) -> datetime:
        """The present instant by the database's clock, aware, in UTC.

        When somebody sets this host's clock, nothing changes here.
        """
        return self._made + timedelta(seconds=self.monotonic() - self._made_at) + self.offset

    @property
    def correction(self) -> timedelta:
        """What this host's wall clock would have to be corrected by."""
        return self.now() - datetime.now(UTC)  # noqa: TID251

    def monotonic(self) -> float:
        """Seconds since boot, counted also while the host is suspended."""
        return time.clock_gettime(_BOOTTIME)

    def learn(self, reference: datetime, *, asked: datetime, answered: datetime) -> None:
        """Correct the offset by what another clock said between two readings of this one.

        Half of the travel time is what cannot be known, so a difference smaller than that changes
        nothing: on one host the clocks are the same.
        """
        middle = asked + (answered - asked) / 2
        error = (answered - asked) / 2 + _JITTER
        if abs(reference - middle) > error:
            self.offset += reference - middle

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""
        await asyncio.sleep(seconds)  # noqa: TID251

    async def sleep_until(self, instant: datetime) -> None:
        """Wait for an instant, in steps short enough to notice a clock that was set."""
        while (rest := (instant - self.now()).total_seconds()) > 0:
            await self.sleep(min(rest, 5.0))


class VirtualClock:
    """Time that stands still until `advance`; sleepers wake in order."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """The instant the clock was moved to."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the epoch of the virtual instant."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved so far."""
        await self.sleep_until(self._now + timedelta(seconds=seconds))

    async def sleep_until(self, instant: datetime) -> None:
        """Wait until the clock has been moved to the instant."""
        if instant <= self._now:
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (instant, next(self._order), future))
        await future

    def advance(self, by: timedelta) -> None:
        """Move time forward and wake whoever waited for an instant on the way."""
        self._now += by
        while self._sleepers and self._sleepers[0][0] <= self._now:
            future = heapq.heappop(self._sleepers)[2]
            if not future.done():
                future.set_result(None)
