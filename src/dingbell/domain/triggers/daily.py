"""A rule by the time of day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.triggers import phrases, times
from dingbell.domain.triggers.trigger import Trigger
from dingbell.domain.triggers.wallclock import first_shown
from dingbell.errors import InputError, Text

__all__ = ["Daily"]

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
            if not times.TIME.fullmatch(written):
                raise InputError(
                    Text(
                        "{time!r} is not a time of day: write HH:MM or HH:MM:SS",
                        "{time!r} 不是一天中的时间: 请写 HH:MM 或 HH:MM:SS",
                    ).format(time=written)
                )

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Every time of every day."""
        day = instant.astimezone(self.zone).date()
        of_days = sorted(map(times.time_of_day, self.times))
        while True:
            for of_day in of_days:
                found = first_shown(datetime.combine(day, of_day), self.zone)
                if found > instant:
                    yield found
                    instant = found
            day += _DAY

    def words(self) -> Text:
        """Every day 16:00."""
        return phrases.at(Text("every day", "每天"), times.canonical(self.times))

    def to_dict(self) -> dict[str, Any]:
        """`{"daily": "16:00"}` or a list of times."""
        return {"daily": self.times[0] if len(self.times) == 1 else list(self.times)}
