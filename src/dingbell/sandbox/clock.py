"""The sandbox's time: the wall clock plus an offset that tests may push forward."""

import asyncio
import time
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

BEIJING = timezone(timedelta(hours=8), "Asia/Shanghai")
_DAY = 86_400
_BEIJING_SHIFT = 8 * 3_600


class Clock:
    """The only reader of time in the sandbox."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Epoch seconds, as the virtual company sees them."""
        return time.time() + self._offset  # noqa: TID251 - the sandbox shares no code with dingbell.clock

    def advance(self, seconds: float) -> float:
        """Push the virtual time forward and return the new instant."""
        self._offset += seconds
        return self.now()

    async def sleep(self, seconds: float) -> None:
        """Wait in real time; a held answer is held for the client, not for the company."""
        await asyncio.sleep(seconds)  # noqa: TID251 - the sandbox shares no code with dingbell.clock


def beijing_day(instant: float) -> int:
    """The number of the calendar day in Beijing, which is where daily limits turn over."""
    return int((instant + _BEIJING_SHIFT) // _DAY)


def beijing_month(instant: float) -> str:
    """The calendar month in Beijing, as `2026-09`."""
    return _month_of(beijing_day(instant))


@lru_cache(maxsize=4)
def _month_of(day: int) -> str:
    return beijing(day * _DAY - _BEIJING_SHIFT).strftime("%Y-%m")


def beijing_text(instant: float) -> str:
    """The instant as DingTalk prints it inside error texts."""
    return beijing(instant).strftime("%Y-%m-%d %H:%M:%S")


def beijing(instant: float) -> datetime:
    """The instant as an aware datetime in Beijing."""
    return datetime.fromtimestamp(instant, UTC).astimezone(BEIJING)
