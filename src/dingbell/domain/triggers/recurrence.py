"""A rule of periods: every nth day, week, month or year from a start, and which days of each."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count, islice, takewhile
from typing import Any
from zoneinfo import ZoneInfo

from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import DAY, DayRule, horizon
from dingbell.errors import Text

__all__ = ["Nth", "Recurrence"]

# A weekday from 0 for Monday, and which one of its month or year: 0 is every one, -1 the last.
Nth = tuple[int, int]
_DAILY, _WEEKLY, _MONTHLY, _YEARLY = range(4)
_UNITS = (
    Text("day", "天"),
    Text("week", "周"),
    Text("month", "个月"),
    Text("year", "年"),
)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Recurrence(DayRule):
    """Times on the days of recurring periods, as RFC 5545 counts them.

    Attributes:
        freq: the period: 0 is a day, 1 a week, 2 a month, 3 a year.
        start: the first day that counts; nothing comes before it.
        interval: every how many periods.
        months: only these, or of a year these; empty is any.
        month_days: days of the month; negative ones count from its end.
        weekdays: which weekdays; empty is any, or that of the start.
        positions: of the days of a period only these, from 1 or from -1.
        week_start: the weekday a week begins with.
        count: how often it comes due at most.
        until: the last instant.
        written: what it was read from.
    """

    freq: int
    start: date
    times: tuple[str, ...]
    zone: ZoneInfo
    interval: int = 1
    months: tuple[int, ...] = ()
    month_days: tuple[int, ...] = ()
    weekdays: tuple[Nth, ...] = ()
    positions: tuple[int, ...] = ()
    week_start: int = 0
    count: int | None = None
    until: datetime | None = None
    written: str = ""

    def after(self, instant: datetime) -> Iterator[datetime]:
        """The instants until the last."""
        coming = DayRule.after(self, instant)
        until = self.until
        return coming if until is None else takewhile(lambda one: one <= until, coming)

    def days_from(self, start: date) -> Iterator[date]:
        """The days of every nth period; with a count, those counted from the start."""
        if self.count is not None:
            counted = islice(self._days(self.start), self.count)
            return (day for day in counted if day >= start)
        return self._days(max(start, self.start))

    def _days(self, start: date) -> Iterator[date]:
        """The days from one on."""
        first = self._periods_before(start) // self.interval
        end = horizon(start)
        for step in count(max(first, 0)):
            begin = self._period(step * self.interval)
            if begin is None or begin > end:
                return
            for day in self._chosen(begin):
                if day >= start:
                    yield day
                    end = horizon(day)

    def _periods_before(self, day: date) -> int:
        """How many periods lie between the one of the start and that of a day."""
        if self.freq == _DAILY:
            return (day - self.start).days
        if self.freq == _WEEKLY:
            return (self._week(day) - self._week(self.start)).days // 7
        if self.freq == _MONTHLY:
            return (day.year - self.start.year) * 12 + day.month - self.start.month
        return day.year - self.start.year

    def _week(self, day: date) -> date:
        return day - DAY * ((day.weekday() - self.week_start) % 7)

    def _period(self, number: int) -> date | None:
        """The first day of a period, counted from that of the start; None where dates end."""
        try:
            if self.freq == _DAILY:
                return self.start + DAY * number
            if self.freq == _WEEKLY:
                return self._week(self.start) + _WEEK * number
            if self.freq == _MONTHLY:
                index = self.start.year * 12 + self.start.month - 1 + number
                return date(index // 12, index % 12 + 1, 1)
            return date(self.start.year + number, 1, 1)
        except (OverflowError, ValueError):
            return None

    def _chosen(self, begin: date) -> list[date]:
        """The days of a period that the rule names, in order."""
        days = [day for day in self._candidates(begin) if day >= self.start or self.positions]
        if not self.positions:
            return days
        places = {place - 1 if place > 0 else len(days) + place for place in self.positions}
        return [day for place, day in enumerate(days) if place in places and day >= self.start]

    def _candidates(self, begin: date) -> list[date]:
        if self.freq == _DAILY:
            return [begin] if self._fits(begin) else []
        if self.freq == _WEEKLY:
            wanted = {weekday for weekday, _ in self.weekdays} or {self.start.weekday()}
            week = (begin + DAY * passed for passed in range(7))
            return [day for day in week if day.weekday() in wanted and self._in_month(day)]
        if self.freq == _MONTHLY:
            return self._of_month(begin) if self._in_month(begin) else []
        return self._of_year(begin.year)

    def _in_month(self, day: date) -> bool:
        return not self.months or day.month in self.months

    def _fits(self, day: date) -> bool:
        """Whether a single day has the month, the day of the month and the weekday."""
        weekdays = {weekday for weekday, _ in self.weekdays}
        return (
            self._in_month(day)
            and (not self.month_days or day.day in self._month_days(day))
            and (not weekdays or day.weekday() in weekdays)
        )

    def _month_days(self, day: date) -> set[int]:
        length = monthrange(day.year, day.month)[1]
        return {one if one > 0 else length + 1 + one for one in self.month_days}

    def _of_month(self, first: date) -> list[date]:
        length = monthrange(first.year, first.month)[1]
        days = [first.replace(day=number) for number in range(1, length + 1)]
        if self.month_days or not self.weekdays:
            wanted = self._month_days(first) if self.month_days else {self.start.day}
            days = [day for day in days if day.day in wanted]
        if not self.weekdays:
            return days
        last = first.replace(day=length)
        return [day for day in days if self._is_nth(day, first, last)]

    def _of_year(self, year: int) -> list[date]:
        """The days of a year; weekdays are counted in the months that are named, or in the year."""
        first, last = date(year, 1, 1), date(year, 12, 31)
        if self.weekdays and not self.months:
            every = (first + DAY * passed for passed in range((last - first).days + 1))
            return [
                day
                for day in every
                if self._is_nth(day, first, last)
                and (not self.month_days or day.day in self._month_days(day))
            ]
        if self.months:
            months: tuple[int, ...] = self.months
        else:
            months = tuple(range(1, 13)) if self.month_days else (self.start.month,)
        return [day for month in months for day in self._of_month(date(year, month, 1))]

    def _is_nth(self, day: date, first: date, last: date) -> bool:
        """Whether a day is one of the weekdays, counted from one end of a month or year."""
        from_start = (day - first).days // 7 + 1
        from_end = -((last - day).days // 7 + 1)
        return any(
            weekday == day.weekday() and nth in (0, from_start, from_end)
            for weekday, nth in self.weekdays
        )

    def to_dict(self) -> dict[str, Any]:
        """`{"rrule": "DTSTART:… RRULE:…"}`."""
        return {"rrule": self.written}

    def words(self) -> Text:
        """Every 2 weeks on Monday 09:00, from 2026-12-01, 10 times."""
        said = [self._period_words(), *self._day_words()]
        text = Text(" ".join(said), "".join(one.zh for one in said))
        return self._limit_words(phrases.at(text, self.times))

    def _period_words(self) -> Text:
        unit = _UNITS[self.freq]
        if self.interval == 1:
            return Text("every {unit}", "每{unit}").format(unit=unit)
        return Text("every {n} {unit}s", "每 {n} {unit}").format(n=self.interval, unit=unit)

    def _day_words(self) -> Iterator[Text]:
        if self.months:
            numbers = ", ".join(map(str, self.months))
            yield Text(f"in month {numbers}", f"的 {numbers} 月")
        if self.month_days:
            numbers = ", ".join(map(str, self.month_days))
            yield Text(f"on day {numbers} of the month", f"的 {numbers} 日")
        if self.weekdays:
            days = phrases.joined(_nth_words(*one) for one in self.weekdays)
            yield Text("on {days}", "的{days}").format(days=days)
        if self.positions:
            numbers = ", ".join(map(str, self.positions))
            yield Text(f"(of these number {numbers})", f" (取其中第 {numbers} 个)")
        if self.week_start:
            day = phrases.weekday(self.week_start)
            yield Text("(weeks begin on {day})", " (一周从{day}开始)").format(day=day)

    def _limit_words(self, said: Text) -> Text:
        said = Text("{said}, from {day}", "{said}, 自 {day} 起").format(
            said=said, day=self.start.isoformat()
        )
        if self.count is not None:
            said = Text("{said}, {n} times", "{said}, 共 {n} 次").format(said=said, n=self.count)
        if self.until is not None:
            until = self.until.astimezone(self.zone).isoformat(" ", "seconds")
            said = Text("{said}, until {until}", "{said}, 至 {until} 止").format(
                said=said, until=until
            )
        return said


def _nth_words(weekday: int, nth: int) -> Text:
    day = phrases.weekday(weekday)
    if not nth:
        return day
    return Text("{nth} {day}", "第 {nth} 个{day}").format(nth=nth, day=day)
