"""The lunar calendar (农历) of 1900 to 2100: from a date to its lunar one, and back.

In 2089 and 2097 a new moon falls within seconds of midnight, and published tables differ. The table
here has the computed instants: 八月初一 is 2089-09-04 and 七月初一 is 2097-08-07.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import date, timedelta
from itertools import accumulate
from typing import NamedTuple

from dingbell.errors import InputError, Text

__all__ = [
    "FIRST_YEAR",
    "LAST_YEAR",
    "LunarDate",
    "days_in",
    "from_solar",
    "leap_month",
    "to_solar",
]

FIRST_YEAR = 1900
LAST_YEAR = 2100

# A year: its leap month (0 where it has none) above 13 bits, of which the nth says whether its nth
# month, the leap one counted, has 30 days instead of 29.
# fmt: off
_YEARS = (
    0x116d2, 0x00752, 0x00ea5, 0x0b64a, 0x0064b, 0x00a9b, 0x09556, 0x0056a, 0x00b59, 0x05752,  # 1900
    0x00752, 0x0db25, 0x00b25, 0x00a4b, 0x0b4ab, 0x002ad, 0x0056b, 0x04b69, 0x00da9, 0x0fd92,  # 1910
    0x00e92, 0x00d25, 0x0ba4d, 0x00a56, 0x002b6, 0x095b5, 0x006d4, 0x00ea9, 0x05e92, 0x00e92,  # 1920
    0x0cd26, 0x0052b, 0x00a57, 0x0b2b6, 0x00b5a, 0x006d4, 0x06ec9, 0x00749, 0x0f693, 0x00a93,  # 1930
    0x0052b, 0x0ca5b, 0x00aad, 0x0056a, 0x09b55, 0x00ba4, 0x00b49, 0x05a93, 0x00a95, 0x0f52d,  # 1940
    0x00536, 0x00aad, 0x0b5aa, 0x005b2, 0x00da5, 0x07d4a, 0x00d4a, 0x10a95, 0x00a97, 0x00556,  # 1950
    0x0cab5, 0x00ad5, 0x006d2, 0x08ea5, 0x00ea5, 0x0064a, 0x06c97, 0x00a9b, 0x0f55a, 0x0056a,  # 1960
    0x00b69, 0x0b752, 0x00b52, 0x00b25, 0x0964b, 0x00a4b, 0x114ab, 0x002ad, 0x0056d, 0x0cb69,  # 1970
    0x00da9, 0x00d92, 0x09d25, 0x00d25, 0x15a4d, 0x00a56, 0x002b6, 0x0c5b5, 0x006d5, 0x00ea9,  # 1980
    0x0be92, 0x00e92, 0x00d26, 0x06a56, 0x00a57, 0x114d6, 0x0035a, 0x006d5, 0x0b6c9, 0x00749,  # 1990
    0x00693, 0x0952b, 0x0052b, 0x00a5b, 0x0555a, 0x0056a, 0x0fb55, 0x00ba4, 0x00b49, 0x0ba93,  # 2000
    0x00a95, 0x0052d, 0x08aad, 0x00ab5, 0x135aa, 0x005d2, 0x00da5, 0x0dd4a, 0x00d4a, 0x00c95,  # 2010
    0x0952e, 0x00556, 0x00ab5, 0x055b2, 0x006d2, 0x0cea5, 0x00725, 0x0064b, 0x0ac97, 0x00cab,  # 2020
    0x0055a, 0x06ad6, 0x00b69, 0x17752, 0x00b52, 0x00b25, 0x0da4b, 0x00a4b, 0x004ab, 0x0a55b,  # 2030
    0x005ad, 0x00b6a, 0x05b52, 0x00d92, 0x0fd25, 0x00d25, 0x00a55, 0x0b4ad, 0x004b6, 0x005b5,  # 2040
    0x06daa, 0x00ec9, 0x11e92, 0x00e92, 0x00d26, 0x0ca56, 0x00a57, 0x004d6, 0x086d5, 0x00755,  # 2050
    0x00749, 0x06e93, 0x00693, 0x0f52b, 0x0052b, 0x00a5b, 0x0b55a, 0x0056a, 0x00b65, 0x0974a,  # 2060
    0x00b4a, 0x11a95, 0x00a95, 0x0052d, 0x0caad, 0x00ab5, 0x005aa, 0x08ba5, 0x00da5, 0x00d4a,  # 2070
    0x07c95, 0x00c96, 0x0f94e, 0x00556, 0x00ab5, 0x0b5b2, 0x006d2, 0x00ea5, 0x08e4a, 0x0068b,  # 2080
    0x10c97, 0x004ab, 0x0055b, 0x0cad6, 0x00b6a, 0x00752, 0x09725, 0x00b45, 0x00a8b, 0x0549b,  # 2090
    0x004ab,  # 2100
)
# fmt: on
_LEAP = 13
_NEW_YEARS_DAY = date(1900, 1, 31)


class LunarDate(NamedTuple):
    """A day of the lunar calendar.

    Attributes:
        month: 1 to 12.
        leap: it lies in the leap month that follows the month of this number.
    """

    year: int
    month: int
    day: int
    leap: bool = False


def leap_month(year: int) -> int:
    """The month after which a lunar year has a leap month; 0 where it has none."""
    return _year(year) >> _LEAP


def days_in(year: int, month: int, leap: bool = False) -> int:  # noqa: FBT001, FBT002
    """How many days a lunar month has: 29 or 30; 0 where the year has no such leap month.

    Raises:
        InputError: the year lies outside 1900 to 2100, or there is no such month.
    """
    if not 1 <= month <= 12:
        raise InputError(
            Text("there is no lunar month {month}", "没有农历 {month} 月").format(month=month)
        )
    if leap and leap_month(year) != month:
        return 0
    return _lengths(year)[_place(year, month, leap=leap)]


def from_solar(day: date) -> LunarDate:
    """The lunar date of a day.

    Raises:
        InputError: it lies outside the lunar years 1900 to 2100.
    """
    passed = (day - _NEW_YEARS_DAY).days
    if not 0 <= passed < _BEGINNINGS[-1]:
        raise _unknown(day.year)
    year = FIRST_YEAR + bisect_right(_BEGINNINGS, passed) - 1
    passed -= _BEGINNINGS[year - FIRST_YEAR]
    for place, length in enumerate(_lengths(year)):
        if passed < length:
            break
        passed -= length
    leap = leap_month(year)
    after_leap = bool(leap) and place >= leap
    return LunarDate(year, place + 1 - after_leap, passed + 1, bool(leap) and place == leap)


def to_solar(lunar: LunarDate) -> date:
    """The day of a lunar date.

    Raises:
        InputError: there is no such day, or its year lies outside 1900 to 2100.
    """
    if not 1 <= lunar.day <= days_in(lunar.year, lunar.month, lunar.leap):
        raise InputError(
            Text(
                "the lunar year {year} has no day {day} in its {leap}month {month}",
                "农历 {year} 年{leap}{month} 月没有第 {day} 天",
            ).format(
                year=lunar.year,
                month=lunar.month,
                day=lunar.day,
                leap=Text("leap ", "闰 ") if lunar.leap else Text("", " "),
            )
        )
    before = _lengths(lunar.year)[: _place(lunar.year, lunar.month, leap=lunar.leap)]
    passed = _BEGINNINGS[lunar.year - FIRST_YEAR] + sum(before) + lunar.day - 1
    return _NEW_YEARS_DAY + timedelta(days=passed)


def _year(year: int) -> int:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _unknown(year)
    return _YEARS[year - FIRST_YEAR]


def _unknown(year: int) -> InputError:
    return InputError(
        Text(
            "the lunar calendar is known for the years 1900 to 2100 only (asked for: {year})",
            "农历仅支持 1900 至 2100 年 (现为: {year})",
        ).format(year=year)
    )


def _place(year: int, month: int, *, leap: bool) -> int:
    """Which month of the year it is, counted from 0, the leap one included."""
    after_leap = 0 < leap_month(year) < month
    return month - 1 + (leap or after_leap)


def _lengths(year: int) -> list[int]:
    """The days of each month of a year, in order."""
    packed = _year(year)
    months = 13 if packed >> _LEAP else 12
    return [29 + (packed >> place & 1) for place in range(months)]


# How many days lie between the first new year's day and that of each year, and of the one after.
_BEGINNINGS = tuple(
    accumulate((sum(_lengths(year)) for year in range(FIRST_YEAR, LAST_YEAR + 1)), initial=0)
)
