"""A rule within limits: from, until, and days that are left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.calendar import Calendar
from dingbell.domain.calendar.company import DayRange
from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import DAY
from dingbell.domain.triggers.several import AnyOf
from dingbell.domain.triggers.trigger import Trigger
from dingbell.domain.triggers.wallclock import first_shown
from dingbell.errors import Text

__all__ = ["Excepted", "Limited"]

_TINY = timedelta(microseconds=1)
# Of so many days in a row that a rule comes due on, all were left out: it never comes due.
_MOST_LEFT_OUT = 2_000


@dataclass(frozen=True, slots=True)
class Excepted:
    """Days on which a rule does not come due.

    Attributes:
        ranges: in order.
        holidays: every day of the holidays of these names.
        days_off: the calendars whose days off are left out.
        calendar: the one that has the holidays.
    """

    ranges: tuple[DayRange, ...] = ()
    holidays: tuple[str, ...] = ()
    days_off: tuple[Calendar, ...] = ()
    calendar: Calendar | None = None

    def __bool__(self) -> bool:
        return bool(self.ranges or self.holidays or self.days_off)

    def until(self, day: date) -> date | None:
        """The last of the days that are left out together with a day; None where it is not."""
        for one in self.ranges:
            if one.first <= day <= one.last:
                return one.last
        own = self.calendar
        if own is not None and any(own.is_within(day, name) for name in self.holidays):
            return day
        return day if any(not one.is_workday(day) for one in self.days_off) else None

    def to_list(self) -> list[Any]:
        """The form it is written in."""
        calendars = [{"calendar": one.name} for one in self.days_off]
        return [*map(str, self.ranges), *self.holidays, *calendars]

    def words(self) -> Text:
        """What is left out, in order."""
        off = Text("the days off of calendar {name}", "日历 {name} 的休息日")
        return phrases.joined(
            [
                *(Text(str(one), str(one)) for one in self.ranges),
                *(Text(name, name) for name in self.holidays),
                *(off.format(name=one.name) for one in self.days_off),
            ]
        )


@dataclass(frozen=True, slots=True)
class Limited(Trigger):
    """A rule that holds for a while, but for some days.

    Attributes:
        since: the first instant that counts.
        until: the last instant that counts.
        excepted: the days that are left out, in the zone.
    """

    rule: Trigger
    zone: ZoneInfo
    since: datetime | None = None
    until: datetime | None = None
    excepted: Excepted = Excepted()

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The occurrences of the rule that lie within the limits."""
        start = instant if self.since is None else max(instant, self.since - _TINY)
        coming = self.rule.after(start)
        left_out = 0
        while (found := next(coming, None)) is not None and left_out < _MOST_LEFT_OUT:
            if self.until is not None and found > self.until:
                return
            last = self.excepted.until(found.astimezone(self.zone).date())
            if last is None:
                left_out = 0
                yield found
            else:
                left_out += 1
                # Whatever else comes on these days is passed over at once.
                coming = self.rule.after(max(found, self._end(last)))

    def _end(self, day: date) -> datetime:
        """The last moment of a day in the zone."""
        following = datetime.combine(day + DAY, _MIDNIGHT)
        return first_shown(following, self.zone).astimezone(UTC) - _TINY

    def first_due(self, now: datetime, grace: timedelta) -> datetime | None:
        """The first occurrence within the limits, also one that has just passed."""
        found = self.rule.first_due(now, grace)
        if found is not None and found <= now and self._holds(found):
            return found
        return self.next_after(now)

    def _holds(self, found: datetime) -> bool:
        early = self.since is not None and found < self.since
        late = self.until is not None and found > self.until
        return not (early or late or self.excepted.until(found.astimezone(self.zone).date()))

    def unknown_year(self, instant: datetime) -> int | None:
        """The year that the rule would have to know, or what is left out of it."""
        year = self.rule.unknown_year(instant)
        here = instant.astimezone(self.zone).year
        asked = self._asked()
        return year or next((here for one in asked if not one.knows(here)), None)

    def _asked(self) -> tuple[Calendar, ...]:
        own = (self.excepted.calendar,) if self.excepted.holidays else ()
        return (*self.excepted.days_off, *(one for one in own if one is not None))

    @property
    def calendars(self) -> tuple[Calendar, ...]:
        """The calendars of the rule and of what is left out."""
        return (*self.rule.calendars, *self._asked())

    def to_dict(self) -> dict[str, Any]:
        """The rule with `from`, `until`, `except` beside it."""
        said = self.rule.to_dict()
        if self.since is not None:
            said["from"] = self.since.isoformat()
        if self.until is not None:
            said["until"] = self.until.isoformat()
        if self.excepted:
            said["except"] = self.excepted.to_list()
        return said

    def words(self) -> Text:
        """The rule, from, until, except."""
        said = self.rule.words()
        if isinstance(self.rule, AnyOf):
            said = Text("({said})", "({said})").format(said=said)
        if self.since is not None:
            said = _FROM.format(said=said, at=self._shown(self.since, _MIDNIGHT))
        if self.until is not None:
            said = _UNTIL.format(said=said, at=self._shown(self.until, time.max))
        if self.excepted:
            said = _EXCEPT.format(said=said, days=self.excepted.words())
        return said

    def _shown(self, instant: datetime, usual: time) -> str:
        """An instant in the zone; only its day where the time is the usual one."""
        local = instant.astimezone(self.zone)
        if local.time() == usual:
            return local.date().isoformat()
        return local.isoformat(" ")


_MIDNIGHT = time()
_FROM = Text("{said}, from {at}", "{said}, 自 {at} 起")
_UNTIL = Text("{said}, until {at}", "{said}, 至 {at} 止")
_EXCEPT = Text("{said}, except {days}", "{said}, {days} 除外")
