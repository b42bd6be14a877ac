"""The festivals on which the law gives days off, by the days they fall on themselves.

What the State Council adds around them, and which weekends are worked instead, is published for
one year at a time. Where that has not been done yet, the days here are all that is certain.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from dingbell.domain.calendar import lunar
from dingbell.domain.calendar.lunar import LunarDate

__all__ = ["LAST_YEAR", "NAMES", "canonical", "days"]

LAST_YEAR = lunar.LAST_YEAR
_DAY = timedelta(days=1)


def _fixed(month: int, day: int) -> Callable[[int], date]:
    return lambda year: date(year, month, day)


def _lunar(month: int, day: int) -> Callable[[int], date]:
    return lambda year: lunar.to_solar(LunarDate(year, month, day))


def _eve(year: int) -> date:
    return lunar.to_solar(LunarDate(year, 1, 1)) - _DAY


def _clear_and_bright(year: int) -> date:
    """清明: when the sun stands at 15°; the formula holds for 1901 to 2100."""
    passed, constant = (year - 1900, 5.59) if year <= 2000 else (year - 2000, 4.81)
    return date(year, 4, int(passed * 0.2422 + constant) - passed // 4)


# The first day of each, and how many days it has (since 2025).
NAMES: dict[str, tuple[Callable[[int], date], int]] = {
    "元旦": (_fixed(1, 1), 1),
    "春节": (_eve, 4),
    "清明节": (_clear_and_bright, 1),
    "劳动节": (_fixed(5, 1), 2),
    "端午节": (_lunar(5, 5), 1),
    "中秋节": (_lunar(8, 15), 1),
    "国庆节": (_fixed(10, 1), 3),
}
_ALSO = {
    "新年": "元旦",
    "new year": "元旦",
    "过年": "春节",
    "spring festival": "春节",
    "清明": "清明节",
    "qingming": "清明节",
    "五一": "劳动节",
    "五一劳动节": "劳动节",
    "labour day": "劳动节",
    "labor day": "劳动节",
    "端午": "端午节",
    "dragon boat festival": "端午节",
    "中秋": "中秋节",
    "mid-autumn festival": "中秋节",
    "国庆": "国庆节",
    "十一": "国庆节",
    "national day": "国庆节",
}


def canonical(name: str) -> str:
    """The name of a holiday as the calendar has it: 国庆 is 国庆节."""
    name = name.strip()
    return _ALSO.get(name.lower(), name)


def days(name: str, year: int) -> tuple[date, date] | None:
    """The first and the last day of a festival in a year; None for what is none."""
    if name not in NAMES or not lunar.FIRST_YEAR < year <= LAST_YEAR:
        return None
    begins, length = NAMES[name]
    first = begins(year)
    return first, first + _DAY * (length - 1)
