"""What the rules have in common that name days, and times on each of them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.triggers.times import time_of_day
from dingbell.domain.triggers.trigger import Trigger
from dingbell.domain.triggers.wallclock import first_shown

__all__ = ["DAY", "CalendarRule", "DayRule", "horizon"]

DAY = timedelta(days=1)
# A rule that names no day in so many years never comes due. Cron looks as far ahead.
_YEARS = 50


def horizon(start: date) -> date:
    """Until when a rule looks for its next day."""
    return date(min(start.year + _YEARS, date.max.year - 1), 12, 31)


class DayRule(Trigger):
    """Times on certain days, in a zone.

    Attributes:
        times: in order, as `times.canonical` writes them.
        zone: whose clocks show them.
    """

    __slots__ = ()

    times: tuple[str, ...]
    zone: ZoneInfo

    @abstractmethod
    def days_from(self, start: date) -> Iterator[date]:
        """The days of the rule from a day on, in order; one may come twice."""

    def after(self, instant: datetime) -> Iterator[datetime]:
        """Every time on every day of the rule."""
        times = [time_of_day(written) for written in self.times]
        for day in self.days_from(instant.astimezone(self.zone).date()):
            for of_day in times:
                found = first_shown(datetime.combine(day, of_day), self.zone)
                if found > instant:
                    yield found
                    instant = found


class CalendarRule(DayRule):
    """Times on days that a calendar decides about.

    Attributes:
        calendar: which days are workdays.
    """

    __slots__ = ()

    calendar: Calendar

    def unknown_year(self, instant: datetime) -> int | None:
        """The year of an occurrence, where the calendar does not know it yet."""
        year = instant.astimezone(self.zone).year
        return None if self.calendar.knows(year) else year

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """The calendar it asks."""
        return (self.calendar,)
