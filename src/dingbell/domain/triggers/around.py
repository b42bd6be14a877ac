"""Rules that count days before or after a holiday."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.calendar import Calendar, Span
from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import DAY, CalendarRule
from dingbell.domain.triggers.times import listed
from dingbell.errors import Text

__all__ = ["Around"]

Side = Literal["before", "after"]
Unit = Literal["days", "workdays"]
_WORDS: dict[tuple[str, str], Text] = {
    ("before", "days"): Text("{n} days before {holiday}", "{holiday}前 {n} 天"),
    ("before", "workdays"): Text("{n} workdays before {holiday}", "{holiday}前 {n} 个工作日"),
    ("after", "days"): Text("{n} days after {holiday}", "{holiday}后 {n} 天"),
    ("after", "workdays"): Text("{n} workdays after {holiday}", "{holiday}后 {n} 个工作日"),
}
_LONGEST_WAY = 2


@dataclass(frozen=True, slots=True)
class Around(CalendarRule):
    """Times on the nth day or workday before a holiday's first day, or after its last."""

    side: Side
    holiday: str
    unit: Unit
    count: int
    times: tuple[str, ...]
    zone: ZoneInfo
    calendar: Calendar

    def days_from(self, start: date) -> Iterator[date]:
        """The day before or after every holiday of the name."""
        for span in self._spans(start):
            found = self._day(span)
            if found is not None and found >= start:
                yield found

    def _spans(self, start: date) -> Iterator[Span]:
        return self.calendar.spans(self.holiday, start.year - (self.side == "after"))

    def _day(self, span: Span) -> date | None:
        edge, sign = (span[0], -1) if self.side == "before" else (span[1], 1)
        if self.unit == "days":
            return edge + DAY * sign * self.count
        return self.calendar.next_workday(edge, sign * self.count)

    def unknown_year(self, instant: datetime) -> int | None:
        """The year that is not published: of the occurrence, or of the holiday itself."""
        day = instant.astimezone(self.zone).date()
        for span in self._spans(day):
            if self._day(span) == day:
                years = sorted({day.year, span[1].year})
                return next((year for year in years if not self.calendar.knows(year)), None)
            if span[0].year > day.year + _LONGEST_WAY:
                break
        return CalendarRule.unknown_year(self, instant)

    def to_dict(self) -> dict[str, Any]:
        """`{"before": {"holiday": "国庆节", "workdays": 1, "at": "16:00"}}`."""
        said = {"holiday": self.holiday, self.unit: self.count, "at": listed(self.times)}
        return {self.side: said}

    def words(self) -> Text:
        """1 workday before 国庆节 16:00."""
        words = _WORDS[self.side, self.unit]
        said = words.format(n=self.count, holiday=self.holiday)
        if self.count == 1:
            said = Text(said.replace("days ", "day ", 1), said.zh)
        return phrases.at(said, self.times, self.calendar)
