"""A rule by weekdays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import DAY, DayRule
from dingbell.domain.triggers.times import listed
from dingbell.errors import Text

__all__ = ["Weekly"]


@dataclass(frozen=True, slots=True)
class Weekly(DayRule):
    """Times on some weekdays of every week.

    Attributes:
        on: weekdays from 0 for Monday, in order.
    """

    on: tuple[int, ...]
    times: tuple[str, ...]
    zone: ZoneInfo

    def days_from(self, start: date) -> Iterator[date]:
        """Every such weekday."""
        monday = start - DAY * start.weekday()
        while True:
            for weekday in self.on:
                day = monday + DAY * weekday
                if day >= start:
                    yield day
            monday += DAY * 7

    def to_dict(self) -> dict[str, Any]:
        """`{"weekly": {"on": ["mon", "thu"], "at": "09:00"}}`."""
        on = [phrases.WEEKDAYS[weekday] for weekday in self.on]
        return {"weekly": {"on": on, "at": listed(self.times)}}

    def words(self) -> Text:
        """Every Monday, Thursday 09:00."""
        days = phrases.joined(phrases.weekday(one) for one in self.on)
        return phrases.at(Text("every {days}", "每{days}").format(days=days), self.times)
