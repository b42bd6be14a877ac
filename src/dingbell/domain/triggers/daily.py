"""A rule by the time of day."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.triggers.trigger import Trigger
from dingbell.domain.triggers.wallclock import first_shown
from dingbell.errors import InputError, Text

__all__ = ["Daily"]

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?", re.ASCII)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Daily(Trigger):
    """One or more times of day, every day, in a zone."""

    times: tuple[str, ...]
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if not self.times:
            raise InputError(Text("daily needs at least one time", "daily 至少要有一个时间"))
        for written in self.times:
            if not _TIME.fullmatch(written):
                raise InputError(
                    Text(
                        "{time!r} is not a time of day: write HH:MM or HH:MM:SS",
                        "{time!r} 不是一天中的时间: 请写 HH:MM 或 HH:MM:SS",
                    ).format(time=written)
                )

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Every time of every day."""
        day = instant.astimezone(self.zone).date()
        times = sorted(map(_time_of_day, self.times))
        while True:
            for of_day in times:
                found = first_shown(datetime.combine(day, of_day), self.zone)
                if found > instant:
                    yield found
                    instant = found
            day += _DAY

    def to_dict(self) -> dict[str, Any]:
        """`{"daily": "16:00"}` or a list of times."""
        return {"daily": self.times[0] if len(self.times) == 1 else list(self.times)}


def _time_of_day(written: str) -> time:
    hour, minute, *second = map(int, written.split(":"))
    return time(hour, minute, second[0] if second else 0)
