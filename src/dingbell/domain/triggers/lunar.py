"""A rule by the lunar calendar (农历)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo

from dingbell.domain.calendar.lunar import (
    FIRST_YEAR,
    LAST_YEAR,
    LunarDate,
    days_in,
    leap_month,
    to_solar,
)
from dingbell.domain.triggers import phrases
from dingbell.domain.triggers.dayrule import DayRule
from dingbell.domain.triggers.months import LAST, Last
from dingbell.domain.triggers.times import listed
from dingbell.errors import Text

__all__ = ["Lunar"]

_MONTHS = "正二三四五六七八九十冬腊"
_DIGITS = "一二三四五六七八九十"


@dataclass(frozen=True, slots=True)
class Lunar(DayRule):
    """Times on a day of the lunar year; a month of 29 days has its last one for a 30th.

    Attributes:
        month: 1 to 12.
        day: 1 to 30, or the month's last.
        leap: whether a leap month of the same number has the day again.
    """

    month: int
    day: int | Last
    times: tuple[str, ...]
    zone: ZoneInfo
    leap: Literal["skip", "both"] = "skip"

    def days_from(self, start: date) -> Iterator[date]:
        """The day in every lunar year, until the table ends."""
        for year in range(max(start.year - 1, FIRST_YEAR), LAST_YEAR + 1):
            for leap in (False, True):
                if leap and (self.leap == "skip" or leap_month(year) != self.month):
                    continue
                length = days_in(year, self.month, leap)
                day = length if self.day == LAST else min(self.day, length)
                found = to_solar(LunarDate(year, self.month, day, leap))
                if found >= start:
                    yield found

    def to_dict(self) -> dict[str, Any]:
        """`{"lunar": {"month": 12, "day": 23, "at": "09:00"}}`."""
        leap = {"leap": self.leap} if self.leap != "skip" else {}
        return {
            "lunar": {"month": self.month, "day": self.day, "at": listed(self.times), **leap},
        }

    def words(self) -> Text:
        """Every lunar year on 腊月廿三 09:00."""
        month = f"{_MONTHS[self.month - 1]}月"
        day = "最后一天" if self.day == LAST else _day_name(self.day)
        en_day = "the last day" if self.day == LAST else f"day {self.day}"
        said = Text(
            f"every lunar year on {en_day} of month {self.month} ({month}{day})",
            f"每年农历{month}{day}",
        )
        if self.day == 30:
            said = Text("{said}, or 29 in a short month", "{said} (小月为廿九)").format(said=said)
        if self.leap == "both":
            said = Text("{said}, and in the leap month", "{said}, 闰月也算").format(said=said)
        return phrases.at(said, self.times)


def _day_name(day: int) -> str:
    """初一, 十五, 廿三, 三十."""
    if day in (10, 20, 30):
        return {10: "初十", 20: "二十", 30: "三十"}[day]
    return "初十廿"[day // 10] + _DIGITS[day % 10 - 1]
