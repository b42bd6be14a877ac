"""Anniversaries: which dates have theirs on a day, by the common and by the lunar calendar."""

from __future__ import annotations

from datetime import date, timedelta

from dingbell.domain.calendar import lunar

__all__ = ["lunar_dates", "month_days"]


def month_days(day: date) -> list[str]:
    """The months and days (`02-28`) whose anniversary is a day.

    Who was born on 29 February has it on the 28th in common years: it stays in its month.
    """
    found = [f"{day:%m-%d}"]
    if (day.month, day.day) == (2, 28) and (day + timedelta(days=1)).month == 3:
        found.append("02-29")
    return found


def lunar_dates(day: date) -> list[date]:
    """Every date since 1900 and before a day whose lunar anniversary is that day.

    A leap month has no anniversaries of its own: who was born in one has his in the month of that
    number, which comes every year. Of a 30th it is the last day where the month has 29.
    """
    if not date(lunar.FIRST_YEAR, 1, 31) <= day <= date(lunar.LAST_YEAR, 12, 31):
        return []
    today = lunar.from_solar(day)
    if today.leap:
        return []
    days = [today.day]
    if today.day == 29 and lunar.days_in(today.year, today.month) == 29:
        days.append(30)
    return [
        lunar.to_solar(lunar.LunarDate(year, today.month, one, leap))
        for year in range(lunar.FIRST_YEAR, today.year)
        for leap in (False, True)
        for one in days
        if one <= lunar.days_in(year, today.month, leap)
    ]
