"""A rule by the workdays of a calendar, and by its days off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import DAY, CalendarRule, horizon
from dingbell.domain.triggers.times import listed
from dingbell.errors import Text

__all__ = ["Holiday", "Workday"]


def _days(calendar: Calendar, start: date, *, work: bool) -> Iterator[date]:
    end = horizon(start)
    while start <= end:
        if calendar.is_workday(start) is work:
            yield start
            end = horizon(start)
        start += DAY


@dataclass(frozen=True, slots=True)
class Workday(CalendarRule):
    """Times on every workday."""

    times: tuple[str, ...]
    zone: ZoneInfo
    calendar: Calendar

    def days_from(self, start: date) -> Iterator[date]:
        """Every workday."""
        return _days(self.calendar, start, work=True)

    def to_dict(self) -> dict[str, Any]:
        """`{"workday": "16:00"}`."""
        return {"workday": listed(self.times)}

    def words(self) -> Text:
        """Every workday 16:00."""
        return phrases.at(Text("every workday", "每个工作日"), self.times, self.calendar)


@dataclass(frozen=True, slots=True)
class Holiday(CalendarRule):
    """Times on every day that is no workday: weekends too, unless they are worked."""

    times: tuple[str, ...]
    zone: ZoneInfo
    calendar: Calendar

    def days_from(self, start: date) -> Iterator[date]:
        """Every day off."""
        return _days(self.calendar, start, work=False)

    def to_dict(self) -> dict[str, Any]:
        """`{"holiday": "09:00"}`."""
        return {"holiday": listed(self.times)}

    def words(self) -> Text:
        """Every day off 09:00."""
        days = Text("every day off (holidays and weekends)", "每个休息日 (节假日和周末)")
        return phrases.at(days, self.times, self.calendar)
