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
    0x116d2, 0x752, 0xea5, 0xb64a, 0x64b, 0xa9b, 0x9556, 0x56a, 0xb59, 0x5752,  # 1900
    0x752, 0xdb25, 0xb25, 0xa4b, 0xb4ab, 0x2ad, 0x56b, 0x4b69, 0xda9, 0xfd92,  # 1910
    0xe92, 0xd25, 0xba4d, 0xa56, 0x2b6, 0x95b5, 0x6d4, 0xea9, 0x5e92, 0xe92,  # 1920
    0xcd26, 0x52b, 0xa57, 0xb2b6, 0xb5a, 0x6d4, 0x6ec9, 0x749, 0xf693, 0xa93,  # 1930
    0x52b, 0xca5b, 0xaad, 0x56a, 0x9b55, 0xba4, 0xb49, 0x5a93, 0xa95, 0xf52d,  # 1940
    0x536, 0xaad, 0xb5aa, 0x5b2, 0xda5, 0x7d4a, 0xd4a, 0x10a95, 0xa97, 0x556,  # 1950
    0xcab5, 0xad5, 0x6d2, 0x8ea5, 0xea5, 0x64a, 0x6c97, 0xa9b, 0xf55a, 0x56a,  # 1960
    0xb69, 0xb752, 0xb52, 0xb25, 0x964b, 0xa4b, 0x114ab, 0x2ad, 0x56d, 0xcb69,  # 1970
    0xda9, 0xd92, 0x9d25, 0xd25, 0x15a4d, 0xa56, 0x2b6, 0xc5b5, 0x6d5, 0xea9,  # 1980
    0xbe92, 0xe92, 0xd26, 0x6a56, 0xa57, 0x114d6, 0x35a, 0x6d5, 0xb6c9, 0x749,  # 1990
    0x693, 0x952b, 0x52b, 0xa5b, 0x555a, 0x56a, 0xfb55, 0xba4, 0xb49, 0xba93,  # 2000
    0xa95, 0x52d, 0x8aad, 0xab5, 0x135aa, 0x5d2, 0xda5, 0xdd4a, 0xd4a, 0xc95,  # 2010
    0x952e, 0x556, 0xab5, 0x55b2, 0x6d2, 0xcea5, 0x725, 0x64b, 0xac97, 0xcab,  # 2020
    0x55a, 0x6ad6, 0xb69, 0x17752, 0xb52, 0xb25, 0xda4b, 0xa4b, 0x4ab, 0xa55b,  # 2030
    0x5ad, 0xb6a, 0x5b52, 0xd92, 0xfd25, 0xd25, 0xa55, 0xb4ad, 0x4b6, 0x5b5,  # 2040
    0x6daa, 0xec9, 0x11e92, 0xe92, 0xd26, 0xca56, 0xa57, 0x4d6, 0x86d5, 0x755,  # 2050
    0x749, 0x6e93, 0x693, 0xf52b, 0x52b, 0xa5b, 0xb55a, 0x56a, 0xb65, 0x974a,  # 2060
    0xb4a, 0x11a95, 0xa95, 0x52d, 0xcaad, 0xab5, 0x5aa, 0x8ba5, 0xda5, 0xd4a,  # 2070
    0x7c95, 0xc96, 0xf94e, 0x556, 0xab5, 0xb5b2, 0x6d2, 0xea5, 0x8e4a, 0x68b,  # 2080
    0x10c97, 0x4ab, 0x55b, 0xcad6, 0xb6a, 0x752, 0x9725, 0xb45, 0xa8b, 0x549b,  # 2090
    0x4ab,  # 2100
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


def days_in(year: int, month: int, leap: bool = False) -> int:
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
    place = 0
    for length in _lengths(year):
        if passed < length:
            break
        passed -= length
        place += 1
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
