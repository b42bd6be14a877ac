"""Rules by the day of the month, by its nth workday, by its nth weekday."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import DAY, CalendarRule, DayRule
from dingbell.domain.triggers.months import (
    LAST,
    SHIFTS,
    Last,
    Shift,
    clamped,
    months_from,
    shifted,
)
from dingbell.domain.triggers.times import listed
from dingbell.errors import Text

__all__ = ["MonthDay", "MonthWeekday", "MonthWorkday"]

# Few calendars rest longer than this before or after a day of a month.
_MONTHS_OF_REST = 2


@dataclass(frozen=True, slots=True)
class MonthDay(CalendarRule):
    """Times on some days of every month; a month without such a day has its last one.

    Attributes:
        days: 1 to 31 in order, `last` at the end.
        shift: where the day is off, the workday after or before it.
    """

    days: tuple[int | Last, ...]
    times: tuple[str, ...]
    zone: ZoneInfo
    calendar: Calendar
    shift: Shift | None = None

    def days_from(self, start: date) -> Iterator[date]:
        """These days of every month, shifted."""
        for first in months_from(start, before=_MONTHS_OF_REST if self.shift else 0):
            for day in self.days:
                found = clamped(first.year, first.month, day)
                found = shifted(found, self.shift, self.calendar)
                if found >= start:
                    yield found

    def unknown_year(self, instant: datetime) -> int | None:
        """The year of an occurrence that the calendar may have to shift and does not know."""
        # Without arguments `super` does not find the class that slots have made anew.
        return CalendarRule.unknown_year(self, instant) if self.shift else None

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """The calendar, where days are shifted."""
        return (self.calendar,) if self.shift else ()

    def to_dict(self) -> dict[str, Any]:
        """`{"monthly": {"day": 5, "at": "10:00", "shift": "next_workday"}}`."""
        days = self.days[0] if len(self.days) == 1 else list(self.days)
        shift = {"shift": self.shift} if self.shift else {}
        return {"monthly": {"day": days, "at": listed(self.times), **shift}}

    def words(self) -> Text:
        """Every month on the 5th, or the next workday, 10:00."""
        days = phrases.joined(_day_words(day) for day in self.days)
        beside = "" if self.days[0] == LAST else " "
        said = Text("every month on {days}{shift}", "每月{beside}{days}{shift}").format(
            days=days, beside=beside, shift=SHIFTS[self.shift]
        )
        return phrases.at(said, self.times, self.calendar if self.shift else None)


def _day_words(day: int | Last) -> Text:
    if day == LAST:
        return Text("the last day", "最后一天")
    said = Text("the {nth}", "{day} 日").format(nth=phrases.ordinal(day), day=day)
    if day <= 28:
        return said
    return Text("{said} (in a shorter month its last day)", "{said} (短月为最后一天)").format(
        said=said
    )


@dataclass(frozen=True, slots=True)
class MonthWorkday(CalendarRule):
    """Times on the nth workday of every month, or on its last; months with fewer have none."""

    nth: int | Last
    times: tuple[str, ...]
    zone: ZoneInfo
    calendar: Calendar

    def days_from(self, start: date) -> Iterator[date]:
        """The nth workday of every month that has one."""
        for first in months_from(start, before=0):
            found = self._workday(first)
            if found is not None and found >= start:
                yield found

    def _workday(self, first: date) -> date | None:
        last = clamped(first.year, first.month, LAST)
        if self.nth == LAST:
            found = self.calendar.next_workday(last + DAY, -1)
            return found if found is not None and found >= first else None
        found = self.calendar.next_workday(first - DAY, self.nth)
        return found if found is not None and found <= last else None

    def to_dict(self) -> dict[str, Any]:
        """`{"monthly": {"workday": 3, "at": "10:00"}}`."""
        return {"monthly": {"workday": self.nth, "at": listed(self.times)}}

    def words(self) -> Text:
        """Every month on the 3rd workday 10:00."""
        if self.nth == LAST:
            days = Text("every month on the last workday", "每月最后一个工作日")
        else:
            days = Text("every month on the {nth} workday", "每月{nth}工作日").format(
                nth=phrases.ordinal(self.nth)
            )
        return phrases.at(days, self.times, self.calendar)


@dataclass(frozen=True, slots=True)
class MonthWeekday(DayRule):
    """Times on the nth of a weekday in every month, or on its last; months with four have no 5th.

    Attributes:
        weekday: from 0 for Monday.
    """

    weekday: int
    nth: int | Last
    times: tuple[str, ...]
    zone: ZoneInfo

    def days_from(self, start: date) -> Iterator[date]:
        """The nth such weekday of every month that has one."""
        for first in months_from(start, before=0):
            length = monthrange(first.year, first.month)[1]
            day = 1 + (self.weekday - first.weekday()) % 7
            day += (length - day) // 7 * 7 if self.nth == LAST else 7 * (self.nth - 1)
            if day <= length and (found := first.replace(day=day)) >= start:
                yield found

    def to_dict(self) -> dict[str, Any]:
        """`{"monthly": {"weekday": "mon", "nth": 1, "at": "10:00"}}`."""
        weekday = phrases.WEEKDAYS[self.weekday]
        return {"monthly": {"weekday": weekday, "nth": self.nth, "at": listed(self.times)}}

    def words(self) -> Text:
        """Every month on the 1st Monday 10:00."""
        weekday = phrases.weekday(self.weekday)
        if self.nth == LAST:
            days = Text("every month on the last {day}", "每月最后一个{day}").format(day=weekday)
        else:
            days = Text("every month on the {nth} {day}", "每月{nth}{day}").format(
                nth=phrases.ordinal(self.nth), day=weekday
            )
        return phrases.at(days, self.times)
