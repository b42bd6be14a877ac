"""A rule by days of the year."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import CalendarRule, horizon
from dingbell.domain.triggers.months import SHIFTS, Shift, clamped, shifted
from dingbell.domain.triggers.times import listed
from dingbell.errors import Text

__all__ = ["Yearly"]

_MONTHS = tuple(month_name)[1:]
_LEAP_DAY = (2, 29)


@dataclass(frozen=True, slots=True)
class Yearly(CalendarRule):
    """Times on some days of every year; 29 February is the 28th where a year has none.

    Attributes:
        on: months and days, in order.
        shift: where the day is off, the workday after or before it.
    """

    on: tuple[tuple[int, int], ...]
    times: tuple[str, ...]
    zone: ZoneInfo
    calendar: Calendar
    shift: Shift | None = None

    def days_from(self, start: date) -> Iterator[date]:
        """These days of every year, shifted."""
        for year in range(max(start.year - 1, 2), horizon(start).year + 1):
            for month, day in self.on:
                found = shifted(clamped(year, month, day), self.shift, self.calendar)
                if found >= start:
                    yield found

    def unknown_year(self, instant: datetime) -> int | None:
        """The year of an occurrence that the calendar may have to shift and does not know."""
        return CalendarRule.unknown_year(self, instant) if self.shift else None

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """The calendar, where days are shifted."""
        return (self.calendar,) if self.shift else ()

    def to_dict(self) -> dict[str, Any]:
        """`{"yearly": {"on": "03-08", "at": "09:00"}}`."""
        on = [f"{month:02}-{day:02}" for month, day in self.on]
        shift = {"shift": self.shift} if self.shift else {}
        said = on[0] if len(on) == 1 else on
        return {"yearly": {"on": said, "at": listed(self.times), **shift}}

    def words(self) -> Text:
        """Every year on March 8 09:00."""
        said = Text("every year on {days}{shift}", "每年 {days}{shift}").format(
            days=phrases.joined(_day_words(*one) for one in self.on), shift=SHIFTS[self.shift]
        )
        return phrases.at(said, self.times, self.calendar if self.shift else None)


def _day_words(month: int, day: int) -> Text:
    said = Text(f"{_MONTHS[month - 1]} {day}", f"{month} 月 {day} 日")
    if (month, day) != _LEAP_DAY:
        return said
    return Text("{said} (or 28)", "{said} (平年为 28 日)").format(said=said)
